"""A proposal of nearly equal grids for a community, as the body of a draft.

Nothing is decided here: what comes out is drawn up, looked at and published like any other
change of boundaries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from geo.areas import LEVEL_COMMUNITY
from geo.errors import GeoError
from geo.geojson import LINEAR, Limits, dump_geometry, parse_geojson
from geo.partition import PARTS_MAX, partition
from geo.plots import Homes, plots_of
from server.areas.scope import Scope
from server.boundaries import queries
from server.boundaries.queries import AnyRow
from server.boundaries.schemas import ChangeDraft, PartBody, ProposalRequest
from server.grids.validation import unacceptable
from server.imports.queries import area_ids
from server.problems import InvalidBody, NotFound

BARRIERS_MAX, BARRIER_VERTICES_MAX = 500, 20_000
NUMBERS_MAX = 999
_BARRIERS = Limits(
    vertices_max=BARRIER_VERTICES_MAX, features_max=BARRIERS_MAX, geometry_types=LINEAR
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """A community as it is: its grids in force, its homes, and free codes in order."""

    area: AnyRow
    grids: Mapping[str, AnyRow]
    homes: Homes
    lived_in: Sequence[str]
    codes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """The draft, and how many households each of its grids would have, by code."""

    draft: ChangeDraft
    households: Mapping[str, int]
    deviation: float


def read_barriers(document: object) -> list[BaseGeometry]:
    """Return the lines of a GeoJSON document.

    Raises:
        InvalidBody: if it is none, or has others than lines, or too many.
    """
    try:
        features = parse_geojson(document, limits=_BARRIERS).features
    except GeoError as fault:
        raise unacceptable(fault, "/barriers") from None
    return [each.geometry for each in features if each.geometry is not None]


def quarter_of(db: Connection, scope: Scope, area_id: str) -> Quarter:
    """Load a community in scope.

    Raises:
        NotFound: if it is none, or not in scope.
    """
    found = queries.areas_named(db, scope, [area_id])
    if not found or found[0].level != LEVEL_COMMUNITY:
        raise NotFound
    area = found[0]
    grids = {row.id: row for row in queries.grids_of(db, [area.id])}
    counts = queries.households_on(db, scope, sorted(grids), None) if grids else {}
    placed = queries.dwellings_on(db, scope, sorted(grids), None) if grids else ()
    rows = [row for row in placed if counts.get(row.id, 0) > 0]
    points = shapely.from_wkb([row.wkb for row in rows])
    numbered = [f"{area.code}{number:03}" for number in range(1, NUMBERS_MAX + 1)]
    used = area_ids(db, numbered)
    return Quarter(
        area=area,
        grids=grids,
        homes=Homes(
            lons=shapely.get_x(points),
            lats=shapely.get_y(points),
            households=np.array([counts[row.id] for row in rows], dtype=np.int64),
        ),
        lived_in=[row.grid_id for row in rows],
        codes=[each for each in numbered if each not in used],
    )


def proposed(
    quarter: Quarter, body: ProposalRequest, barriers: Sequence[BaseGeometry]
) -> Proposed:
    """Cut a community into connected grids of about so many households. Heavy: not in a loop.

    Grids that are there are redrawn, each to the part that most of its households live in; what
    is left over is new, or retired. A single grid is split.

    Raises:
        InvalidBody: if nobody lives there, there are too many homes, or one grid is enough.
    """
    count = round(int(quarter.homes.households.sum()) / body.households)
    if not 1 <= count <= PARTS_MAX:
        raise InvalidBody.at(
            "/households", f"would make {count} grids; 1 to {PARTS_MAX} are possible"
        )
    if count == 1 and len(quarter.grids) <= 1:
        raise InvalidBody.at("/households", "one grid is enough for these households")
    ground = shapely.union_all([row.geom for row in quarter.grids.values()])
    try:
        plots = plots_of(ground, quarter.homes, barriers)
        found = partition(plots.places, count, seed=body.seed)
        shapes = [
            plots.boundary([at for at, part in enumerate(found.parts) if part == number])
            for number in range(len(found.weights))
        ]
    except GeoError as fault:
        raise unacceptable(fault) from None
    edits, codes = _Edits(quarter, shapes).drawn()
    return Proposed(
        draft=ChangeDraft.model_validate(
            {"reason": body.reason, "edits": edits, "tolerance_m2": body.tolerance_m2}
        ),
        households=dict(zip(codes, found.weights, strict=True)),
        deviation=found.deviation,
    )


class _Edits:
    """The edits that turn the grids of a community into other shapes."""

    def __init__(self, quarter: Quarter, shapes: Sequence[BaseGeometry]) -> None:
        self.quarter = quarter
        self.shapes = shapes
        self.free = iter(quarter.codes)

    def drawn(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The edits, and the code of the grid that each shape becomes, in order."""
        order = self._reading_order()
        if len(self.quarter.grids) == 1:
            return self._split(order)
        kept = self._kept()
        codes = [""] * len(self.shapes)
        edits: list[dict[str, Any]] = []
        for at in order:
            if at in kept:
                codes[at] = self.quarter.grids[kept[at]].code
                shape = dump_geometry(self.shapes[at])
                edits.append({"edit": "redraw", "grid": kept[at], "boundary": shape})
            else:
                new = self._new(at)
                codes[at] = new["code"]
                community = self.quarter.area.id
                edits.append({"edit": "create", "community": community, "grid": new})
        gone = sorted(self.quarter.grids.keys() - set(kept.values()))
        edits += [{"edit": "retire", "grid": grid} for grid in gone]
        return edits, codes

    def _split(self, order: Sequence[int]) -> tuple[list[dict[str, Any]], list[str]]:
        """The only grid becomes several, and its workers hold them all at first."""
        (grid,) = self.quarter.grids
        new = {at: self._new(at) for at in order}
        into = [new[at] for at in order]
        edit = {"edit": "split", "grid": grid, "into": into}
        return [edit], [new[at]["code"] for at in range(len(self.shapes))]

    def _reading_order(self) -> list[int]:
        """From north to south, in a row of about the same latitude from west to east."""
        centres = [shapely.centroid(each) for each in self.shapes]
        return sorted(
            range(len(centres)), key=lambda at: (-round(centres[at].y, 3), centres[at].x)
        )

    def _new(self, at: int) -> dict[str, Any]:
        code = next(self.free, None)
        if code is None:
            raise InvalidBody.at("", f"the community has used its {NUMBERS_MAX} numbers")
        shape = dump_geometry(self.shapes[at])
        return {"code": code, "name": code, "boundary": shape}

    def _kept(self) -> dict[int, str]:
        """For shapes, the grid that is redrawn to each: the one with most households in it."""
        homes = self.quarter.homes
        shared: dict[tuple[int, str], int] = {}
        tree = shapely.STRtree(list(self.shapes))
        inside, shape = tree.query(
            shapely.points(homes.lons, homes.lats), predicate="intersects"
        )
        for home, at in zip(inside.tolist(), shape.tolist(), strict=True):
            key = (at, self.quarter.lived_in[home])
            shared[key] = shared.get(key, 0) + int(homes.households[home])
        kept: dict[int, str] = {}
        for at, grid in sorted(shared, key=lambda key: (-shared[key], key)):
            if at not in kept and grid not in kept.values():
                kept[at] = grid
        return kept


def parts_told(proposal: Proposed, *, counts: bool) -> list[PartBody]:
    """The grids of a proposal by code, with their households if `counts`."""
    return [
        PartBody(code=code, households=households if counts else None)
        for code, households in sorted(proposal.households.items())
    ]
