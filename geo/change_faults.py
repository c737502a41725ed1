"""What is wrong with proposed boundaries: every fault with its size and its place on the map.

Only what the edits touch is examined: the grids they give and those around them. A fault that
was there before and that no edit comes near is not theirs. Nothing is repaired.

Faults up to the tolerance are told, and do not refuse the change: two borders drawn with the
same corners a centimetre apart share a few square decimetres. Retiring a grid so that its
ground belongs to nobody is told, and not refused when nobody takes any of it: that is what was
asked for. Ground that no grid had before is told too, and refused where it leaves the parent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from shapely import Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from geo.changes import Proposal
from geo.coverage import AREA_M2_NOISE, CoverageReport, check_coverage
from geo.errors import Position
from geo.measure import area_m2, metres_per_degree
from geo.polygon import place_in, polygonal


class FaultKind(StrEnum):
    """What can be wrong with a proposal."""

    INVALID = "invalid"
    OVERLAP = "overlap"
    GAP = "gap"
    OUTSIDE = "outside"
    NEW_GROUND = "new-ground"
    SLIVER = "sliver"
    EDGES = "edges"
    BUILDING = "building"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What is small enough: ground in m2, and the width of a strip in metres."""

    area_m2: float
    width_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFault:
    """One fault. `witness` is the ground (or the edges) it is about, `grids` whose it is.

    `width_m` is the mean width of the ground, None for edges; `refused` says that the change
    cannot be published with it.
    """

    kind: FaultKind
    grids: tuple[str, ...]
    area_m2: float
    width_m: float | None
    place: Position
    witness: BaseGeometry
    refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is examined: the grids near the edits (`sound` are the valid ones) as a coverage."""

    proposal: Proposal
    report: CoverageReport
    sound: Mapping[str, BaseGeometry]
    covered: BaseGeometry
    parent: BaseGeometry | None
    tolerance: Tolerance

    def too_much(self, ground: BaseGeometry) -> bool:
        """Tell whether some ground is more than the tolerance."""
        return area_m2(polygonal(ground)) > self.tolerance.area_m2

    @property
    def given(self) -> Mapping[str, BaseGeometry]:
        """The grids that the edits give, the valid ones."""
        return {grid: self.sound[grid] for grid in self.proposal.given if grid in self.sound}


def faults_of(
    proposal: Proposal,
    *,
    tolerance: Tolerance,
    parent: BaseGeometry | None = None,
    buildings: Sequence[BaseGeometry] = (),
) -> tuple[ChangeFault, ...]:
    """Return the faults of a proposal, those that refuse it first, the largest first.

    Args:
        proposal: what the boundaries would be, see `geo.changes.propose`. Its grids need not be
            all there are, but all in the bounding box of those that touch what is edited.
        tolerance: what is told and not refused.
        parent: the ground the grids must cover exactly and not leave. Without it, the ground
            of the grids as they were must stay covered, and new ground is only told.
        buildings: polygons that no border may cross.

    Raises:
        GeoError: `invalid-geometry` for the parent, or `too-many-overlaps` (see
            `geo.coverage.check_coverage`).
    """
    near = _near(proposal)
    sound = {grid: each for grid, each in near.items() if shapely.is_valid(each)}
    case = _Case(
        proposal=proposal,
        report=check_coverage(near, gap_width_m=tolerance.width_m),
        sound=sound,
        covered=shapely.union_all(list(sound.values())),
        parent=parent,
        tolerance=tolerance,
    )
    found = [
        *_invalid(case),
        *_overlaps(case),
        *_gaps(case),
        *_outside(case),
        *_slivers(case),
        *_edges(case),
        *_crossed(case, buildings),
    ]
    return tuple(sorted(found, key=lambda each: (not each.refused, -each.area_m2, each.place)))


def _near(proposal: Proposal) -> dict[str, BaseGeometry]:
    """The grids an edit gives, and all afterwards that touch what is taken or given."""
    ids = sorted(proposal.after)
    ground = [*proposal.taken.values(), *proposal.given.values()]
    if not ids or not ground:
        return {}
    tree = STRtree([proposal.after[grid] for grid in ids])
    hits = np.unique(tree.query(np.array(ground, dtype=object))[1]).tolist()
    return {ids[hit]: proposal.after[ids[hit]] for hit in hits}


def _fault(
    kind: FaultKind, witness: BaseGeometry, grids: Iterable[str], *, refused: bool
) -> ChangeFault:
    """A fault about some ground."""
    return ChangeFault(
        kind=kind,
        grids=tuple(sorted(grids)),
        area_m2=area_m2(witness),
        width_m=width_m(witness),
        place=place_in(witness),
        witness=witness,
        refused=refused,
    )


def width_m(ground: BaseGeometry) -> float:
    """Return the mean width of polygonal ground in metres: that of a long strip of its area."""
    lat = float(shapely.get_y(shapely.centroid(ground)))
    lon_m, lat_m = metres_per_degree(lat)
    outline = shapely.transform(shapely.boundary(ground), lambda xy: xy * (lon_m, lat_m))
    return 2.0 * area_m2(ground) / float(shapely.length(outline))


def _invalid(case: _Case) -> Iterator[ChangeFault]:
    for cell in case.report.invalid:
        shape = case.proposal.after[cell.grid]
        yield ChangeFault(
            kind=FaultKind.INVALID,
            grids=(cell.grid,),
            area_m2=0.0,
            width_m=None,
            place=cell.place or _first(shape),
            witness=shape,
            refused=cell.grid in case.proposal.given,
        )


def _overlaps(case: _Case) -> Iterator[ChangeFault]:
    for each in case.report.overlaps:
        if not case.given.keys().isdisjoint(each.grids):
            refused = case.too_much(each.witness)
            yield _fault(FaultKind.OVERLAP, each.witness, each.grids, refused=refused)


def _gaps(case: _Case) -> Iterator[ChangeFault]:
    """Ground that nobody has: lost by the grids whose it was, enclosed, or open in the parent.

    Without a parent a lake that was there before is told and not refused.
    """
    taken = case.proposal.taken
    left = _left(case)
    for grid in left:
        yield _fault(FaultKind.RETIRED, taken[grid], [grid], refused=False)
    had = shapely.union_all(list(taken.values()))
    touched = shapely.union_all([had, *case.given.values()])
    wanting = [shapely.difference(had, case.covered)]
    wanting += [each.witness for each in case.report.gaps]
    if case.parent is not None:
        near = shapely.intersection(case.parent, shapely.box(*touched.bounds))
        wanting.append(shapely.difference(near, case.covered))
    ground = shapely.union_all(wanting)
    # A ring of grids may enclose others that no edit comes near: that is no lake.
    having = [taken[grid] for grid in left] + _meeting(case.proposal.after, ground)
    for piece in _pieces(shapely.difference(ground, shapely.union_all(having))):
        if not shapely.intersects(piece, touched):
            continue
        lost = shapely.intersection(piece, had) if case.parent is None else piece
        beside = [
            grid
            for grid, each in {**taken, **case.given}.items()
            if shapely.intersects(each, piece)
        ]
        yield _fault(FaultKind.GAP, piece, beside, refused=case.too_much(lost))


def _meeting(grids: Mapping[str, BaseGeometry], ground: BaseGeometry) -> list[BaseGeometry]:
    """The valid ones of some grids that meet some ground."""
    shapes = list(grids.values())
    hits = STRtree(shapes).query(ground).tolist()
    return [shapes[hit] for hit in hits if shapely.is_valid(shapes[hit])]


def _left(case: _Case) -> list[str]:
    """The retired grids of whose ground nobody takes more than the tolerance."""
    return [
        grid
        for grid in sorted(case.proposal.retired)
        if not case.too_much(shapely.intersection(case.proposal.taken[grid], case.covered))
    ]


def _outside(case: _Case) -> Iterator[ChangeFault]:
    """Ground of grids that an edit gives outside of the parent, or that no grid had."""
    if case.parent is not None:
        ground, kind = case.parent, FaultKind.OUTSIDE
    else:
        rest = [each for grid, each in case.sound.items() if grid not in case.proposal.given]
        ground = shapely.union_all([*case.proposal.taken.values(), *rest])
        kind = FaultKind.NEW_GROUND
    for grid, shape in case.given.items():
        for piece in _pieces(shapely.difference(shape, ground)):
            refused = kind is FaultKind.OUTSIDE and case.too_much(piece)
            yield _fault(kind, piece, [grid], refused=refused)


def _slivers(case: _Case) -> Iterator[ChangeFault]:
    """Parts of new grids that are too thin to be ground anybody looks after."""
    for grid, shape in case.given.items():
        for part in shapely.get_parts(shape):
            if width_m(part) < case.tolerance.width_m:
                yield _fault(FaultKind.SLIVER, part, [grid], refused=True)


def _edges(case: _Case) -> Iterator[ChangeFault]:
    """Edges that do not meet the neighbour's vertex for vertex: told, never refused."""
    for each in case.report.invalid_edges:
        if each.grid in case.given:
            yield ChangeFault(
                kind=FaultKind.EDGES,
                grids=(each.grid,),
                area_m2=0.0,
                width_m=None,
                place=_first(each.edges),
                witness=each.edges,
                refused=False,
            )


