"""What would move if a draft were published: found at once for all that lives on its ground."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection

from geo.changes import EditKind
from geo.lineage import Share, shares
from geo.preview import rebucket
from server.areas.scope import Scope
from server.boundaries import queries
from server.boundaries.examining import Case
from server.boundaries.queries import AnyRow, Bounds

MOVES_MAX = 20_000
"""How many dwellings and incidents one change moves at most."""


class Occupant(NamedTuple):
    """A dwelling or an open incident: where it belongs now, and where afterwards.

    `after` None: an orphan. `weight` is the number of its households, or of its open tasks.
    A named tuple, because a hundred thousand of them are made for one preview.
    """

    kind: str
    id: str
    rev: int
    before: str
    after: str | None
    weight: int
    ambiguous: bool

    @property
    def moves(self) -> bool:
        """Whether it goes to another grid."""
        return self.after is not None and self.after != self.before


class Amount(NamedTuple):
    """How many of one kind go one way, and their households or open tasks."""

    number: int
    weight: int


class Tally:
    """What goes from where to where: all a preview or a verdict says is read off this."""

    def __init__(self, occupants: Iterable[Occupant]) -> None:
        """Count occupants by kind and way, in one pass."""
        numbers: Counter[tuple[str, str, str | None]] = Counter()
        weights: Counter[tuple[str, str, str | None]] = Counter()
        for kind, _, _, before, after, weight, _ in occupants:
            way = kind, before, after
            numbers[way] += 1
            weights[way] += weight
        self.ways: Mapping[tuple[str, str, str | None], Amount] = {
            way: Amount(number, weights[way]) for way, number in numbers.items()
        }

    @property
    def orphans(self) -> int:
        """How many would be in no grid."""
        return sum(each.number for (_, _, after), each in self.ways.items() if after is None)

    @property
    def moving(self) -> int:
        """How many would go to another grid."""
        return sum(
            each.number
            for (_, before, after), each in self.ways.items()
            if after not in {None, before}
        )

    @property
    def publishable(self) -> bool:
        """Whether everything still has a grid, and no more moves than one change may move."""
        return self.orphans == 0 and self.moving <= MOVES_MAX

    def moved(self, kind: str) -> Amount:
        """How many of a kind would go to another grid."""
        ways = [
            each
            for (what, before, after), each in self.ways.items()
            if what == kind and after not in {None, before}
        ]
        return Amount(sum(each.number for each in ways), sum(each.weight for each in ways))


@dataclass(frozen=True, slots=True, kw_only=True)
class Residence:
    """The rows of all that lives on the ground of a draft, and households by dwelling."""

    dwellings: Sequence[AnyRow]
    households: Mapping[str, int]
    incidents: Sequence[AnyRow]


def residence_of(db: Connection, scope: Scope, case: Case) -> Residence:
    """Load what lives in the grids that are taken, or lies where new ones are created."""
    taken, created = case.content.taken, _created(case)
    return Residence(
        dwellings=queries.dwellings_on(db, scope, taken, created),
        households=queries.households_on(db, scope, taken, created),
        incidents=queries.open_incidents_on(db, scope, taken, created),
    )


def _created(case: Case) -> Bounds | None:
    """The bounding box of ground that no grid had, None without."""
    drawn = [
        each.boundary
        for edit in case.content.edits
        if edit.kind is EditKind.CREATE
        for each in edit.gives
    ]
    if not drawn:
        return None
    west, south, east, north = shapely.total_bounds(drawn).tolist()
    return west, south, east, north


def occupants_of(case: Case, residence: Residence) -> list[Occupant]:
    """Return where everything belongs afterwards: dwellings, then incidents.

    An incident without a place goes where most of its grid's ground went. What lies around a
    new grid and not in it is left out. Heavy: call it outside of the event loop.
    """
    homes = residence.households
    dwellings = _placed(
        case,
        "dwelling",
        residence.dwellings,
        [homes.get(row.id, 0) for row in residence.dwellings],
    )
    incidents = _placed(
        case, "incident", residence.incidents, [row.tasks for row in residence.incidents]
    )
    taken = case.proposal.taken
    everything = [*dwellings, *incidents]
    if _created(case) is None:
        return everything
    return [each for each in everything if each.before in taken or each.moves]


def _placed(
    case: Case, kind: str, rows: Sequence[AnyRow], weights: Sequence[int]
) -> Iterator[Occupant]:
    lons, lats = _points([row.wkb for row in rows])
    homes = [row.grid_id for row in rows]
    found = rebucket(
        case.proposal, homes, lons, lats, codes=dict(case.codes), edge_m=case.content.edge_m
    )
    after = list(found.grids)
    nowhere = np.flatnonzero(np.isnan(lons)).tolist()
    heirs = _heirs(case) if nowhere else {}
    for at in nowhere:
        after[at] = _without_place(homes[at], case.proposal.closed, heirs)
    if kind == "incident" and case.content.open_work == "keep":
        closed = case.proposal.closed
        after = [to if home in closed else home for home, to in zip(homes, after, strict=True)]
    return map(
        Occupant,
        repeat(kind),
        [row.id for row in rows],
        [row.rev for row in rows],
        homes,
        after,
        weights,
        found.ambiguous.tolist(),
    )


def _without_place(home: str, closed: frozenset[str], heirs: Mapping[str, str]) -> str | None:
    return heirs.get(home) if home in closed else home


def _points(wkb: Sequence[bytes | None]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of points, not a number where there is none."""
    points = shapely.from_wkb(np.array(wkb, dtype=object))
    return np.asarray(shapely.get_x(points)), np.asarray(shapely.get_y(points))


def _heirs(case: Case) -> dict[str, str]:
    """For each grid the one that got most of its ground; the lower id of two equal ones."""
    best: dict[str, Share] = {}
    for each in shares(case.proposal.taken, case.proposal.given):
        known = best.get(each.parent)
        if known is None or each.area_m2 > known.area_m2:
            best[each.parent] = each
    return {parent: each.child for parent, each in best.items()}
