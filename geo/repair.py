"""Repair of an invalid polygon, for who asked for it and looks at what became of it.

Never inside a request: the time repair takes grows with the cube of the number of crossings. So
crossings are counted first, and a polygon that crosses itself everywhere is refused; nobody
could say what was meant by it.
"""

from dataclasses import dataclass
from typing import Final

import shapely
from shapely import MultiPolygon, STRtree
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.measure import area_m2
from geo.polygon import as_multipolygon, normal_boundary, polygonal, segments_of

CROSSINGS_MAX: Final = 200

_CHUNK: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What repair made of a polygon: its stored form, and both areas.

    `drawn_m2` is the area of the rings as they were drawn: where a ring crosses itself, one
    side counts against the other.
    """

    boundary: MultiPolygon
    drawn_m2: float
    repaired_m2: float

    @property
    def change_m2(self) -> float:
        """How much larger the repaired polygon is; negative if it is smaller."""
        return self.repaired_m2 - self.drawn_m2


def repair(geometry: BaseGeometry, pointer: str = "") -> Repaired:
    """Return an invalid polygon or multipolygon (WGS 84 degrees) as a valid one.

    Ground that the rings go around an odd number of times belongs to it; lines and points that
    remain are dropped.

    Raises:
        GeoError: `type-not-allowed`, `empty-geometry`; `too-tangled` if it crosses itself more
            than `CROSSINGS_MAX` times; `invalid-geometry` if nothing valid is left of it.
    """
    drawn = as_multipolygon(geometry, pointer)
    if crossings(drawn, most=CROSSINGS_MAX) > CROSSINGS_MAX:
        text = f"Crosses itself more than {CROSSINGS_MAX} times; it must be drawn anew"
        raise GeoError(pointer, "too-tangled", text)
    made = polygonal(shapely.make_valid(drawn))
    if made.is_empty:
        raise GeoError(pointer, "invalid-geometry", "Nothing of it has an area")
    boundary = normal_boundary(made, pointer)
    return Repaired(boundary=boundary, drawn_m2=area_m2(drawn), repaired_m2=area_m2(boundary))


def crossings(geometry: BaseGeometry, *, most: int) -> int:
    """Return how often the edges of a geometry cross one another; past `most` it stops."""
    edges = segments_of(shapely.get_rings(shapely.get_parts(geometry)))
    tree, met = STRtree(edges), 0
    for start in range(0, len(edges), _CHUNK):
        pairs = tree.query(edges[start : start + _CHUNK], predicate="crosses")
        met += pairs.shape[1]
        if met > 2 * most:
            break
    return met // 2
