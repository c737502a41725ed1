"""Erasing people: what of a record and of a mutation may stay when its content must go.

Ids stay, and with them what they link; so do the bare facts of `sync.state.KEPT_FACTS`.
Everything else goes, from the records and from what was asked about them. What was asked keeps
its place, author, time and outcome, and folds to the same tombstone (`sync.fold`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from sync.canonical import canonical
from sync.errors import ProtocolError
from sync.fields import Choice, Ref, Text, is_id
from sync.kinds import KINDS, Kind
from sync.lifecycle import RESOLVE, acts_of
from sync.merge import head_of
from sync.mutation import EMPTY, SCHEMA, Mutation
from sync.record import Cell, Record
from sync.sheet import Deed, Sheet
from sync.state import KEPT_FACTS, is_erased
from sync.wire_mutation import sealed, written_mutation

ERASED_TEXT: Final = "-"
"""Stands where a text is required."""
_NOTHING: Final[frozenset[str]] = frozenset()
_RULING: Final = frozenset({"device", "n", "why"})
_RULINGS: Final = frozenset({"release", "refuse"})


def keeps(kind: Kind, name: str) -> bool:
    """Say whether a field of a kind stays when the people it is about are erased."""
    links = isinstance(kind.fields[name].type, Ref)
    return links or name in KEPT_FACTS.get(kind.name, _NOTHING)


def without_people(record: Record, deed: Deed) -> Record:
    """Return the next revision of a record: ids and bare facts, and that it is erased."""
    kind = KINDS[record.kind]
    kept = {name: cell for name, cell in record.fields.items() if keeps(kind, name)}
    return replace(
        record,
        rev=record.rev + 1,
        fields=kept | {"erased": erased_cell(deed, rev=record.rev + 1)},
        sets=EMPTY,
        run_device=deed.author.device,
        run_from=record.rev,
    )


def erased_cell(deed: Deed, *, rev: int) -> Cell:
    """Return the value that says that a record is erased."""
    return Cell(heads=(head_of(value=True, stamp=deed.stamp(rev=rev, base=rev - 1)),))


def erase_with_all_below(sheet: Sheet, record: Record, deed: Deed) -> None:
    """Erase a record and everything that belongs to it, directly or through others."""
    ids = [record.id]
    for record_id in ids:
        each = sheet.get(record_id)
        if each is not None and not is_erased(each):
            sheet.create(without_people(each, deed))
            ids += sheet.family.below(record_id)


def spoken_of(mutation: Mutation) -> Iterator[str]:
    """Yield the ids of the records that a mutation is about: its own, and those it names."""
    yield mutation.record
    kind = KINDS.get(mutation.kind)
    for name, value in mutation.set.items():
        field = None if kind is None else kind.fields.get(name)
        if field is not None and isinstance(field.type, Ref) and is_id(value):
            yield value


def named_in(body: bytes) -> frozenset[str]:
    """Return the ids that a stored body is about; of one not understood every text in it."""
    try:
        mutation = written_mutation(body)
    except ProtocolError:
        return frozenset(_texts(json.loads(body)))
    if mutation.schema > SCHEMA:
        return frozenset(_texts(json.loads(body)))
    return frozenset(spoken_of(mutation))


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def redacted(mutation: Mutation) -> Mutation:
    """Return a mutation without what it says of people; doing it again changes nothing.

    `body` is left as it is: the caller seals what it needs.
    """
    kind = KINDS.get(mutation.kind)
    act = mutation.act
    if kind is None or not (act is None or act in acts_of(kind.name) or act in _RULINGS):
        return replace(
            mutation,
            set=EMPTY,
            add=EMPTY,
            remove=EMPTY,
            act=None,
            args=EMPTY,
            position=None,
            why=None,
        )
    return replace(
        mutation,
        set=_values(kind, mutation.set),
        add=EMPTY,
        remove=EMPTY,
        args=EMPTY if act is None else _arguments(kind, act, mutation.args),
        position=None,
        why=None,
    )


def redacted_body(body: bytes) -> bytes:
    """Return a stored body without what it says of people; of an unreadable one only its n."""
    try:
        mutation = written_mutation(body)
    except ProtocolError:
        return canonical({"n": json.loads(body)["n"]})
    return sealed(redacted(mutation)).body


def _values(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: kept
        for name, value in values.items()
        if (kept := _value(kind, name, value)) is not None
    }


def _value(kind: Kind, name: str, value: Any) -> Any:
    field = kind.fields.get(name)
    if field is None:
        return None
    if keeps(kind, name):
        return value if field.type.fault(value) is None else None
    return ERASED_TEXT if field.required and isinstance(field.type, Text) else None


def _arguments(kind: Kind, act: str, args: Mapping[str, Any]) -> dict[str, Any]:
    if act in _RULINGS:
        return {name: value for name, value in args.items() if name in _RULING}
    if act == RESOLVE:
        name = args.get("field")
        if not isinstance(name, str) or name not in kind.fields:
            return {"field": ERASED_TEXT, "value": None}
        return {"field": name, "value": _value(kind, name, args.get("value"))}
    declared = acts_of(kind.name)[act]
    kept: dict[str, Any] = {}
    for name, value in args.items():
        type_ = declared.args.get(name)
        if isinstance(type_, (Ref, Choice)) and type_.fault(value) is None:
            kept[name] = value
        elif name in declared.required and isinstance(type_, Text):
            kept[name] = ERASED_TEXT
    return kept
