"""The ground of a community as plots: for each place with homes, what lies nearest to it.

Plots are what a proposal of new boundaries is put together from. They cover the ground exactly,
and those that share a border are neighbours. A border that people do not cross (a wall, water,
a wide road) makes neighbours strangers: `geo.partition` cuts there first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, STRtree
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.measure import metres_per_degree
from geo.partition import Place
from geo.polygon import normal_boundary, polygonal

PLOTS_MAX: Final = 5_000
# About a metre: ground between homes closer than that would vanish when boundaries are rounded.
_DECIMALS: Final = 5
# A border this short is a corner.
_BORDER_M_MIN: Final = 0.05
# Across a barrier, and between pieces of ground that do not touch.
_STRANGERS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """Places with homes: WGS 84 degrees, and how many households live at each."""

    lons: NDArray[np.float64]
    lats: NDArray[np.float64]
    households: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """Polygons on a plane, in metres around `centre` (degrees), and the graph they make."""

    centre: tuple[float, float]
    polygons: tuple[BaseGeometry, ...]
    places: tuple[Place, ...]

    def boundary(self, some: Sequence[int]) -> MultiPolygon:
        """Return the ground of some plots together, as boundaries are stored.

        Raises:
            GeoError: `invalid-geometry` if rounding leaves it crossing itself.
        """
        together = shapely.union_all([self.polygons[each] for each in some])
        scale = np.array(metres_per_degree(self.centre[1]))
        in_degrees = shapely.transform(
            polygonal(together), lambda xy: xy / scale + np.array(self.centre)
        )
        return normal_boundary(in_degrees)


def plots_of(
    ground: BaseGeometry, homes: Homes, barriers: Sequence[BaseGeometry] = ()
) -> Plots:
    """Divide some ground (valid, WGS 84 degrees) among the places with homes on it.

    Homes about a metre apart share a place. One outside of the ground counts where the nearest
    plot is. Barriers are lines.

    Raises:
        GeoError: `no-homes` without any, `too-many-homes` for more than `PLOTS_MAX` places.
    """
    lons, lats = (np.round(each, _DECIMALS).tolist() for each in (homes.lons, homes.lats))
    places = sorted(zip(lons, lats, homes.households.tolist(), strict=True))
    at = {key: sum(x[2] for x in same) for key, same in groupby(places, key=lambda x: x[:2])}
    if not at:
        raise GeoError("", "no-homes", "There are no homes on this ground")
    if len(at) > PLOTS_MAX:
        raise GeoError("", "too-many-homes", f"More than {PLOTS_MAX} places have homes")
    west, south, east, north = ground.bounds
    centre = ((west + east) / 2, (south + north) / 2)
    plane = _Plane(centre)
    points = shapely.points(plane.of(np.array(list(at), dtype=np.float64)))
    cells = _cells(plane.shape(ground), points)
    whose, polygons = _shared_out(cells, points, np.array(list(at.values())))
    walls = [plane.shape(each) for each in barriers]
    return Plots(
        centre=centre,
        polygons=tuple(polygons),
        places=tuple(_graph(polygons, whose, walls)),
    )


class _Plane:
    """Metres around a centre."""

    def __init__(self, centre: tuple[float, float]) -> None:
        self.origin = np.array(centre)
        self.scale = np.array(metres_per_degree(centre[1]))

    def of(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions on it."""
        placed: NDArray[np.float64] = (lonlat - self.origin) * self.scale
        return placed

    def shape(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry on it."""
        return shapely.transform(geometry, self.of)


def _cells(ground: BaseGeometry, points: Any) -> list[BaseGeometry]:
    """For each point the ground nearest to it."""
    if len(points) == 1:
        return [ground]
    nearest = shapely.voronoi_polygons(
        shapely.multipoints(points), extend_to=ground, ordered=True
    )
    shapely.prepare(ground)
    return [
        each if shapely.contains_properly(ground, each) else shapely.intersection(each, ground)
        for each in shapely.get_parts(nearest)
    ]


def _shared_out(
    cells: Sequence[BaseGeometry], points: Any, households: NDArray[np.int64]
) -> tuple[list[tuple[int, BaseGeometry]], list[BaseGeometry]]:
    """The pieces of all cells, each with its households and a point in it.

    The homes of a cell live in the piece that holds or is nearest to its point.
    """
    whose: list[tuple[int, BaseGeometry]] = []
    polygons: list[BaseGeometry] = []
    homeless: list[int] = []
    for number, cell in enumerate(cells):
        pieces = sorted(
            polygonal(cell).geoms, key=lambda each: shapely.distance(each, points[number])
        )
        for order, piece in enumerate(pieces):
            inside = points[number] if order == 0 else shapely.point_on_surface(piece)
            whose.append((int(households[number]) if order == 0 else 0, inside))
            polygons.append(piece)
        if not pieces:
            homeless.append(number)
    tree = STRtree(polygons)
    for number in homeless:
        nearest = int(tree.nearest(points[number]))
        whose[nearest] = (whose[nearest][0] + int(households[number]), whose[nearest][1])
    return whose, polygons


def _graph(
    polygons: Sequence[BaseGeometry],
    whose: Sequence[tuple[int, BaseGeometry]],
    walls: Sequence[BaseGeometry],
) -> Iterator[Place]:
    points = np.array([point for _, point in whose], dtype=object)
    beside: list[dict[int, float]] = [{} for _ in polygons]
    borders = dict(_borders(polygons))
    usual = max(float(np.median(list(borders.values()))) if borders else 1.0, _BORDER_M_MIN)
    for (one, other), length in borders.items():
        between = shapely.linestrings(shapely.get_coordinates(points[[one, other]]))
        barred = any(shapely.intersects(wall, between) for wall in walls)
        cost = length / usual * (_STRANGERS if barred else 1.0)
        beside[one][other] = beside[other][one] = cost
    _join(beside, points)
    for (households, point), neighbours in zip(whose, beside, strict=True):
        yield Place(
            weight=households,
            x=float(shapely.get_x(point)),
            y=float(shapely.get_y(point)),
            neighbours=neighbours,
        )


def _borders(polygons: Sequence[BaseGeometry]) -> Iterator[tuple[tuple[int, int], float]]:
    """The pairs of polygons that share a border, with its length."""
    shapes = np.array(polygons, dtype=object)
    one, other = STRtree(shapes).query(shapes, predicate="intersects")
    pairs = np.stack([one, other], axis=1)[one < other]
    shared = shapely.length(shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]]))
    for (first, second), length in zip(pairs.tolist(), shared.tolist(), strict=True):
        if length >= _BORDER_M_MIN:
            yield (first, second), length


def _join(beside: list[dict[int, float]], points: NDArray[np.object_]) -> None:
    """Make pieces that do not touch neighbours where they are nearest, the smallest first."""
    groups = _components(beside)
    while len(groups) > 1:
        group = min(groups, key=lambda each: (len(each), min(each)))
        rest = sorted(set(range(len(beside))) - group)
        own = sorted(group)
        tree = STRtree(points[rest])
        near = tree.nearest(points[own])
        far = shapely.distance(points[own], points[rest][near])
        best = int(np.argmin(far))
        one, other = own[best], rest[int(near[best])]
        beside[one][other] = beside[other][one] = _STRANGERS
        groups = _components(beside)


def _components(beside: Sequence[dict[int, float]]) -> list[set[int]]:
    left, found = set(range(len(beside))), []
    while left:
        seen = {min(left)}
        waiting = list(seen)
        while waiting:
            fresh = beside[waiting.pop()].keys() - seen
            seen |= fresh
            waiting += fresh
        left -= seen
        found.append(seen)
    return found
