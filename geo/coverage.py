"""Do grids tile the ground? Overlaps, gaps and edges that do not meet, each with its place.

Neighbouring grids must share their edges vertex for vertex. The library's coverage validator
finds every edge that does not, but it takes a wholly missing cell for the outside; so the holes
of the union are looked at too, and the parent's boundary when it is known. Nothing is repaired.

Tolerances are parameters, and zero means none. What stays below a tolerance is left out of the
report, except that its edges are still named.

Overlaying polygons that cross everywhere takes minutes and gigabytes, so the crossings are
counted first, and a set that is nowhere near a coverage is refused instead of examined.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError, Position
from geo.measure import area_m2, degrees_reaching
from geo.polygon import invalidity, place_in, polygonal, refuse_invalid, segments_of

# A square millimetre: less along the parent's border is rounding noise, not ground.
AREA_M2_NOISE: Final = 1e-6

# Real grids meet about seven others, real faults a few edges each; these are far beyond both.
NEIGHBOURS_MAX: Final = 64
MEETINGS_MAX: Final = 50_000

_CHUNK: Final = 64

Shapes = NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidCell:
    """A grid whose own polygon is not valid; it takes part in no other check."""

    grid: str
    reason: str
    place: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two grids, lower id first, that claim the same ground."""

    grids: tuple[str, str]
    area_m2: float
    place: Position
    witness: BaseGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Ground that belongs to no grid (`gaps`) or to no part of the parent (`outside`)."""

    area_m2: float
    place: Position
    witness: Polygon


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidEdges:
    """The edges of a grid that do not meet a neighbour's vertex for vertex."""

    grid: str
    edges: BaseGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """All faults found, each list in a fixed order (ids, or west to east)."""

    invalid: tuple[InvalidCell, ...]
    overlaps: tuple[Overlap, ...]
    gaps: tuple[Gap, ...]
    outside: tuple[Gap, ...]
    invalid_edges: tuple[InvalidEdges, ...]

    @property
    def faultless(self) -> bool:
        """Whether the grids tile, within the tolerances."""
        faults = (self.invalid, self.overlaps, self.gaps, self.outside, self.invalid_edges)
        return not any(faults)


def check_coverage(
    grids: Mapping[str, BaseGeometry],
    *,
    parent: BaseGeometry | None = None,
    gap_width_m: float = 0.0,
    area_m2_min: float = 0.0,
) -> CoverageReport:
    """Return every fault of a set of sibling grids.

    Args:
        grids: polygons or multipolygons by id, WGS 84 degrees.
        parent: the ground they must cover exactly. Without it only enclosed holes are gaps.
        gap_width_m: edges along a gap narrower than this are named as invalid edges. The width
            is measured in degrees of longitude, so northward it is 1 / cos(latitude) wider.
        area_m2_min: overlaps, gaps and ground outside of the parent below this are left out.

    Raises:
        GeoError: `invalid-geometry` for the parent (pointer `/parent`), or `too-many-overlaps`
            if the grids cross so often that naming every fault would help nobody.
    """
    if parent is not None:
        refuse_invalid(parent, "/parent")
    invalid = tuple(_invalid_cells(grids))
    refused = {cell.grid for cell in invalid}
    ids = [grid for grid in sorted(grids) if grid not in refused]
    shapes = np.array([grids[grid] for grid in ids], dtype=object)
    _refuse_crowd(shapes, NEIGHBOURS_MAX * len(shapes))
    edges = shapely.coverage_invalid_edges(shapes, gap_width=_degrees(shapes, gap_width_m))
    bad = np.flatnonzero(~shapely.is_empty(edges))
    _refuse_crowd(segments_of(edges[bad]), MEETINGS_MAX)
    overlaps = tuple(_overlaps(ids, shapes, bad, area_m2_min))
    union = shapely.union_all(shapes) if len(bad) else shapely.coverage_union_all(shapes)
    if parent is None:
        gaps = _pieces(_holes(union), area_m2_min)
        outside: tuple[Gap, ...] = ()
    else:
        least = max(area_m2_min, AREA_M2_NOISE)
        gaps = _pieces(shapely.difference(parent, union), least)
        outside = _pieces(shapely.difference(union, parent), least)
    return CoverageReport(
        invalid=invalid,
        overlaps=overlaps,
        gaps=gaps,
        outside=outside,
        invalid_edges=tuple(InvalidEdges(grid=ids[at], edges=edges[at]) for at in bad),
    )


def _invalid_cells(grids: Mapping[str, BaseGeometry]) -> Iterator[InvalidCell]:
    for grid in sorted(grids):
        found = invalidity(grids[grid])
        if found is not None:
            yield InvalidCell(grid=grid, reason=found[0], place=found[1])


def _refuse_crowd(shapes: Shapes, meetings_max: int) -> None:
    """Refuse shapes of which more than `meetings_max` pairs meet (by their bounding boxes)."""
    tree, met = STRtree(shapes), 0
    for start in range(0, len(shapes), _CHUNK):
        met += tree.query(shapes[start : start + _CHUNK]).shape[1]
        if met > meetings_max:
            text = "The grids cross one another everywhere; they do not divide the ground"
            raise GeoError("", "too-many-overlaps", text)


def _degrees(shapes: Shapes, gap_width_m: float) -> float:
    """The gap width in degrees at the latitude where a degree of longitude is shortest."""
    if gap_width_m <= 0.0 or not len(shapes):
        return 0.0
    _, south, _, north = shapely.total_bounds(shapes)
    return degrees_reaching(gap_width_m, max(abs(south), abs(north)))[0]


def _overlaps(
    ids: Sequence[str], shapes: Shapes, bad: NDArray[np.intp], area_m2_min: float
) -> Iterator[Overlap]:
    """Pairs that share ground, by id.

    Polygons that share ground cannot share all their edges, so at least one of the pair is
    among the `bad` ones: only their neighbours need the costly intersection.
    """
    suspects, others = STRtree(shapes).query(shapes[bad], predicate="intersects")
    pairs = {
        (min(a, b), max(a, b))
        for a, b in zip(bad[suspects].tolist(), others.tolist(), strict=True)
        if a != b
    }
    for a, b in sorted(pairs):
        witness = polygonal(shapely.intersection(shapes[a], shapes[b]))
        area = area_m2(witness)
        if area > 0.0 and area >= area_m2_min:
            yield Overlap(
                grids=(ids[a], ids[b]), area_m2=area, place=place_in(witness), witness=witness
            )


def _holes(union: BaseGeometry) -> BaseGeometry:
    """The ground the union encloses; an island in a hole is not a hole."""
    rings = (ring for part in shapely.get_parts(union) for ring in part.interiors)
    return shapely.difference(MultiPolygon([Polygon(ring) for ring in rings]), union)


def _pieces(geometry: BaseGeometry, area_m2_least: float) -> tuple[Gap, ...]:
    found = [
        Gap(area_m2=area, place=place_in(piece), witness=piece)
        for piece in polygonal(geometry).geoms
        if (area := area_m2(piece)) > 0.0 and area >= area_m2_least
    ]
    return tuple(sorted(found, key=lambda gap: gap.place))
