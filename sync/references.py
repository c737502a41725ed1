"""Which records deciding a batch may need."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from sync.fields import Ref, is_id
from sync.ids import derived_id
from sync.kinds import KINDS
from sync.lifecycle import INCIDENT, acts_of
from sync.mutation import Mutation
from sync.record import Record
from sync.sheet import possible_ids
from sync.state import live_value, merged_into

_NO_RECORD = frozenset({"area", "user"})
_REFS = {
    kind.name: tuple(
        name
        for name, each in kind.fields.items()
        if isinstance(each.type, Ref) and each.type.kind not in _NO_RECORD
    )
    for kind in KINDS.values()
}

_MERGED = frozenset(kind.name for kind in KINDS.values() if "merged_into" in kind.fields)


def references(
    mutations: Iterable[Mutation], records: Mapping[str, Record], *, device: str = ""
) -> frozenset[str]:
    """Return the ids of the records that deciding a batch may need and `records` does not hold.

    They may exist or not. What is needed can depend on what is found, so a caller asks again
    with the records it found until nothing new is asked for. With the `device` of the batch the
    places of its claims are asked for too, which anybody could have taken.
    """
    batch = tuple(mutations)
    taken = records.keys() | {each.record for each in batch}
    needed = {
        each
        for mutation in batch
        for each in (*_needed(mutation, records), *_made(mutation, taken, device))
        if is_id(each)
    }
    return frozenset(needed - records.keys())


def _needed(mutation: Mutation, records: Mapping[str, Record]) -> Iterator[Any]:
    yield mutation.record
    yield from _standing_for(mutation.record, records)
    for name in _REFS.get(mutation.kind, ()):
        yield mutation.set.get(name)
        yield from _standing_for(mutation.set.get(name), records)
    if mutation.act is None:
        return
    yield mutation.args.get("into")
    yield from _standing_for(mutation.args.get("into"), records)
    yield mutation.args.get("to")
    yield from _standing_for(mutation.args.get("to"), records)
    yield mutation.args.get("task")
    yield mutation.args.get("grid")
    record = records.get(mutation.record)
    if record is None or record.status is None:
        return
    yield live_value(record, "task" if record.kind == INCIDENT else "incident")
    act = acts_of(record.kind).get(mutation.act)
    credit = None if act is None else record.status.reached.get(act.claims or "")
    if credit is not None:
        yield derived_id(credit.device, credit.n, "claim")


def _standing_for(record_id: Any, records: Mapping[str, Record]) -> Iterator[str]:
    """The record that one was merged into, and so on; only of what is known already."""
    record = records.get(record_id) if isinstance(record_id, str) else None
    while record is not None and record.kind in _MERGED:
        into = merged_into(record)
        if into is None:
            return
        yield into
        record = records.get(into)


def _made(mutation: Mutation, taken: Container[str], device: str) -> Iterator[str]:
    """The ids that a mutation's consequences may get, so that none is given twice."""
    if mutation.kind == "report":
        yield from possible_ids(taken, mutation.record, INCIDENT)
    if mutation.act is not None and device:
        yield from possible_ids(taken, device, mutation.n, "claim")
