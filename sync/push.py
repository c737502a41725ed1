"""A device's batch becomes a plan: what to store and what to answer. Pure, and never raises."""

from collections.abc import Iterable, Mapping, Sequence

from sync.known import Author, DeviceState, Interval, Known, Located, Plan, Settled
from sync.mutation import ClockReading, Malformed, Mutation
from sync.record import Record

__all__ = [
    "Author",
    "DeviceState",
    "Interval",
    "Known",
    "Located",
    "Plan",
    "Settled",
    "plan_push",
    "references",
]


def references(mutations: Iterable[Mutation], records: Mapping[str, Record]) -> frozenset[str]:
    """Return the ids of records a batch needs and that `records` does not hold."""
    return frozenset(each.record for each in mutations) - records.keys()


def plan_push(
    known: Known,
    batch: Sequence[Mutation | Malformed],
    *,
    author: Author,
    send: ClockReading | None,
    received_ms: int,
) -> Plan:
    """Decide a batch."""
    raise ValueError(known, batch, author, send, received_ms)
