"""One mutation is decided: what becomes of it, and of the records it touches."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sync.alias import (
    act_on_merged,
    edit_merged,
    merge_records,
    stands_for,
    survivor_of,
    with_survivors,
)
from sync.check import check
from sync.claims import claim_task, keep_act
from sync.decisions import decide_act
from sync.edits import changed_cells, changed_elements, joined, looks_the_same
from sync.erased import after_erasure, create_under_erased, erase, erase_unknown
from sync.facts import (
    bucket_after,
    bucket_of_new,
    bucket_under,
    derived_values,
    new_record,
    parent_of,
)
from sync.kinds import KINDS, Home, Kind
from sync.lifecycle import (
    ARCHIVE,
    ERASE,
    INCIDENT,
    LIFT,
    MERGE,
    MOVE,
    RESOLVE,
    RESTORE,
    RESTRICT,
    TASK,
    acts_of,
    begin,
)
from sync.merge import accept, contested_values
from sync.moving import move_home
from sync.mutation import EMPTY, Mutation
from sync.outcome import Code, Outcome
from sync.record import Cell, Record
from sync.restricting import (
    lift_with_all_below,
    restrict_with_all_below,
    written_for,
)
from sync.sheet import Deed, Sheet, Verdict, is_over, met_nobody
from sync.state import (
    KEPT_FACTS,
    is_archived,
    is_erased,
    live_value,
    merged_into,
    restricted_for,
    rules_of,
)
from sync.verifying import note_verified

_REPORT = "report"
_Decider = Callable[[Sheet, Record, Deed], Verdict]
_REQUIRED: Final = {
    kind.name: tuple(name for name, each in kind.fields.items() if each.required)
    for kind in KINDS.values()
}
_LOCKED: Final = {
    (kind.name, console): frozenset(
        name
        for name, each in kind.fields.items()
        if each.immutable or (name == "grid" and not console)
    )
    for kind in KINDS.values()
    for console in (False, True)
}


def decide(sheet: Sheet, deed: Deed) -> Verdict:
    """Decide one mutation; its effects are on `sheet` afterwards.

    The rules, in this order: what is wrong by itself is `invalid`; what needs a person is
    `held`; a fact that exists already or an act without effect is `recorded`; the rest merges.
    Who may not know of a record is told no revision of it.
    """
    record = sheet.get(deed.mutation.record)
    if record is None or deed.knows(record):
        return _decide(sheet, record, deed, known=True)
    return replace(_decide(sheet, record, deed, known=False), rev=0)


def _decide(sheet: Sheet, record: Record | None, deed: Deed, *, known: bool) -> Verdict:
    mutation = deed.mutation
    rev = 0 if record is None else record.rev
    fault = check(mutation, console=deed.author.console)
    if fault is not None:
        return _invalid(fault.code, fault.field, rev)
    if record is not None and is_erased(record):
        return after_erasure(record, mutation)
    if mutation.actor is not None and mutation.actor != deed.author.account:
        return _held(Code.UNKNOWN_ACTOR, rev, field="actor")
    if record is not None:
        return _change(sheet, record, deed, known=known)
    return _about_unknown(sheet, deed)


def _about_unknown(sheet: Sheet, deed: Deed) -> Verdict:
    mutation = deed.mutation
    if mutation.act == ERASE and mutation.kind not in KEPT_FACTS:
        return erase_unknown(sheet, deed)
    kind = KINDS[mutation.kind]
    named = parent_of(sheet, kind, deed)
    if named is not None and named[1] is not None and is_erased(named[1]):
        return create_under_erased(sheet, kind, deed, parent=named[1])
    if mutation.base > 0 or mutation.act is not None:
        return _held(Code.UNKNOWN_RECORD, 0)
    return _create(sheet, kind, deed)


def _invalid(code: Code, field: str, rev: int) -> Verdict:
    return Verdict(outcome=Outcome.INVALID, code=code, field=field, rev=rev)


def _held(code: Code, rev: int, *, field: str | None = None) -> Verdict:
    return Verdict(outcome=Outcome.HELD, code=code, field=field, rev=rev)


def _recorded(code: Code, rev: int, *, field: str | None = None) -> Verdict:
    return Verdict(outcome=Outcome.RECORDED, code=code, field=field, rev=rev)


def _change(sheet: Sheet, record: Record, deed: Deed, *, known: bool) -> Verdict:
    mutation = deed.mutation
    if not known and not _speaks_anyway(record, mutation):
        return _held(Code.UNKNOWN_RECORD, 0)
    if record.kind != mutation.kind:
        return _invalid(Code.KIND_MISMATCH, "kind", record.rev)
    if mutation.act is None and KINDS[record.kind].create_only:
        return _recorded(Code.ALREADY_EXISTS, record.rev)
    if mutation.base > record.rev:
        return _held(Code.BASE_FROM_FUTURE, record.rev)
    if mutation.act is None:
        return _edit(sheet, record, deed)
    return _act(sheet, record, deed, mutation.act)


def _speaks_anyway(record: Record, mutation: Mutation) -> bool:
    """Say whether a mutation states a fact, which is taken from anybody, about a record."""
    if record.kind != mutation.kind or mutation.base > record.rev:
        return False
    return mutation.act is not None or KINDS[record.kind].create_only


def _act(sheet: Sheet, record: Record, deed: Deed, name: str) -> Verdict:
    if merged_into(record) is not None:
        return act_on_merged(sheet, record, deed, name)
    if name in _OF_REQUESTS:
        return _OF_REQUESTS[name](sheet, record, deed)
    if restricted_for(record):
        return _recorded(Code.RESTRICTED, record.rev)
    if name in _OF_ANY:
        return _OF_ANY[name](sheet, record, deed)
    if record.status is None:
        return _recorded(Code.WRONG_STATE, record.rev)
    if acts_of(record.kind)[name].claims is None:
        return decide_act(sheet, record, record.status, deed)
    return claim_task(sheet, record, record.status, deed)


_OF_REQUESTS: Final[Mapping[str, _Decider]] = {
    ERASE: erase,
    RESTRICT: restrict_with_all_below,
    LIFT: lift_with_all_below,
}
"""What people may ask for, also of a record that nobody may use."""


def _shelve(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """Put a record away or bring it back; that it is away is a value like any other.

    It meets edits of the record in no field, so it does not matter which comes first. What is
    still being worked on is not put away.
    """
    archived = deed.mutation.act == ARCHIVE
    if archived and record.status is not None and not is_over(record):
        return _recorded(Code.WRONG_STATE, record.rev)
    rule = rules_of(record.kind)["archived"]
    stamp = deed.stamp(rev=record.rev + 1, base=deed.mutation.base)
    cell = accept(record.fields.get("archived"), archived or None, stamp, rule)
    if cell is None:
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    keep_act(sheet, record, deed, counted=True, result=deed.mutation.args["text"])
    return _merged(sheet, record, deed, cells={"archived": cell})


def _resolve(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """Choose the value of a contested field; what was contested stays in the history."""
    mutation = deed.mutation
    name, value = mutation.args["field"], mutation.args["value"]
    field = KINDS[record.kind].fields.get(name)
    if field is None:
        return _invalid(Code.UNKNOWN_FIELD, "field", record.rev)
    if field.required if value is None else field.type.fault(value) is not None:
        return _invalid(Code.BAD_VALUE, "value", record.rev)
    rule = rules_of(record.kind)[name]
    cell = record.fields.get(name)
    if cell is None or not contested_values(cell, rule):
        if live_value(record, name) == value:
            return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
        return _recorded(Code.WRONG_STATE, record.rev)
    stamp = deed.stamp(rev=record.rev + 1, base=mutation.base, decisive=True)
    cells = {name: accept(cell, value, stamp, rule) or cell}
    return _merged(sheet, record, deed, cells=cells)


_OF_ANY: Final[Mapping[str, _Decider]] = {
    MERGE: merge_records,
    MOVE: move_home,
    RESOLVE: _resolve,
    ARCHIVE: _shelve,
    RESTORE: _shelve,
}
"""What a console decides about a record whatever its state."""


def _why_it_waits(record: Record, deed: Deed) -> Code | None:
    """Why an edit of a record needs a person, None if it does not."""
    if not deed.may_write(record.bucket):
        return Code.NOT_IN_SCOPE
    return Code.RESTRICTED if restricted_for(record) else None


def _edit(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    mutation = deed.mutation
    values: Mapping[str, Any] = mutation.set
    locked = _LOCKED[record.kind, deed.author.console]
    if not locked.isdisjoint(values):
        for name in sorted(locked & values.keys()):
            if stands_for(sheet, values[name]) != live_value(record, name):
                return _invalid(Code.IMMUTABLE_FIELD, name, record.rev)
        values = {name: each for name, each in values.items() if name not in locked}
    waits = _why_it_waits(record, deed)
    if waits is not None:
        return _held(waits, record.rev)
    grid = values.get("grid")
    if grid is not None and sheet.of_kind(grid, "grid") is None:
        return _held(Code.UNKNOWN_PARENT, record.rev, field="grid")
    if merged_into(record) is not None:
        return edit_merged(sheet, record, values, deed)
    stamp = deed.stamp(rev=record.rev + 1, base=mutation.base)
    cells = changed_cells(record, values, stamp)
    sets = changed_elements(record, mutation, stamp)
    if not cells and not sets:
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    return _merged(sheet, record, deed, cells=cells, sets=sets)


def _merged(
    sheet: Sheet,
    record: Record,
    deed: Deed,
    *,
    cells: Mapping[str, Cell],
    sets: Mapping[str, Mapping[str, Cell]] = EMPTY,
) -> Verdict:
    """Write the merged cells and say how they met what was there."""
    base = deed.mutation.base
    rules = rules_of(record.kind)
    after = sheet.revise(
        record,
        deed,
        cells=cells,
        sets=joined(record.sets, sets) if sets else None,
        bucket=bucket_after(record, cells, rules),
    )
    for name in sorted(cells):
        if contested_values(cells[name], rules[name]):
            return Verdict(
                outcome=Outcome.CONFLICT, code=Code.VALUES_DIFFER, field=name, rev=after.rev
            )
    if base == record.rev:
        return Verdict(outcome=Outcome.APPLIED, rev=after.rev)
    if looks_the_same(record, cells, sets, rules):
        return Verdict(outcome=Outcome.UNCHANGED, rev=after.rev)
    if met_nobody(record, base, deed.author.device):
        return Verdict(outcome=Outcome.APPLIED, rev=after.rev)
    code = Code.ARCHIVED if is_archived(after) else None
    return Verdict(outcome=Outcome.MERGED, code=code, rev=after.rev)


def _create(sheet: Sheet, kind: Kind, deed: Deed) -> Verdict:
    given = deed.mutation.set
    if kind.name == TASK:
        return _invalid(Code.NOT_ALLOWED, "kind", 0)
    for name in _REQUIRED[kind.name]:
        if given.get(name) is None:
            return _invalid(Code.MISSING_FIELD, name, 0)
    if kind.parents and "grid" in given and not deed.author.console:
        return _invalid(Code.IMMUTABLE_FIELD, "grid", 0)
    bucket, missing = _place_new(sheet, kind, deed)
    if bucket is None:
        return _held(Code.UNKNOWN_PARENT, 0, field=missing)
    if not kind.create_only and not _may_begin(sheet, kind, deed, bucket=bucket):
        return _held(Code.NOT_IN_SCOPE, 0)
    return _begin(sheet, kind, deed, bucket=bucket)


def _begin(sheet: Sheet, kind: Kind, deed: Deed, *, bucket: str) -> Verdict:
    """Write a new record; under one that nobody may use only a fact begins, hidden with it."""
    over = _restriction_over(sheet, kind, deed)
    if over is not None and not kind.create_only:
        return _held(Code.RESTRICTED, 0)
    created = _write_new(sheet, kind, deed, bucket=bucket, restricted=over)
    if over is not None:
        return _recorded(Code.RESTRICTED, 1)
    incident = stands_for(sheet, deed.mutation.set.get("incident"))
    if incident is not None and live_value(created, "incident") != incident:
        return _recorded(Code.UNKNOWN_PARENT, 1, field="incident")
    return Verdict(outcome=Outcome.APPLIED, rev=1)


def _restriction_over(sheet: Sheet, kind: Kind, deed: Deed) -> str | None:
    """For which requests nobody may use the parent of a new record; None if anybody may."""
    _, parent = parent_of(sheet, kind, deed) or ("", None)
    if parent is None:
        return None
    return written_for(restricted_for(survivor_of(sheet, parent)))


def _place_new(sheet: Sheet, kind: Kind, deed: Deed) -> tuple[str | None, str]:
    """The bucket of a new record (None if what it names is unknown), and the field at fault.

    A parent that the author may not know of is one that does not exist: of a fact, too.
    """
    named = parent_of(sheet, kind, deed)
    if named is None:
        return bucket_of_new(sheet, kind, deed), "grid"
    field, parent = named
    if parent is None or not deed.knows(parent):
        return None, field
    return bucket_under(survivor_of(sheet, parent), deed), field


def _may_begin(sheet: Sheet, kind: Kind, deed: Deed, *, bucket: str) -> bool:
    """Say whether an author may make a record in a bucket, under the parent that was named.

    A parent that was merged meanwhile counts where its author saw it.
    """
    named = parent_of(sheet, kind, deed)
    parent = None if named is None else named[1]
    merged = parent is not None and merged_into(parent) is not None
    return deed.may_write(bucket) or (
        merged and parent is not None and deed.may_write(parent.bucket)
    )


def _write_new(
    sheet: Sheet, kind: Kind, deed: Deed, *, bucket: str, restricted: str | None
) -> Record:
    mutation = deed.mutation
    values = {**with_survivors(sheet, kind, mutation.set), **derived_values(kind, deed)}
    values["restricted"] = restricted
    if kind.home is Home.GRID:
        values.pop("grid", None)
    if kind.name == _REPORT:
        values["incident"] = _incident_of(sheet, values, deed, bucket=bucket)
    status = begin("reported", deed.credit) if kind.name == INCIDENT else None
    created = new_record(
        deed,
        kind.name,
        mutation.record,
        values,
        bucket=bucket,
        sets=mutation.add,
        status=status,
    )
    sheet.create(created)
    note_verified(sheet, created, deed)
    return created


def _incident_of(sheet: Sheet, values: Mapping[str, Any], deed: Deed, *, bucket: str) -> str:
    """Return the incident a report belongs to: the known one it names, else a new one."""
    named = sheet.of_kind(deed.mutation.set.get("incident"), INCIDENT)
    if named is not None and deed.knows(named):
        return survivor_of(sheet, named).id
    record_id = sheet.unused_id(deed.mutation.record, INCIDENT)
    said = {**values, "summary": values.get("text")}
    status = begin("reported", deed.credit)
    sheet.create(new_record(deed, INCIDENT, record_id, said, bucket=bucket, status=status))
    return record_id
