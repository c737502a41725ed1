"""One polygon: validity with reason and place, snapping, ring order, normal form."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError, Position

# Stored coordinates are multiples of 1e-7 degree: about a centimetre.
SNAP_PER_DEGREE: Final = 10_000_000

# An edge longer than this runs the other way around the world.
EDGE_DEGREES_MAX: Final = 180.0


def invalidity(geometry: BaseGeometry) -> tuple[str, Position | None] | None:
    """Return why a geometry is not valid (OGC) and where its first fault lies, or None."""
    if shapely.is_valid(geometry):
        return None
    text, _, place = shapely.is_valid_reason(geometry).partition("[")
    ordinates = [float(each) for each in place.rstrip("]").split()[:2]]
    known = len(ordinates) == 2 and all(map(math.isfinite, ordinates))
    return text, Position(*ordinates) if known else None


def refuse_invalid(geometry: BaseGeometry, pointer: str) -> None:
    """Check a geometry for OGC validity; never repair it.

    Repair of a hostile polygon can take minutes (`make_valid` grows with the cube of the number
    of crossings), and a repaired boundary is not what somebody approved.

    Raises:
        GeoError: `invalid-geometry` at `pointer`, with the reason and place of the first fault.
    """
    found = invalidity(geometry)
    if found is not None:
        text, position = found
        raise GeoError(pointer, "invalid-geometry", text, position)


def refuse_crossing(geometry: BaseGeometry, pointer: str = "") -> None:
    """Check that no edge of a polygon runs around the world, as one over a pole would, too.

    Raises:
        GeoError: `crosses-antimeridian` at `pointer`, with the end of the first such edge.
    """
    west, _, east, _ = geometry.bounds
    if not east - west > EDGE_DEGREES_MAX:
        return
    rings = shapely.get_rings(shapely.get_parts(geometry))
    places, ring = shapely.get_coordinates(rings, return_index=True)
    far = np.abs(np.diff(places[:, 0])) > EDGE_DEGREES_MAX
    found = np.flatnonzero(far & (ring[1:] == ring[:-1]))
    if len(found):
        text = "An edge crosses the antimeridian or a pole"
        lon, lat = places[found[0] + 1].tolist()
        raise GeoError(pointer, "crosses-antimeridian", text, Position(lon, lat))


def segments_of(lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the single straight segments of some lines."""
    parts = shapely.get_parts(lines)
    coordinates, line = shapely.get_coordinates(parts, return_index=True)
    follows = np.flatnonzero(line[1:] == line[:-1])
    ends = np.stack([coordinates[follows], coordinates[follows + 1]], axis=1)
    return np.asarray(shapely.linestrings(ends), dtype=object)


def snap(geometry: BaseGeometry) -> BaseGeometry:
    """Return the geometry with every coordinate rounded to the nearest 1e-7 degree.

    Vertices move by at most 6 mm and are neither added nor removed, so two polygons that shared
    a vertex still do. A sliver may collapse: check validity afterwards.
    """
    return shapely.transform(geometry, _rounded)


def _rounded(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    # Adding zero turns -0.0 into 0.0, so that equal places have equal coordinates.
    return np.rint(coordinates * SNAP_PER_DEGREE) / SNAP_PER_DEGREE + 0.0


def as_multipolygon(geometry: BaseGeometry, pointer: str = "") -> MultiPolygon:
    """Return a polygon or multipolygon as a multipolygon.

    Raises:
        GeoError: `type-not-allowed` for any other type, `empty-geometry` for an empty one.
    """
    if not isinstance(geometry, Polygon | MultiPolygon):
        raise GeoError(pointer, "type-not-allowed", "A polygon or multipolygon is needed")
    if geometry.is_empty:
        raise GeoError(pointer, "empty-geometry", "The polygon has no vertices")
    return MultiPolygon([geometry]) if isinstance(geometry, Polygon) else geometry


def polygonal(geometry: BaseGeometry) -> MultiPolygon:
    """Return what of an overlay has area; touching points and lines are dropped."""
    # Twice, because a collection may hold a multipolygon.
    parts: Iterable[BaseGeometry] = shapely.get_parts(shapely.get_parts(geometry))
    return MultiPolygon([part for part in parts if isinstance(part, Polygon)])


def place_in(geometry: BaseGeometry) -> Position:
    """Return a place inside of a geometry that is not empty."""
    lon, lat = shapely.get_coordinates(shapely.point_on_surface(geometry))[0].tolist()
    return Position(lon, lat)


def wind(geometry: BaseGeometry) -> BaseGeometry:
    """Return the geometry with exteriors counter-clockwise and holes clockwise (RFC 7946)."""
    return shapely.orient_polygons(geometry)


def normal_boundary(geometry: BaseGeometry, pointer: str = "") -> MultiPolygon:
    """Return the form in which boundaries are stored: snapped, wound by RFC 7946, valid, multi.

    Raises:
        GeoError: if it is not polygonal, is empty, or is invalid after snapping.
    """
    boundary = as_multipolygon(wind(snap(as_multipolygon(geometry, pointer))), pointer)
    refuse_invalid(boundary, pointer)
    return boundary
