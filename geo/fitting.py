"""Which reference systems coordinates could be in that name none, or a wrong one.

A proposal for a person, never a choice: systems of one meridian differ by metres only, and the
zones of a grid system share their numbers. So what decides is where the coordinates should lie,
and without that only systems whose coordinates tell their zone are proposed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from geo.crs import MARGIN_DEGREES, WGS84, Bounds, find_crs, plausible, to_degrees
from geo.errors import GeoError

FITS_MAX: Final = 3

_CGCS2000: Final = 4490
# Gauss-Kruger zones of China with the number of the zone before the easting.
_ZONED: Final = (*range(4491, 4502), *range(4513, 4534))
_MODERN: Final = ("CGCS2000", "China Geodetic", "WGS 84", "TWD97")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A system that would fit, as `EPSG:4548` and by its name."""

    code: str
    name: str


def fitting(bounds: Bounds, *, ground: Bounds | None = None) -> tuple[Fit, ...]:
    """Return up to `FITS_MAX` systems that put coordinates where they can be, the best first.

    Degrees come before map planes, systems that are in use today before older ones.

    Args:
        bounds: west, south, east, north of the coordinates, in the unknown system.
        ground: where they should lie, in WGS 84 degrees.
    """
    for codes in ((WGS84, _CGCS2000), _ZONED if ground is None else _planes_at(ground)):
        found = [crs for code in codes if (crs := _fit(code, bounds, ground)) is not None]
        if found:
            best = sorted(found, key=lambda crs: not crs.name.startswith(_MODERN))
            return tuple(
                Fit(code=f"EPSG:{crs.to_epsg()}", name=crs.name) for crs in best[:FITS_MAX]
            )
    return ()


def beside(degrees: Bounds, ground: Bounds) -> bool:
    """Tell whether bounds lie wholly beside some ground and a margin; both WGS 84 degrees."""
    west, south, east, north = degrees
    return (
        west > ground[2] + MARGIN_DEGREES
        or east < ground[0] - MARGIN_DEGREES
        or south > ground[3] + MARGIN_DEGREES
        or north < ground[1] - MARGIN_DEGREES
    )


def told(fits: Iterable[Fit]) -> str:
    """Return systems as one line for people."""
    return " or ".join(f"{each.code} ({each.name})" for each in fits)


def _fit(code: int, bounds: Bounds, ground: Bounds | None) -> CRS | None:
    try:
        crs = find_crs(code)
    except GeoError:
        return None
    if not plausible(crs, bounds):
        return None
    if ground is not None and beside(to_degrees(crs, bounds), ground):
        return None
    return crs


@lru_cache(maxsize=16)
def _planes_at(ground: Bounds) -> Sequence[int]:
    """EPSG numbers of the map planes that are made for some ground, ascending."""
    found = query_crs_info(
        "EPSG", [PJType.PROJECTED_CRS], area_of_interest=AreaOfInterest(*ground)
    )
    return sorted(int(each.code) for each in found if not each.deprecated)
