"""Coordinate reference systems of imported files: named, looked up, checked for plausibility.

Rules. A file without a reference system is refused: a guess moves a city. Coordinates are taken
and given in the order longitude or easting first, latitude or northing second, for every
system, whatever order its authority prescribes (EPSG:4490 and the Gauss-Kruger systems of China
are northing first on paper, but files are not). A system whose coordinates fall outside of its
own area of use is a lie and is refused with a proposal.

Between WGS 84 and CGCS2000 nothing is converted: the difference is centimetres to decimetres
and no published transformation exists.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError

WGS84: Final = 4326

# Surveys run over the edge of their zone; a wrong zone or unit is off by far more than this.
MARGIN_DEGREES: Final = 1.5

# The longest description of a system that is read at all.
DECLARED_CHARS_MAX: Final = 10_000

# Forms a description may have: authority and code, its URN, or WKT. The library knows more
# (names, parameter strings that open files), none of which a data file needs.
_FORMS: Final = re.compile(
    r"[A-Za-z]{2,10}:[A-Za-z0-9]{1,10}"
    r"|urn:ogc:def:crs:[A-Za-z]{2,10}:[0-9.]{0,10}:[A-Za-z0-9]{1,10}"
    r"|\s*(?:GEOGCS|PROJCS|GEOGCRS|GEODCRS|PROJCRS|BOUNDCRS|COMPD_CS|COMPOUNDCRS)\s*\[.*",
    re.DOTALL,
)

Bounds = tuple[float, float, float, float]


def find_crs(declared: str | int | None, pointer: str = "/crs") -> CRS:
    """Return the system a file declares: an EPSG number, `EPSG:4547`, its URN, or WKT.

    WKT without an authority (shapefiles) is matched against the register.

    Raises:
        GeoError: `missing-crs`, or `unknown-crs` if nothing on earth is meant by it.
    """
    if declared is None or declared == "":
        text = "The file does not say in which coordinate reference system it is"
        raise GeoError(pointer, "missing-crs", text)
    return _lookup(declared, pointer)


@lru_cache(maxsize=256)
def _lookup(declared: str | int, pointer: str) -> CRS:
    if isinstance(declared, str) and len(declared) > DECLARED_CHARS_MAX:
        raise GeoError(pointer, "unknown-crs", "The description is too long")
    if isinstance(declared, str) and not _FORMS.fullmatch(declared):
        text = "A system is named like EPSG:4490, or described in WKT"
        raise GeoError(pointer, "unknown-crs", text)
    try:
        found = CRS.from_user_input(declared)
    except CRSError:
        text = "The coordinate reference system is not known"
        raise GeoError(pointer, "unknown-crs", text) from None
    if not (found.is_geographic or found.is_projected):
        text = "Only systems of longitude and latitude or of a map plane are accepted"
        raise GeoError(pointer, "unknown-crs", text)
    matched = found.to_authority() if found.area_of_use is None else None
    system = found if matched is None else CRS.from_authority(*matched)
    try:
        _transformer(system)
    except ProjError:
        text = "Nothing can be converted from this coordinate reference system"
        raise GeoError(pointer, "unknown-crs", text) from None
    return system


def check_plausible(
    crs: CRS | str | int | None,
    bounds: Bounds,
    *,
    expected: Bounds | None = None,
    pointer: str = "/crs",
) -> None:
    """Check that coordinates can be in the system they are said to be in.

    Args:
        crs: the declared system.
        bounds: west, south, east, north of all coordinates of the file, in that system.
        expected: where the deployment lies, in WGS 84 degrees. Neighbouring zones of one grid
            system share their numbers, so only this tells one zone from the next.
        pointer: what to point at in the error.

    Raises:
        GeoError: `missing-crs` or `unknown-crs`; `implausible-crs` if the coordinates fall
            outside of the area of use of the system; `unexpected-place` if they do not meet
            `expected`. The detail proposes the usual reason.
    """
    system = crs if isinstance(crs, CRS) else find_crs(crs, pointer)
    if not plausible(system, bounds):
        raise GeoError(pointer, "implausible-crs", _proposal(system, bounds))
    if expected is None:
        return
    west, south, east, north = to_degrees(system, bounds)
    if west > expected[2] or east < expected[0] or south > expected[3] or north < expected[1]:
        text = "In this coordinate reference system the file lies outside of the deployment"
        raise GeoError(pointer, "unexpected-place", text)


def to_wgs84_geometries(
    geometries: Sequence[BaseGeometry] | NDArray[np.object_],
    crs: CRS | str | int | None,
    pointer: str = "/crs",
) -> NDArray[np.object_]:
    """Return geometries in WGS 84 degrees, longitude first; z is dropped.

    Vertices that were equal stay equal, so a valid coverage stays one.

    Raises:
        GeoError: `missing-crs`, `unknown-crs`, or `not-convertible` if a coordinate has no
            place on earth.
    """
    transformer = _transformer(crs if isinstance(crs, CRS) else find_crs(crs, pointer))

    def convert(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = transformer.transform(coordinates[:, 0], coordinates[:, 1])
        return np.column_stack([lon, lat])

    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    converted: NDArray[np.object_] = shapely.transform(flat, convert)
    if not np.isfinite(shapely.get_coordinates(converted)).all():
        raise GeoError(pointer, "not-convertible", "A coordinate has no place on earth")
    return converted


@lru_cache(maxsize=256)
def _transformer(crs: CRS) -> Transformer:
    return Transformer.from_crs(crs, WGS84, always_xy=True)


def plausible(crs: CRS, bounds: Bounds) -> bool:
    """Tell whether bounds in a system lie where the system is made for, with a margin."""
    west, south, east, north = to_degrees(crs, bounds)
    if not (-180.0 <= west <= east <= 180.0 and -90.0 <= south <= north <= 90.0):
        return False
    area, margin = crs.area_of_use, MARGIN_DEGREES
    if area is None:
        return True
    return (
        area.west - margin <= west <= east <= area.east + margin
        and area.south - margin <= south <= north <= area.north + margin
    )


def to_degrees(crs: CRS, bounds: Bounds) -> Bounds:
    """Return bounds around the corners in WGS 84; infinite where there is no such place."""
    west, south, east, north = bounds
    lons, lats = _transformer(crs).transform([west, west, east, east], [south, north] * 2)
    return min(lons), min(lats), max(lons), max(lats)


def _proposal(crs: CRS, bounds: Bounds) -> str:
    """The usual reason why coordinates do not fit their system."""
    west, south, east, north = bounds
    if plausible(crs, (south, west, north, east)):
        return "The axes are exchanged: longitude or easting comes first"
    in_degrees = -180.0 <= west <= east <= 180.0 and -90.0 <= south <= north <= 90.0
    if crs.is_projected and in_degrees:
        return "The coordinates look like degrees, not like the units of this system"
    if crs.is_geographic and not in_degrees:
        return "The coordinates are not degrees; a projected system is missing"
    return "The coordinates lie outside of the area this system is made for"
