"""Two records that are one: a person merges them, and what is said of either counts for both.

A merged record is not deleted. It names the record that stands for it (`merged_into`), and
keeps its id, its history and its own cells. What still comes in about it has its effect on the
survivor, see `sync.carrying`; what names it as a parent belongs to the survivor.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from sync.carrying import CARRIED, carried_cells, carried_elements
from sync.cells import overlay
from sync.claims import keep_act
from sync.dependants import LEADERS
from sync.edits import changed_cells, changed_elements, joined, looks_the_same
from sync.erasing import erase_with_all_below
from sync.facts import grid_in
from sync.fields import Ref
from sync.kinds import KINDS, Kind
from sync.lifecycle import ERASE, INCIDENT, MERGE, advance
from sync.merge import contested_values
from sync.mutation import EMPTY
from sync.outcome import Code, Outcome
from sync.record import Cell, Record, Status
from sync.sheet import Deed, Sheet, Verdict, is_over
from sync.state import (
    is_archived,
    is_erased,
    is_tombstone,
    live_value,
    merged_into,
    restricted_for,
    rules_of,
)

_UNDECIDED: Final = frozenset({"reported", "registered"})
"""The states of an incident in which it may turn out to be the same as another one."""
_REFERENCES: Final = {
    kind.name: tuple(name for name, each in kind.fields.items() if isinstance(each.type, Ref))
    for kind in KINDS.values()
}


def survivor_of(records: Sheet, record: Record) -> Record:
    """Return the record that stands for a record: itself, unless it was merged."""
    return next(_standing(records, record))


def _standing(records: Sheet, record: Record) -> Iterator[Record]:
    """Yield where a chain of merges ends. Merging makes no circle, and shortens chains."""
    into = records.get(merged_into(record))
    while into is not None:
        record, into = into, records.get(merged_into(into))
    yield record


def stands_for(sheet: Sheet, record_id: Any) -> Any:
    """Return the id of the record that stands for `record_id`; the same if none is known."""
    record = sheet.get(record_id) if isinstance(record_id, str) else None
    return record_id if record is None else survivor_of(sheet, record).id


def with_survivors(sheet: Sheet, kind: Kind, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a new record, naming survivors where it named merged records."""
    named = {
        name: stands_for(sheet, values[name])
        for name in _REFERENCES[kind.name]
        if values.get(name) is not None
    }
    return {**values, **named} if named else values


