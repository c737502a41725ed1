"""Which grid does a measured position lie in?

The answer must be the same on every node and on every run: a position on a shared edge belongs
to the grid with the lowest code among those that touch it. A measured position is a disc, not a
point, so the answer also names every other grid the disc reaches, and whether the disc leaves
any doubt at all.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.measure import degrees_reaching, metres_per_degree

# A fix worse than this says nothing about grids; the disc is cut to it.
ACCURACY_M_MAX: Final = 2_000.0
CANDIDATES_MAX: Final = 16
_DISCS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Disc:
    """A measured position: WGS 84 degrees, and the radius in metres the device reports."""

    lon: float
    lat: float
    accuracy_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A grid a measured position may lie in.

    Attributes:
        grid: the grid's id.
        distance_to_edge_m: metres from the position to the nearest point of the grid's
        boundary. inside: whether the position itself lies in the grid or on its boundary.
    """

    grid: str
    distance_to_edge_m: float
    inside: bool


@dataclass(frozen=True, slots=True)
class Location:
    """Where a measured position may lie.

    Attributes:
        candidates: at most `CANDIDATES_MAX` grids that the disc touches; those holding the
            position first, by code, then the others, nearest first.
        certain: the whole disc lies inside the first candidate.
    """

    candidates: tuple[Candidate, ...]
    certain: bool

    def __iter__(self) -> Iterator[Candidate]:
        """The candidates, most likely first."""
        return iter(self.candidates)

    def __len__(self) -> int:
        """How many grids the position may lie in."""
        return len(self.candidates)

    @property
    def grid(self) -> str | None:
        """The grid the position itself lies in, or None. Ties go to the lowest code."""
        if self.candidates and self.candidates[0].inside:
            return self.candidates[0].grid
        return None


@dataclass(frozen=True, slots=True)
class _Edge:
    """A grid's boundary in metres around its own centre.

    On a plane that touches the ellipsoid at the grid itself, distances of a few kilometres are
    right to about 0.1 %, far below what any fix can tell.
    """

    lines: BaseGeometry
    lon: float
    lat: float
    lon_m: float
    lat_m: float

    def offset_m(self, lon: float, lat: float) -> tuple[float, float]:
        """A position in metres east and north of the centre."""
        return (lon - self.lon) * self.lon_m, (lat - self.lat) * self.lat_m


