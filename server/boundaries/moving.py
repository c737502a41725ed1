"""What would move if a draft were published: found at once for all that lives on its ground."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """A dwelling or an open incident: where it belongs now, and where afterwards.

    `after` None: an orphan. `weight` is the number of its households, or of its open tasks.
    """

    id: str
    kind: str
    rev: int
    before: str
    after: str | None
    weight: int
    ambiguous: bool

    @property
    def moves(self) -> bool:
        """Whether it goes to another grid."""
        return self.after is not None and self.after != self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether so much may be moved at once, and whether everything still has a grid."""

    orphans: int
    moving: int

    @classmethod
    def of(cls, occupants: Iterable[Occupant]) -> "Verdict":
        """Count what would move and what would be in no grid."""
        listed = list(occupants)
        return cls(
            orphans=sum(each.after is None for each in listed),
            moving=sum(each.moves for each in listed),
        )

    @property
    def publishable(self) -> bool:
        """Whether the limits allow it."""
        return self.orphans == 0 and self.moving <= MOVES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Residence:
    """The rows of all that lives on the ground of a draft."""

    dwellings: Sequence[AnyRow]
    incidents: Sequence[AnyRow]


def residence_of(db: Connection, scope: Scope, case: Case) -> Residence:
    """Load what lives in the grids that are taken, or lies where new ones are created."""
    taken, created = case.content.taken, _created(case)
    return Residence(
        dwellings=queries.dwellings_on(db, scope, taken, created),
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
    """Return where everything belongs afterwards: dwellings by id, then incidents by id.

    An incident without a place goes where most of its grid's ground went. What lies around a
    new grid and not in it is left out. Heavy: call it outside of the event loop.
    """
    heirs = _heirs(shares(case.proposal.taken, case.proposal.given))
    dwellings = _placed(case, "dwelling", residence.dwellings, heirs)
    incidents = _placed(case, "incident", residence.incidents, heirs)
    taken = case.proposal.taken
    return [each for each in (*dwellings, *incidents) if each.before in taken or each.moves]


def _placed(
    case: Case, kind: str, rows: Sequence[AnyRow], heirs: Mapping[str, str]
) -> list[Occupant]:
    lons, lats = _points([row.wkb for row in rows])
    found = rebucket(
        case.proposal,
        [row.grid_id for row in rows],
        lons,
        lats,
        codes=dict(case.codes),
        edge_m=case.content.edge_m,
    )
    keeps = kind == "incident" and case.content.open_work == "keep"
    closed = case.proposal.closed
    made = []
    placed = np.isfinite(lons).tolist()
    for row, after, near, has_place in zip(
        rows, found.grids, found.ambiguous.tolist(), placed, strict=True
    ):
        to = after if has_place else _without_place(row.grid_id, closed, heirs)
        made.append(
            Occupant(
                id=row.id,
                kind=kind,
                rev=row.rev,
                before=row.grid_id,
                after=row.grid_id if keeps and row.grid_id not in closed else to,
                weight=row.households if kind == "dwelling" else row.tasks,
                ambiguous=near,
            )
        )
    return made


def _without_place(home: str, closed: frozenset[str], heirs: Mapping[str, str]) -> str | None:
    return heirs.get(home) if home in closed else home


def _points(wkb: Sequence[bytes | None]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of points, not a number where there is none."""
    points = shapely.from_wkb(np.array(wkb, dtype=object))
    return np.asarray(shapely.get_x(points)), np.asarray(shapely.get_y(points))


def _heirs(found: Sequence[Share]) -> dict[str, str]:
    """For each grid the one that got most of its ground; the lower id of two equal ones."""
    best: dict[str, Share] = {}
    for each in found:
        known = best.get(each.parent)
        if known is None or each.area_m2 > known.area_m2:
            best[each.parent] = each
    return {parent: each.child for parent, each in best.items()}