def merge_records(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """Merge a record into another of its kind, which then stands for both.

    What both say and differs is contested on the survivor until a person resolves it. What
    belongs to the merged record belongs to the survivor from now on, and lives with it.
    """
    into = sheet.get(deed.mutation.args["into"])
    if into is None:
        return Verdict(
            outcome=Outcome.HELD, code=Code.UNKNOWN_PARENT, field="into", rev=record.rev
        )
    survivor = survivor_of(sheet, into)
    refused = _refusal(record, survivor)
    if refused is not None:
        return refused
    sets = carried_elements(survivor, EMPTY, record.sets)
    after = sheet.revise(
        survivor,
        deed,
        cells=carried_cells(survivor, EMPTY, record.fields),
        sets=joined(survivor.sets, sets) if sets else None,
        values=_times(record, survivor),
    )
    for record_id in sheet.family.below(record.id):
        _hand_over(sheet, record_id, deed, merged=record, survivor=after)
    merged = sheet.revise(
        record, deed, values={"merged_into": after.id}, status=_ended(record, deed)
    )
    keep_act(sheet, after, deed, counted=True, result=deed.mutation.args["text"])
    verdict = Verdict(outcome=Outcome.APPLIED, rev=merged.rev)
    return _contested(verdict, after, CARRIED[after.kind] & record.fields.keys())


def _refusal(record: Record, survivor: Record) -> Verdict | None:
    """Why a record is not merged into another, None if it may be."""
    if survivor.kind != record.kind:
        return _invalid(Code.KIND_MISMATCH, record)
    if survivor.id == record.id:
        return _invalid(Code.BAD_VALUE, record)
    if is_erased(survivor):
        return _recorded(Code.ERASED, record)
    if restricted_for(survivor):
        return _recorded(Code.RESTRICTED, record)
    if is_archived(survivor) or not _undecided(record, survivor):
        return _recorded(Code.WRONG_STATE, record)
    return None


def _undecided(record: Record, survivor: Record) -> bool:
    """Say whether two incidents stand where it may turn out that they are one."""
    if record.status is None:
        return True
    return record.status.state in _UNDECIDED and not is_over(survivor)


def _invalid(code: Code, record: Record) -> Verdict:
    return Verdict(outcome=Outcome.INVALID, code=code, field="into", rev=record.rev)


def _recorded(code: Code, record: Record) -> Verdict:
    return Verdict(outcome=Outcome.RECORDED, code=code, rev=record.rev)


def _times(record: Record, survivor: Record) -> Mapping[str, Any]:
    """What was observed twice was observed by the first, and verified by the last."""
    one, other = (live_value(each, "observed_at_ms") for each in (record, survivor))
    if one is not None and (other is None or one < other):
        return {"observed_at_ms": one}
    one, other = (live_value(each, "last_verified_ms") for each in (record, survivor))
    if one is not None and (other is None or one > other):
        return {"last_verified_ms": one}
    return EMPTY


def _ended(record: Record, deed: Deed) -> Status | None:
    if record.kind != INCIDENT or record.status is None:
        return None
    return advance(record.status, "merged", deed.credit)


def _hand_over(
    sheet: Sheet, record_id: str, deed: Deed, *, merged: Record, survivor: Record
) -> None:
    """Let what belonged to a merged record belong to the survivor, and live with it."""
    record = sheet.get(record_id)
    if record is None or is_tombstone(record):
        return
    if merged_into(record) == merged.id:
        sheet.revise(record, deed, values={"merged_into": survivor.id})
        return
    values = {LEADERS[record.kind]: survivor.id}
    moves = record.bucket == merged.bucket != survivor.bucket
    grid = grid_in(survivor.bucket)
    if moves and grid is not None:
        values["grid"] = grid
    sheet.revise(record, deed, values=values, bucket=survivor.bucket if moves else None)


def act_on_merged(sheet: Sheet, record: Record, deed: Deed, name: str) -> Verdict:
    """Decide an act about a merged record: only what asks for erasing goes on to the survivor.

    Every other act is a console's decision about a record that it no longer sees.
    """
    survivor = survivor_of(sheet, record)
    if name == ERASE:
        erase_with_all_below(sheet, survivor, deed)
        return Verdict(outcome=Outcome.APPLIED, rev=survivor.rev + 1, ended_at=survivor.id)
    if name == MERGE and stands_for(sheet, deed.mutation.args["into"]) == survivor.id:
        return Verdict(outcome=Outcome.UNCHANGED, rev=survivor.rev, ended_at=survivor.id)
    return replace(_recorded(Code.RECORD_MERGED, survivor), ended_at=survivor.id)


def edit_merged(sheet: Sheet, record: Record, values: Mapping[str, Any], deed: Deed) -> Verdict:
    """Merge an edit of a merged record where it was merged into.

    The merged record's own revision stays: nobody will see a later one, and what is written
    counts as unseen by everybody who saw the record.
    """
    mutation = deed.mutation
    survivor = survivor_of(sheet, record)
    said = {name: each for name, each in values.items() if name in CARRIED[record.kind]}
    stamp = deed.stamp(rev=record.rev + 1, base=mutation.base)
    own = changed_cells(record, said, stamp)
    own_sets = changed_elements(record, mutation, stamp)
    if not own and not own_sets:
        return Verdict(outcome=Outcome.UNCHANGED, rev=survivor.rev, ended_at=survivor.id)
    cells = carried_cells(survivor, record.fields, own)
    sets = carried_elements(survivor, record.sets, own_sets)
    sheet.create(
        replace(
            record,
            fields=overlay(record.fields, own),
            sets=joined(record.sets, own_sets) if own_sets else record.sets,
        )
    )
    after = sheet.revise(
        survivor,
        deed,
        cells=cells,
        sets=joined(survivor.sets, sets) if sets else None,
    )
    return _met(survivor, after, cells, sets)


def _met(
    before: Record,
    after: Record,
    cells: Mapping[str, Cell],
    sets: Mapping[str, Mapping[str, Cell]],
) -> Verdict:
    """Say how an edit of a merged record met what is said of the survivor."""
    rules = rules_of(after.kind)
    verdict = Verdict(
        outcome=Outcome.MERGED, code=Code.RECORD_MERGED, rev=after.rev, ended_at=after.id
    )
    verdict = _contested(verdict, after, cells)
    if verdict.outcome is Outcome.MERGED and looks_the_same(before, cells, sets, rules):
        return replace(verdict, outcome=Outcome.UNCHANGED, code=None)
    return verdict


def _contested(verdict: Verdict, after: Record, names: Iterable[str]) -> Verdict:
    """Say that values differ, if they do in one of the fields that changed."""
    rules = rules_of(after.kind)
    for name in sorted(names):
        if contested_values(after.fields[name], rules[name]):
            return replace(
                verdict, outcome=Outcome.CONFLICT, code=Code.VALUES_DIFFER, field=name
            )
    return verdict
