"""The whole history folded again from nothing: what the records must be.

The write path merges as mutations arrive and keeps only records. This is the same rules over
the stored mutations in the order they were settled, with the judgements stored beside them
(corrected time, authority, place), which are never judged again. A store whose records differ
from the fold of its history has lost or invented something.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sync.decide import decide
from sync.dependants import Family
from sync.known import Author, Located
from sync.mutation import Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.release import REFUSE, Ruling, is_ruling, released, ruling_of, without_outdated
from sync.sheet import Deed, Sheet
from sync.state import is_erased, merged_into

_NOT_GRANTED = frozenset({Code.NOT_ASSIGNED, Code.UNKNOWN_PARENT})
_WAITING = frozenset({Outcome.HELD, Outcome.QUARANTINED})
_WITHOUT_EFFECT = frozenset({Outcome.HELD, Outcome.QUARANTINED, Outcome.INVALID, Outcome.RETRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One settled mutation with what was judged when it arrived.

    `author` is whose work it is: of an actor's mutation the actor, also while it waits. One
    that was `redacted`, because people were erased, makes less of its record than it did: then
    only `rev`, the revision it brought the record to, is certain.
    """

    author: Author
    mutation: Mutation
    at_ms: int
    quality: Quality
    outcome: Outcome
    code: Code | None = None
    located: Located | None = None
    rev: int = 0
    redacted: bool = False


@dataclass(slots=True)
class _Waiting:
    """A mutation without effect so far, and what its device said about its record since."""

    entry: Entry
    later: list[Mutation] = field(default_factory=list)


class _Queue:
    """What waits for a ruling, by `(device, n)` and by `(device, record)`."""

    def __init__(self) -> None:
        self._by_n: dict[tuple[str, int], _Waiting] = {}
        self._by_record: dict[tuple[str, str], dict[int, _Waiting]] = {}

    def put(self, entry: Entry) -> None:
        """Remember an entry that had no effect."""
        device, mutation = entry.author.device, entry.mutation
        waiting = _Waiting(entry)
        self._by_n[device, mutation.n] = waiting
        self._by_record.setdefault((device, mutation.record), {})[mutation.n] = waiting

    def take(self, ruling: Ruling) -> _Waiting | None:
        """Forget and return what a ruling is about."""
        found = self._by_n.pop((ruling.device, ruling.n), None)
        if found is not None:
            del self._by_record[ruling.device, found.entry.mutation.record][ruling.n]
        return found

    def note(self, entry: Entry) -> None:
        """Tell earlier mutations of a device about the same record of one that took effect."""
        mutation = entry.mutation
        same = self._by_record.get((entry.author.device, mutation.record), {})
        for n, waiting in same.items():
            if n < mutation.n:
                waiting.later.append(mutation)


def fold(history: Iterable[Entry]) -> dict[str, Record]:
    """Return every record that a history, in the order of settling, makes; by id.

    What waits for a person is remembered until a ruling cites it, and takes effect there.
    """
    records: dict[str, Record] = {}
    family = Family(records)
    queue = _Queue()
    for entry in history:
        if entry.outcome in _WITHOUT_EFFECT:
            if entry.outcome in _WAITING:
                queue.put(entry)
            continue
        effective, said = entry, entry
        if is_ruling(entry.author, entry.mutation):
            waiting = queue.take(ruling_of(entry.mutation))
            if waiting is None or entry.mutation.act == REFUSE:
                continue
            effective, said = _released(waiting, entry), waiting.entry
        changed = _folded(records, family, effective)
        if effective.redacted:
            changed = _as_counted(records, changed, effective)
        records.update(changed)
        family.note(changed.values())
        queue.note(said)
    return records


def _released(waiting: _Waiting, ruling: Entry) -> Entry:
    """What waited as it takes effect: its own author and time, the ruling's outcome."""
    mutation = released(waiting.entry.mutation, ruling.mutation)
    return replace(
        waiting.entry,
        mutation=without_outdated(mutation, waiting.later),
        outcome=ruling.outcome,
        code=ruling.code,
        located=ruling.located,
        rev=ruling.rev,
        redacted=waiting.entry.redacted,
    )


def _as_counted(
    records: Mapping[str, Record], changed: Mapping[str, Record], entry: Entry
) -> Mapping[str, Record]:
    """Give the record of a redacted mutation the revision that it had after the whole one.

    What was said of a record that had been merged by then counted where it was merged into.
    """
    record_id = _counted(records, entry.mutation.record)
    record = changed.get(record_id) or records.get(record_id)
    if record is None or record.rev >= entry.rev:
        return changed
    return {**changed, record_id: replace(record, rev=entry.rev)}


def _counted(records: Mapping[str, Record], record_id: str) -> str:
    record = records.get(record_id)
    if record is None or is_erased(record):
        return record_id
    into = merged_into(record)
    return record_id if into is None else _counted(records, into)


def _folded(
    records: Mapping[str, Record], family: Family, entry: Entry
) -> Mapping[str, Record]:
    sheet = Sheet(records, family)
    decide(
        sheet,
        Deed(
            author=entry.author,
            mutation=entry.mutation,
            at_ms=entry.at_ms,
            quality=entry.quality,
            located=entry.located,
            granted=entry.code not in _NOT_GRANTED,
        ),
    )
    return sheet.changed