class GridIndex:
    """An immutable index of one version of the grids. Swap the whole object to change it.

    Safe to read from many threads.
    """

    __slots__ = ("_edges", "_ids", "_polygons", "_tree")

    def __init__(self, ids: tuple[str, ...], tree: STRtree, edges: tuple[_Edge, ...]) -> None:
        """Use `GridIndex.build`."""
        self._ids = ids
        self._tree = tree
        self._polygons = np.asarray(tree.geometries, dtype=object)
        self._edges = edges

    @classmethod
    def build(
        cls, grids: Mapping[str, BaseGeometry], codes: Mapping[str, str] | None = None
    ) -> "GridIndex":
        """Index polygons (WGS 84 degrees, valid) by id.

        Args:
            grids: the polygons or multipolygons by grid id.
            codes: the code of each grid, which decides ties; without it the ids do.

        Raises:
            GeoError: `type-not-allowed` or `empty-geometry`, with the id as pointer.
            KeyError: if a grid has no code.
        """
        for grid, geometry in grids.items():
            if geometry.geom_type not in {"Polygon", "MultiPolygon"}:
                raise GeoError(f"/{grid}", "type-not-allowed", "A grid is polygonal")
            if geometry.is_empty:
                raise GeoError(f"/{grid}", "empty-geometry", "A grid has an area")
        ids = tuple(sorted(grids, key=lambda grid: (codes[grid] if codes else "", grid)))
        polygons = np.array([grids[grid] for grid in ids], dtype=object)
        shapely.prepare(polygons)
        return cls(ids, STRtree(polygons), tuple(_edge(each) for each in polygons))

    def __len__(self) -> int:
        """How many grids are indexed."""
        return len(self._ids)

    def locate(self, lon: float, lat: float, accuracy_m: float = 0.0) -> Location:
        """Return the grids the disc of radius `accuracy_m` around a WGS 84 position touches.

        `accuracy_m` is the radius the device reports (Android: 68 % confidence); it is cut to
        `ACCURACY_M_MAX`. With radius 0 a position on a shared edge still yields all its grids
        and is not certain.

        Raises:
            ValueError: if a number is not finite or the radius is negative.
        """
        if not math.isfinite(lon + lat + accuracy_m) or accuracy_m < 0.0:
            raise ValueError(
                "a position and its accuracy are finite, the accuracy not negative"
            )
        # One pair instead of two numbers: a third of the time, most of which is not geometry.
        hits = self._tree.query(shapely.points((lon, lat)), predicate="intersects").tolist()
        if len(hits) == 1:
            edge = self._edges[hits[0]]
            here = shapely.points(edge.offset_m(lon, lat))
            distance = float(shapely.distance(edge.lines, here))
            if distance > accuracy_m:
                only = Candidate(self._ids[hits[0]], distance, inside=True)
                return Location((only,), certain=True)
        return self._around(lon, lat, min(accuracy_m, ACCURACY_M_MAX), frozenset(hits))

    def distance_m(
        self, lon: float, lat: float, among: Callable[[str], bool], *, reach_m: float
    ) -> float:
        """Return metres from a WGS 84 position to the nearest of the grids that `among` takes.

        0 in one or on its edge, infinity if none is within `reach_m`, itself at most
        `ACCURACY_M_MAX`.
        """
        box = shapely.box(*_box(Disc(lon, lat, reach_m)))
        near = [each for each in self._tree.query(box).tolist() if among(self._ids[each])]
        holding = self._tree.query(shapely.points((lon, lat)), predicate="intersects")
        if not set(near).isdisjoint(holding.tolist()):
            return 0.0
        nearest = min(self._distances_m(lon, lat, near), default=math.inf)
        return nearest if nearest <= reach_m else math.inf

    def locate_many(
        self,
        lons: Sequence[float] | NDArray[np.float64],
        lats: Sequence[float] | NDArray[np.float64],
    ) -> list[str | None]:
        """Return for every position the grid that holds it, or None, by the same tie rule.

        Positions are WGS 84 degrees; one that is not finite lies in no grid.
        """
        first = self._first_hits(np.asarray(lons, np.float64), np.asarray(lats, np.float64))
        names: list[str | None] = [*self._ids, None]
        return [names[index] for index in first.tolist()]

    def reach(self, discs: Sequence[Disc]) -> int:
        """Return how many distances to boundaries `locate` measures for all these discs.

        That is what they cost; asking costs little. Discs are cut to `ACCURACY_M_MAX`.
        """
        measured = 0
        for start in range(0, len(discs), _DISCS_AT_ONCE):
            boxes = shapely.box(
                *np.transpose([_box(d) for d in discs[start:][:_DISCS_AT_ONCE]])
            )
            measured += self._tree.query(boxes).shape[1]
        return measured

    def _first_hits(
        self, lons: NDArray[np.float64], lats: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """The lowest index of a grid that touches each position; len(self) where there is none.

        Grids are indexed in the order of their codes, so the lowest index is the lowest code.
        """
        first = np.full(lons.shape, len(self._ids), dtype=np.int64)
        finite = np.flatnonzero(np.isfinite(lons) & np.isfinite(lats))
        position, grid = self._tree.query(shapely.points(lons[finite], lats[finite]))
        # Boxes first and the exact predicate after it, polygon by polygon: a third of the time
        # of asking the tree for both, which goes from one polygon to another and back.
        order = np.argsort(grid, kind="stable")
        position, grid = finite[position[order]], grid[order]
        held = shapely.intersects_xy(self._polygons[grid], lons[position], lats[position])
        np.minimum.at(first, position[held], grid[held])
        return first

    def _around(
        self, lon: float, lat: float, radius_m: float, inside: frozenset[int]
    ) -> Location:
        """The slow path: every grid whose boundary the disc reaches."""
        near = self._tree.query(shapely.box(*_box(Disc(lon, lat, radius_m)))).tolist()
        found = [
            (index not in inside, 0.0 if index in inside else distance, index, distance)
            for index, distance in zip(near, self._distances_m(lon, lat, near), strict=True)
            if index in inside or distance <= radius_m
        ]
        candidates = tuple(
            Candidate(self._ids[index], distance, inside=not outside)
            for outside, _, index, distance in sorted(found)[:CANDIDATES_MAX]
        )
        return Location(candidates, certain=False)

    def _distances_m(self, lon: float, lat: float, grids: Sequence[int]) -> list[float]:
        """Metres from a position to the boundary of each of the grids."""
        if not grids:
            return []
        edges = [self._edges[index] for index in grids]
        here = shapely.points([edge.offset_m(lon, lat) for edge in edges])
        distances: list[float] = shapely.distance([edge.lines for edge in edges], here).tolist()
        return distances


def _box(disc: Disc) -> tuple[float, float, float, float]:
    """West, south, east and north of a box that holds the disc, cut to `ACCURACY_M_MAX`."""
    radius_m = min(disc.accuracy_m, ACCURACY_M_MAX)
    reach_lon, reach_lat = degrees_reaching(radius_m * 1.01 + 0.01, disc.lat)
    return (
        disc.lon - reach_lon,
        disc.lat - reach_lat,
        disc.lon + reach_lon,
        disc.lat + reach_lat,
    )


def _edge(polygon: BaseGeometry) -> _Edge:
    west, south, east, north = polygon.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    lon_m, lat_m = metres_per_degree(lat)
    scale = np.array([lon_m, lat_m])
    lines = shapely.transform(
        shapely.boundary(polygon), lambda xy: (xy - np.array([lon, lat])) * scale
    )
    return _Edge(lines, lon, lat, lon_m, lat_m)
