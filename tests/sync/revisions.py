"""What an answer says of revisions: it names the one that stands."""

from collections.abc import Iterator

from sync.known import Plan, Settled
from sync.mutation import Malformed, Mutation
from sync.outcome import Code, Outcome
from sync.record import Head, Record
from sync.state import merged_into

UNTOLD = frozenset(
    {
        Code.UNKNOWN_RECORD,
        Code.SERVER_FAULT,
        Code.GROUP_TOO_LARGE,
        Code.GROUP_CUT,
        Code.OLDER_SCHEMA,
        Code.NEWER_SCHEMA,
    }
)
"""Whoever is told this is not told which revision the record has."""


def check_revisions(
    device: str,
    only: Mutation | Malformed,
    plan: Plan,
    now: Record | None,
    *,
    stranger: bool,
) -> None:
    """Check the plan of a push of one mutation, whose record is `now` after it.

    A stranger is told of no revision unless the record is the own one.
    """
    (answer,) = plan.settled
    told = 0 if now is None or _is_untold(answer) else now.rev
    assert answer.rev == told or (stranger and answer.rev == 0)
    for record in plan.writes.values():
        own = {each.rev for each in _heads(record) if (each.device, each.n) == (device, only.n)}
        # What is said of a merged record later counts as unseen by all who saw it.
        later = 0 if merged_into(record) is None else 1
        assert own <= {record.rev, record.rev + later}


def _is_untold(answer: Settled) -> bool:
    return answer.outcome is Outcome.QUARANTINED or answer.code in UNTOLD


def _heads(record: Record) -> Iterator[Head]:
    for cell in record.fields.values():
        yield from cell.heads
    for elements in record.sets.values():
        for cell in elements.values():
            yield from cell.heads
