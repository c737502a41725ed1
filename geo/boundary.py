"""Boundaries as one short string: the encoded polyline algorithm with seven decimals.

A ring is an ordinary encoded polyline in (latitude, longitude) order, precision 7, closing
vertex included, so any polyline decoder reads it. Rings of a polygon are joined by `,`
(exterior first), polygons by `;`. Neither sign occurs in the polyline alphabet (`?` to `~`).
Real grids take a fifth of the bytes of compact GeoJSON.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from shapely import LinearRing, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.polygon import SNAP_PER_DEGREE, as_multipolygon

VERTICES_MAX: Final = 200_000
POSITIONS_MIN: Final = 4

_RING: Final = ","
_POLYGON: Final = ";"
_FIRST: Final = 63
_LAST: Final = 126
_MORE: Final = 0x20
_CHUNK: Final = 0x1F
# Seven chunks hold 35 bits: enough for a zig-zag difference of 360 degrees in 1e-7 steps.
_CHUNKS_MAX: Final = 7
_LAT_MAX: Final = 90 * SNAP_PER_DEGREE
_LON_MAX: Final = 180 * SNAP_PER_DEGREE


def encode_boundary(geometry: BaseGeometry) -> str:
    """Return a polygon or multipolygon as a boundary string.

    Coordinates are rounded to 1e-7 degree, so `decode_boundary` returns the same geometry (as a
    multipolygon, vertex for vertex) when it was snapped before.

    Raises:
        GeoError: `type-not-allowed` or `empty-geometry`.
    """
    return _POLYGON.join(
        _RING.join(_encode_ring(ring) for ring in (polygon.exterior, *polygon.interiors))
        for polygon in as_multipolygon(geometry).geoms
    )


def decode_boundary(text: str) -> MultiPolygon:
    """Return the multipolygon of a boundary string, in WGS 84 degrees (longitude, latitude).

    Validity in the OGC sense is not checked here, see `geo.polygon.refuse_invalid`.

    Raises:
        GeoError: `boundary-unreadable`, `boundary-too-long`, `out-of-range`,
        `too-few-positions`
            or `ring-not-closed`.
    """
    # A vertex takes two characters at least, so this bounds the work before it is done.
    if len(text) > VERTICES_MAX * 2 * _CHUNKS_MAX:
        raise GeoError("", "boundary-too-long", f"At most {VERTICES_MAX} vertices are allowed")
    polygons = []
    for each in text.split(_POLYGON):
        exterior, *holes = (_decode_ring(ring) for ring in each.split(_RING))
        polygons.append(Polygon(exterior, holes))
    return MultiPolygon(polygons)


def _encode_ring(ring: LinearRing) -> str:
    steps = np.rint(np.asarray(ring.coords)[:, 1::-1] * SNAP_PER_DEGREE).astype(np.int64)
    differences = np.diff(steps, axis=0, prepend=0).ravel()
    zigzag = (differences << 1) ^ (differences >> 63)
    return "".join(_encode_number(value) for value in zigzag.tolist())


def _encode_number(value: int) -> str:
    chunks = []
    while value >= _MORE:
        chunks.append(chr((value & _CHUNK | _MORE) + _FIRST))
        value >>= 5
    chunks.append(chr(value + _FIRST))
    return "".join(chunks)


def _decode_ring(text: str) -> list[tuple[float, float]]:
    numbers = list(_decode_numbers(text))
    if len(numbers) % 2:
        raise GeoError("", "boundary-unreadable", "A ring ends in the middle of a position")
    if len(numbers) < 2 * POSITIONS_MIN:
        raise GeoError("", "too-few-positions", "A ring needs at least four positions")
    lats = np.cumsum(numbers[0::2], dtype=np.int64)
    lons = np.cumsum(numbers[1::2], dtype=np.int64)
    if np.abs(lats).max() > _LAT_MAX or np.abs(lons).max() > _LON_MAX:
        raise GeoError("", "out-of-range", "A position lies outside of longitude and latitude")
    if lats[0] != lats[-1] or lons[0] != lons[-1]:
        raise GeoError("", "ring-not-closed", "The last position of a ring must be its first")
    pairs = zip(
        (lons / SNAP_PER_DEGREE).tolist(), (lats / SNAP_PER_DEGREE).tolist(), strict=True
    )
    return list(pairs)


def _decode_numbers(text: str) -> Iterator[int]:
    value = shift = 0
    for sign in text:
        code = ord(sign)
        if not _FIRST <= code <= _LAST or shift >= 5 * _CHUNKS_MAX:
            raise GeoError("", "boundary-unreadable", "Not an encoded polyline")
        value |= (code - _FIRST & _CHUNK) << shift
        shift += 5
        if code - _FIRST < _MORE:
            yield (value >> 1) ^ -(value & 1)
            value = shift = 0
    if shift:
        raise GeoError("", "boundary-unreadable", "A number is cut off at the end of a ring")
