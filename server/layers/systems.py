"""The `crs` parameter: which reference system coordinates are given or taken in.

Coordinates are always written longitude or easting first, latitude or northing second, whatever
order the authority prescribes. WGS 84 and CGCS2000 in degrees share their numbers (`geo.crs`).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from geo.crs import MARGIN_DEGREES, WGS84, find_crs
from geo.errors import GeoError
from server.layers.bounds import Bounds
from server.layers.features import Coordinates, Projection

CRS_CHARS_MAX = 80
CRS_DESCRIPTION = (
    "EPSG:4326, EPSG:4490, EPSG:4547 or another EPSG code, also as OGC URI, or CRS84. "
    "Coordinates are always longitude or easting first."
)
CGCS2000_DEGREES = 4490
_DEGREE_DIGITS = 9
_METRE_DIGITS = 3
_CRS84 = frozenset(
    {
        "crs84",
        "ogc:crs84",
        "http://www.opengis.net/def/crs/ogc/1.3/crs84",
        "urn:ogc:def:crs:ogc:1.3:crs84",
    }
)
_EPSG = re.compile(
    r"(?:epsg:|https?://www\.opengis\.net/def/crs/epsg/[0-9.]{1,10}/|urn:ogc:def:crs:epsg::)"
    r"([0-9]{4,6})"
)


class ReferenceSystemError(ValueError):
    """The named reference system cannot be used; the message says why, without the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A reference system with the two ways between it and WGS 84 degrees.

    `project` maps rows of longitude and latitude into it, None if nothing changes.
    """

    code: int
    uri: str
    crs: CRS
    project: Projection | None

    def suits(self, degrees: Bounds) -> bool:
        """Say whether these WGS 84 bounds lie where the system is made for, with a margin."""
        area = self.crs.area_of_use
        if area is None:
            return True
        west, south, east, north = degrees
        return (
            area.west - MARGIN_DEGREES <= west
            and east <= area.east + MARGIN_DEGREES
            and area.south - MARGIN_DEGREES <= south
            and north <= area.north + MARGIN_DEGREES
        )

    def to_degrees(self, bounds: Bounds) -> Bounds:
        """Return WGS 84 bounds that hold `bounds` of this system.

        Raises:
            ReferenceSystemError: if there is no such place.
        """
        if self.project is None:
            return bounds
        back = Transformer.from_crs(self.crs, WGS84, always_xy=True)
        try:
            west, south, east, north = back.transform_bounds(*bounds, errcheck=True)
        except ProjError:
            raise ReferenceSystemError("these bounds are nowhere in this system") from None
        if not np.isfinite([west, south, east, north]).all():
            raise ReferenceSystemError("these bounds are nowhere in this system")
        return (west, south, east, north)


def _projection(crs: CRS, *, digits: int) -> Projection:
    transformer = Transformer.from_crs(WGS84, crs, always_xy=True)

    def project(lonlat: Coordinates) -> Coordinates:
        x, y = transformer.transform(lonlat[:, 0], lonlat[:, 1])
        return np.round(np.column_stack([x, y]), digits)

    return project


@lru_cache(maxsize=64)
def find_system(text: str) -> System:
    """Return the reference system that `text` names.

    Raises:
        ReferenceSystemError: if it is no EPSG code of degrees or of a map plane.
    """
    named = text.strip().lower()
    if named in _CRS84:
        uri = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
        return System(code=WGS84, uri=uri, crs=CRS.from_epsg(WGS84), project=None)
    found = _EPSG.fullmatch(named)
    if found is None:
        raise ReferenceSystemError("must be an EPSG code such as EPSG:4490, or CRS84")
    code = int(found[1])
    try:
        crs = find_crs(code)
    except GeoError as fault:
        raise ReferenceSystemError(fault.detail) from None
    if len(crs.axis_info) != 2:
        raise ReferenceSystemError("must be a system of two axes")
    digits = _DEGREE_DIGITS if crs.is_geographic else _METRE_DIGITS
    same = code in {WGS84, CGCS2000_DEGREES}
    return System(
        code=code,
        uri=f"http://www.opengis.net/def/crs/EPSG/0/{code}",
        crs=crs,
        project=None if same else _projection(crs, digits=digits),
    )
