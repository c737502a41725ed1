"""What must be stored of a record: derived from its truth by the rules of the write path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from server.replication.projections import projection_row
from sync.canonical import record_body, record_hash
from sync.leaving import in_feeds, may_have_left
from sync.record import Record
from sync.state import is_tombstone, state_of

UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a truth raises that the write path did not write."""
_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What follows from one record; `there` says whether its bucket's feed should hold it.

    `may_have_left` says that the feed may do without it all the same: it may have left by date.
    `typed` is its row without the two times, None if it was erased and has none.
    """

    record: Record
    body: bytes
    hash: str
    there: bool
    may_have_left: bool
    typed: Mapping[str, Any] | None


def derive(record: Record, area_no: int) -> Derived:
    """Derive everything that the write path stores of a record.

    Raises:
        UNREADABLE: any of these, if the record is not one that the write path made.
    """
    state = state_of(record)
    body = record_body(record.id, record.kind, record.rev, state)
    erased = is_tombstone(record)
    return Derived(
        record=record,
        body=body,
        hash=record_hash(body),
        there=in_feeds(record),
        may_have_left=may_have_left(record),
        typed=None if erased else projection_row(record, state, area_no=area_no),
    )


def octets(value: Any) -> bytes:
    """The stored bytes; empty if a hand put something else there, as SQLite lets it."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def wrong_columns(
    typed: Mapping[str, Any] | None, found: Mapping[Any, Any] | None
) -> Iterator[str]:
    """What is wrong with a typed row: `missing`, `left over`, or the names of columns."""
    if typed is None:
        if found is not None:
            yield "left over"
    elif found is None:
        yield "missing"
    else:
        yield from (name for name, value in typed.items() if found.get(name, _ABSENT) != value)
