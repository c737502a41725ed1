"""Groups: neighbouring mutations of one device that are decided together, or not at all.

A group is a run of mutations that follow one another and carry the same `group` text. It comes
whole in one request; what continues a group that was settled before is held. A fact of a group
that fails is decided by itself, because facts are never refused.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sync.kinds import KINDS
from sync.lifecycle import acts_of
from sync.mutation import Malformed, Mutation
from sync.outcome import Outcome

GROUP_MAX = 100
FAILS: frozenset[Outcome] = frozenset({Outcome.HELD, Outcome.INVALID, Outcome.QUARANTINED})
"""An outcome of one member with which the whole group fails."""

Run = list[Mutation | Malformed]


def runs(batch: Iterable[Mutation | Malformed]) -> list[Run]:
    """Return the batch cut into groups; a mutation without `group` is a run of its own."""
    found: list[Run] = []
    for name, members in groupby(batch, key=lambda each: each.group):
        if name is None:
            found.extend([each] for each in members)
        else:
            found.append(list(members))
    return found


def parts(batch: Sequence[Mutation | Malformed], size: int) -> list[Run]:
    """Return the batch cut into parts of at most `size`, no group cut; always at least one.

    A group of more than `size` is a part by itself.
    """
    made: list[Run] = [[]]
    for run in runs(batch):
        if made[-1] and len(made[-1]) + len(run) > size:
            made.append([])
        made[-1].extend(run)
    return made


def is_fact(item: Mutation | Malformed) -> bool:
    """Say whether a mutation states something that happened: a record written once, a claim."""
    if isinstance(item, Malformed):
        return False
    if item.act is None:
        kind = KINDS.get(item.kind)
        return kind is not None and kind.create_only
    act = acts_of(item.kind).get(item.act)
    return act is not None and act.claims is not None
