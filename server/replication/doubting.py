"""Which positions of a phone seem to be labelled with a wrong datum.

Looked at is what puts something on the map: a new record of a kind that has a measured place.
Most positions lie in the grids of their author, which is one look into a mapping; only others
are measured.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from geo.datum import Datum
from geo.mislabel import OFFSET_M_MAX, proposed_datum
from server.identity.queries import AssignmentSpan, assignments_of_all
from server.replication.locating import E7, Lying, Published, place, published
from sync.kinds import KINDS
from sync.mutation import Malformed, Mutation, Position
from sync.wire_mutation import stored_mutation

Spans = Sequence[AssignmentSpan]
Proposals = Mapping[tuple[str, int], Datum]


def doubtful_in(
    db: Connection,
    lying: Lying,
    mutations: Iterable[Mutation | Malformed],
    *,
    holder: str | None,
    spans: Mapping[str, Spans],
) -> frozenset[int]:
    """Return the n of the mutations that would put something on the map at a doubtful place.

    `holder` is the account of the phone, whose assignments are among `spans`; None for a
    console, which is not asked. What somebody
    else did on it is measured from the grids of that account.
    """
    known, found = lying.published, set[int]()
    if known is None or holder is None:
        return frozenset()
    for each in mutations:
        if not isinstance(each, Mutation) or each.position is None or not _places(each):
            continue
        account = each.actor or holder
        held = spans.get(account)
        if held is None:
            held = assignments_of_all(db, [account])[account]
        if proposal(known, each.position, held) is not None:
            found.add(each.n)
    return frozenset(found)


def _places(mutation: Mutation) -> bool:
    kind = KINDS.get(mutation.kind)
    return mutation.act is None and kind is not None and "datum" in kind.fields


def proposal(known: Published, position: Position, spans: Spans) -> Datum | None:
    """Return the datum that a position seems to be in instead of the one it is labelled with.

    The ground of its author is every grid in force that was ever theirs: who was sent somewhere
    else last week is not asked about it.
    """
    is_own = _own(known, spans)
    labelled = place(known.index, position)
    if labelled.grid is not None and is_own(labelled.grid):
        return None

    def distance_m(lon: float, lat: float) -> float:
        return known.index.distance_m(lon, lat, is_own, reach_m=OFFSET_M_MAX)

    return proposed_datum(
        position.lon_e7 / E7, position.lat_e7 / E7, position.datum.value, distance_m
    )


def _own(known: Published, spans: Spans) -> Callable[[str], bool]:
    def is_own(grid: str) -> bool:
        number = known.area_nos[grid]
        return any(each.area.covers(number) for each in spans)

    return is_own


def proposed_for(
    db: Connection, doubted: Mapping[tuple[str, int], tuple[str, bytes]]
) -> Proposals:
    """For stored mutations, given by key as whose work and body, what they seem to be in.

    As boundaries and assignments are now: one that is in doubt no more is left out.
    """
    known = published(db)
    spans = assignments_of_all(db, {account for account, _ in doubted.values()})
    found: dict[tuple[str, int], Datum] = {}
    for key, (account, body) in doubted.items():
        position = stored_mutation(body).position
        datum = None if position is None else proposal(known, position, spans[account])
        if datum is not None:
            found[key] = datum
    return found
