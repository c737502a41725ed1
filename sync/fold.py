"""The whole history folded again from nothing: what the records must be.

The write path merges as mutations arrive and keeps only records. This is the same rules over
the stored mutations in the order they were settled, with the judgements stored beside them
(corrected time, authority, place), which are never judged again. A store whose records differ
from the fold of its history has lost or invented something.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sync.decide import decide
from sync.known import Author, Located
from sync.mutation import Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.sheet import Deed, Sheet

_NOT_GRANTED = frozenset({Code.NOT_ASSIGNED, Code.UNKNOWN_PARENT})
_WITHOUT_EFFECT = frozenset({Outcome.HELD, Outcome.QUARANTINED, Outcome.INVALID, Outcome.RETRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One settled mutation with what was judged when it arrived."""

    author: Author
    mutation: Mutation
    at_ms: int
    quality: Quality
    outcome: Outcome
    code: Code | None = None
    located: Located | None = None


def fold(history: Iterable[Entry]) -> dict[str, Record]:
    """Return every record that a history, in the order of settling, makes; by id."""
    records: dict[str, Record] = {}
    for entry in history:
        if entry.outcome in _WITHOUT_EFFECT:
            continue
        sheet = Sheet(records)
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
        records.update(sheet.changed)
    return records
