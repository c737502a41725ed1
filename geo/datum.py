"""Datums: the map offsets of Chinese devices, taken out again.

Stored coordinates are WGS 84 degrees. CGCS2000 differs from it by centimetres to decimetres,
which no phone can see, so it converts by identity (EPSG calls the same thing a null
transformation). GCJ-02 moves a position by up to 700 m, BD-09 by up to 1.4 km. Both formulas
are public knowledge by reverse engineering, not official; every map client uses the same ones.

**The box.** GCJ-02 and BD-09 exist only inside the rectangle `BOX_LON` x `BOX_LAT`. The test is
made on the WGS 84 position in both directions: a WGS 84 position outside the box has the same
coordinates in every datum, and an offset position whose WGS 84 solution lies outside the box is
returned unchanged. Along the box's border, in a strip as wide as the offset, one offset
position has two origins; the one inside the box is returned.

All functions take and return longitude before latitude, in degrees.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Number = TypeVar("Number", float, FloatArray)

BOX_LON: Final = (72.004, 137.8347)
BOX_LAT: Final = (0.8293, 55.8271)
# A solution this close to the border counts as inside: the inverse is exact to 1e-11 degree
# only.
BOX_MARGIN: Final = 1e-9

# Four rounds are exact to 2e-6 m nearly everywhere, but not on the meridian 105 E, where the
# square root in the formula has no slope; five are, to 2e-6 m there and 2e-8 m elsewhere.
INVERSE_ROUNDS: Final = 5

# The Krasovsky 1940 ellipsoid the formula was built on.
_SEMI_MAJOR_M: Final = 6378245.0
_ECCENTRICITY_2: Final = 0.00669342162296594323
_BD_TURN: Final = math.pi * 3000.0 / 180.0
_BD_LON: Final = 0.0065
_BD_LAT: Final = 0.006


class Datum(StrEnum):
    """What a pair of degrees refers to. Every incoming position names one."""

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"
    BD09 = "bd09"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Functions(Generic[Number]):
    """The elementary functions for one kind of number, so that one formula serves both."""

    sin: Callable[[Number], Number]
    cos: Callable[[Number], Number]
    sqrt: Callable[[Number], Number]
    atan2: Callable[[Number, Number], Number]


_SCALAR: Final[_Functions[float]] = _Functions(
    sin=math.sin, cos=math.cos, sqrt=math.sqrt, atan2=math.atan2
)
_ARRAY: Final[_Functions[FloatArray]] = _Functions(
    sin=np.sin, cos=np.cos, sqrt=np.sqrt, atan2=np.arctan2
)


def to_wgs84(lon: float, lat: float, datum: Datum | str) -> tuple[float, float]:
    """Return the WGS 84 position of one position given in `datum`.

    Exact to 1e-5 m against the formulas. Positions outside the box come back unchanged.

    Raises:
        ValueError: if `datum` is not one of `Datum`.
    """
    shift = Datum(datum)
    if shift in _UNSHIFTED:
        return lon, lat
    found_lon, found_lat = _unshift(lon, lat, _SCALAR, shift)
    inside = _in_box(found_lon, found_lat, BOX_MARGIN)
    return (found_lon, found_lat) if inside else (lon, lat)


def from_wgs84(lon: float, lat: float, datum: Datum | str) -> tuple[float, float]:
    """Return one WGS 84 position in `datum`; the inverse of `to_wgs84`.

    Raises:
        ValueError: if `datum` is not one of `Datum`.
    """
    shift = Datum(datum)
    if shift in _UNSHIFTED or not _in_box(lon, lat, 0.0):
        return lon, lat
    return _shift(lon, lat, _SCALAR, shift)


def to_wgs84_many(
    lons: Sequence[float] | FloatArray,
    lats: Sequence[float] | FloatArray,
    datum: Datum | str,
) -> tuple[FloatArray, FloatArray]:
    """`to_wgs84` for equally long sequences of longitudes and latitudes, about 1 us a point."""
    lon, lat = _arrays(lons, lats)
    shift = Datum(datum)
    if shift in _UNSHIFTED:
        return lon, lat
    found_lon, found_lat = _unshift(lon, lat, _ARRAY, shift)
    inside = _in_box_many(found_lon, found_lat, BOX_MARGIN)
    return np.where(inside, found_lon, lon), np.where(inside, found_lat, lat)


def from_wgs84_many(
    lons: Sequence[float] | FloatArray,
    lats: Sequence[float] | FloatArray,
    datum: Datum | str,
) -> tuple[FloatArray, FloatArray]:
    """`from_wgs84` for equally long sequences of longitudes and latitudes."""
    lon, lat = _arrays(lons, lats)
    shift = Datum(datum)
    if shift in _UNSHIFTED:
        return lon, lat
    inside = _in_box_many(lon, lat, 0.0)
    moved_lon, moved_lat = _shift(lon, lat, _ARRAY, shift)
    return np.where(inside, moved_lon, lon), np.where(inside, moved_lat, lat)


_UNSHIFTED: Final = frozenset({Datum.WGS84, Datum.CGCS2000})


def _arrays(
    lons: Sequence[float] | FloatArray, lats: Sequence[float] | FloatArray
) -> tuple[FloatArray, FloatArray]:
    lon = np.array(lons, dtype=np.float64)
    lat = np.array(lats, dtype=np.float64)
    if lon.shape != lat.shape:
        raise ValueError("as many longitudes as latitudes are needed")
    return lon, lat


def _in_box(lon: float, lat: float, margin: float) -> bool:
    return (
        BOX_LON[0] - margin <= lon <= BOX_LON[1] + margin
        and BOX_LAT[0] - margin <= lat <= BOX_LAT[1] + margin
    )


def _in_box_many(lon: FloatArray, lat: FloatArray, margin: float) -> NDArray[np.bool_]:
    in_lon = (lon >= BOX_LON[0] - margin) & (lon <= BOX_LON[1] + margin)
    in_lat = (lat >= BOX_LAT[0] - margin) & (lat <= BOX_LAT[1] + margin)
    return in_lon & in_lat


def _shift(
    lon: Number, lat: Number, f: _Functions[Number], datum: Datum
) -> tuple[Number, Number]:
    """WGS 84 to GCJ-02 or BD-09, without the box test."""
    delta_lon, delta_lat = _gcj_offset(lon, lat, f)
    gcj = (lon + delta_lon, lat + delta_lat)
    return gcj if datum is Datum.GCJ02 else _bd_from_gcj(*gcj, f)


def _unshift(
    lon: Number, lat: Number, f: _Functions[Number], datum: Datum
) -> tuple[Number, Number]:
    """GCJ-02 or BD-09 to WGS 84, without the box test: fixed-point iteration on the offset."""
    gcj_lon, gcj_lat = (lon, lat) if datum is Datum.GCJ02 else _gcj_from_bd(lon, lat, f)
    found_lon, found_lat = gcj_lon, gcj_lat
    for _ in range(INVERSE_ROUNDS):
        delta_lon, delta_lat = _gcj_offset(found_lon, found_lat, f)
        found_lon, found_lat = gcj_lon - delta_lon, gcj_lat - delta_lat
    return found_lon, found_lat


def _gcj_offset(lon: Number, lat: Number, f: _Functions[Number]) -> tuple[Number, Number]:
    """How far GCJ-02 moves the WGS 84 position (lon, lat), in degrees."""
    x, y = lon - 105.0, lat - 35.0
    root = f.sqrt(abs(x))
    ripple = 20.0 * f.sin(6.0 * math.pi * x) + 20.0 * f.sin(2.0 * math.pi * x)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    waves = 20.0 * f.sin(math.pi * y) + 40.0 * f.sin(math.pi * y / 3.0)
    swell = 160.0 * f.sin(math.pi * y / 12.0) + 320.0 * f.sin(math.pi * y / 30.0)
    north_m = north_m + (ripple + waves + swell) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    waves = 20.0 * f.sin(math.pi * x) + 40.0 * f.sin(math.pi * x / 3.0)
    swell = 150.0 * f.sin(math.pi * x / 12.0) + 300.0 * f.sin(math.pi * x / 30.0)
    east_m = east_m + (ripple + waves + swell) * 2.0 / 3.0
    phi = lat * (math.pi / 180.0)
    sine = f.sin(phi)
    flat = 1.0 - _ECCENTRICITY_2 * sine * sine
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_2) / (flat * f.sqrt(flat))
    parallel_m = _SEMI_MAJOR_M / f.sqrt(flat) * f.cos(phi)
    return east_m * 180.0 / (parallel_m * math.pi), north_m * 180.0 / (meridian_m * math.pi)


def _bd_from_gcj(lon: Number, lat: Number, f: _Functions[Number]) -> tuple[Number, Number]:
    radius = f.sqrt(lon * lon + lat * lat) + 0.00002 * f.sin(lat * _BD_TURN)
    angle = f.atan2(lat, lon) + 0.000003 * f.cos(lon * _BD_TURN)
    return radius * f.cos(angle) + _BD_LON, radius * f.sin(angle) + _BD_LAT


def _gcj_from_bd(lon: Number, lat: Number, f: _Functions[Number]) -> tuple[Number, Number]:
    """Invert `_bd_from_gcj` by iteration; the closed form is off by up to 0.23 m."""
    found_lon, found_lat = lon - _BD_LON, lat - _BD_LAT
    for _ in range(INVERSE_ROUNDS):
        bd_lon, bd_lat = _bd_from_gcj(found_lon, found_lat, f)
        found_lon, found_lat = found_lon + (lon - bd_lon), found_lat + (lat - bd_lat)
    return found_lon, found_lat
