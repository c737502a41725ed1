"""Which records leave the phones by date, though nobody put them away (protocol section 5).

What is over leaves some days later: casework after it ended, a visit after it was made, an
announcement at its own date. What belongs to it goes with it. The registry stays. Leaving
changes nothing of a record: it is in no feed any more, that is all.
"""

from collections.abc import Mapping
from typing import Final

from sync.lifecycle import TERMINAL
from sync.record import Record
from sync.state import is_away, is_tombstone, live_value, restricted_for

_MOMENTS: Final[Mapping[str, str]] = {
    "visit": "visited_at_ms",
    "announcement": "valid_until_ms",
}
FOLLOWING: Final = frozenset({"task", "report", "note", "claim"})
"""What leaves with the record that it belongs to."""
DATED: Final = frozenset({*TERMINAL, *_MOMENTS})
"""What may leave by itself."""


def in_feeds(record: Record) -> bool:
    """Say whether a record belongs on phones by what it says.

    That is, if it was not put away, merged or erased, and nobody asked that it is not used.

    One for which that holds and which no feed has, left by date.
    """
    return not (is_away(record) or is_tombstone(record) or restricted_for(record))


def over_since(record: Record) -> int | None:
    """Return the moment from which on a record is over, None if it is not, or never will be.

    The moment of an announcement may be still to come.
    """
    moment = _MOMENTS.get(record.kind)
    if moment is not None:
        since: int | None = live_value(record, moment)
        return since
    status = record.status
    if status is None or status.state not in TERMINAL[record.kind]:
        return None
    return status.at_ms


def is_over(record: Record, now_ms: int) -> bool:
    """Say whether a record is over at a moment."""
    since = over_since(record)
    return since is not None and since <= now_ms


def may_have_left(record: Record) -> bool:
    """Say whether a record that belongs on phones may be on none of them."""
    return record.kind in FOLLOWING or over_since(record) is not None


def stays_hidden(record: Record, now_ms: int) -> bool:
    """Say whether a record that left by date still has no place on phones after a change.

    Casework that is opened anew comes back, and so does an announcement whose date is moved.
    """
    return record.kind not in DATED or is_over(record, now_ms)