def _crossed(case: _Case, buildings: Sequence[BaseGeometry]) -> Iterator[ChangeFault]:
    """Buildings that a border runs through: what lies on the smaller sides is the witness."""
    ids = sorted(case.sound)
    tree = STRtree([case.sound[grid] for grid in ids])
    for building in buildings:
        hits = tree.query(building, predicate="intersects").tolist()
        parts = {
            ids[hit]: polygonal(shapely.intersection(building, case.sound[ids[hit]]))
            for hit in hits
        }
        sides = {grid: part for grid, part in parts.items() if case.too_much(part)}
        if len(sides) < 2 or case.given.keys().isdisjoint(sides):
            continue
        home = max(sides, key=lambda grid: (area_m2(sides[grid]), grid))
        cut_off = shapely.union_all([part for grid, part in sides.items() if grid != home])
        yield _fault(FaultKind.BUILDING, cut_off, sides, refused=True)


def _first(geometry: BaseGeometry) -> Position:
    lon, lat = shapely.get_coordinates(geometry)[0].tolist()
    return Position(lon, lat)


def _pieces(geometry: BaseGeometry) -> Iterator[Polygon]:
    """The pieces of some ground that are more than the noise of rounding."""
    return (each for each in polygonal(geometry).geoms if area_m2(each) >= AREA_M2_NOISE)
