"""What the model server says of one mutation, and of one record that left a bucket."""

from sync.exchange import Gone, WireOutcome
from sync.known import Settled


def gone(record: str, to: str) -> Gone:
    """A record that went to another bucket, whose name has a colon, or became another one."""
    if ":" in to:
        return Gone(record=record, why="moved", to=to)
    return Gone(record=record, why="archived", merged_into=to)


def wire_outcome(settled: Settled) -> WireOutcome:
    """One outcome as a reply carries it."""
    return WireOutcome(
        n=settled.n,
        outcome=settled.outcome,
        record=settled.ended_at or settled.record or None,
        rev=settled.rev,
        code=settled.code,
        detail=settled.field,
        replayed=settled.replayed,
    )
