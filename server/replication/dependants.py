"""Load what belongs to the records that a console's batch may move or erase: it follows.

Only consoles do that, so a phone's push asks nothing here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from server.problems import TooManyDependants
from server.replication import dependant_queries
from sync.fields import is_id
from sync.lifecycle import ERASE, LIFT, MERGE, MOVE, RESOLVE, RESTRICT
from sync.mutation import Malformed, Mutation
from sync.record import Record
from sync.state import merged_into

DEPENDANTS_MAX = 5_000
DEPTH_MAX = 8


def moved_by(batch: Iterable[Mutation | Malformed]) -> list[str]:
    """The records that a console may move, erase, or merge into others with what is below."""
    moving = [each for each in batch if isinstance(each, Mutation) and _moves(each)]
    moved = {each.record for each in moving}
    if any(each.act == ERASE for each in moving):
        # What is merged and then erased in the same batch takes along what stands for it.
        moved |= {each.args["into"] for each in moving if is_id(each.args.get("into"))}
    return sorted(moved)


def _moves(mutation: Mutation) -> bool:
    if mutation.act is None:
        return mutation.base > 0 and "grid" in mutation.set
    return mutation.act in {"assign", ERASE, LIFT, MERGE, MOVE, RESTRICT} or (
        mutation.act == RESOLVE and mutation.args.get("field") == "grid"
    )


def with_survivors(record_id: str, records: Mapping[str, Record]) -> Iterator[str]:
    """A known record, and whatever stands for it: what asks to erase it erases that."""
    found = records.get(record_id)
    while found is not None:
        yield found.id
        into = merged_into(found)
        found = None if into is None else records.get(into)


def ids_below(
    db: Connection, leaders: Sequence[str], *, limit: int = DEPENDANTS_MAX
) -> frozenset[str]:
    """The ids of everything that belongs to `leaders`, directly or through others.

    Raises:
        TooManyDependants: if that is more than `limit`, or deeper than `DEPTH_MAX`.
    """
    found: set[str] = set()
    level = set(leaders)
    for _ in range(DEPTH_MAX):
        below = dependant_queries.ids_under(db, sorted(level), limit=limit + 1)
        level = below - found
        found |= level
        if len(found) > limit:
            raise TooManyDependants
        if not level:
            return frozenset(found)
    raise TooManyDependants
