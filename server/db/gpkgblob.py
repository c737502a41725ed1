"""GeoPackage binary: how a geometry lies in a column of the SQLite store.

Source: OGC GeoPackage 1.3, clause 2.1.3. The header is `GP`, version 0, flags, srs_id, then the
envelope (minx, maxx, miny, maxy); the body is ISO WKB. We always write little-endian with an
envelope, except for empty geometries, which carry none.
"""

import struct
from collections.abc import Sequence
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

SRID: Final = 4326
_MAGIC: Final = b"GP"
_ENVELOPE_DOUBLES: Final = (0, 4, 6, 6, 8)
_HEADER: Final = struct.Struct("<2sBBi")
_XY_ENVELOPE: Final = struct.Struct("<4d")
_FLAGS_XY: Final = 0b0000_0011
_FLAGS_EMPTY: Final = 0b0001_0001

Envelope = tuple[float, float, float, float]


def encode(geometry: BaseGeometry) -> bytes:
    """Return the GeoPackage binary of a two-dimensional geometry in longitude and latitude."""
    wkb: bytes = shapely.to_wkb(geometry, output_dimension=2, byte_order=1)
    return from_wkb(wkb, None if geometry.is_empty else geometry.bounds)


def encode_all(geometries: Sequence[BaseGeometry | None]) -> list[bytes | None]:
    """Return `encode` of each geometry, None for None; much faster than one by one."""
    bodies = shapely.to_wkb(list(geometries), output_dimension=2, byte_order=1)
    bounds = shapely.bounds(list(geometries)).tolist()
    empty = shapely.is_empty(list(geometries))
    return [
        None if body is None else from_wkb(body, None if bare else box)
        for body, bare, box in zip(bodies, empty, bounds, strict=True)
    ]


def from_wkb(wkb: bytes, bounds: Envelope | None) -> bytes:
    """Put the GeoPackage header before `wkb`; `bounds` is (minx, miny, maxx, maxy)."""
    if bounds is None:
        return _HEADER.pack(_MAGIC, 0, _FLAGS_EMPTY, SRID) + wkb
    minx, miny, maxx, maxy = bounds
    header = _HEADER.pack(_MAGIC, 0, _FLAGS_XY, SRID)
    return header + _XY_ENVELOPE.pack(minx, maxx, miny, maxy) + wkb


def wkb_of(blob: bytes) -> bytes:
    """Return the WKB inside a GeoPackage binary.

    Raises:
        ValueError: if `blob` is not one.
    """
    return blob[_body_offset(blob) :]


def decode(blob: bytes) -> BaseGeometry:
    """Return the geometry of a GeoPackage binary.

    Raises:
        ValueError: if `blob` is not one.
    """
    try:
        geometry: BaseGeometry = shapely.from_wkb(wkb_of(blob))
    except shapely.errors.GEOSException as error:
        raise ValueError("not a GeoPackage geometry: unreadable WKB") from error
    return geometry


def is_empty(blob: bytes) -> bool:
    """Say whether the header marks the geometry as empty."""
    _body_offset(blob)
    return bool(blob[3] & 0b0001_0000)


def envelope(blob: bytes) -> Envelope | None:
    """Return (minx, miny, maxx, maxy) read from the header alone, None for an empty geometry.

    Raises:
        ValueError: if `blob` is not a GeoPackage binary.
    """
    if is_empty(blob):
        return None
    if _body_offset(blob) == _HEADER.size:
        minx, miny, maxx, maxy = decode(blob).bounds
        return minx, miny, maxx, maxy
    order = "<" if blob[3] & 1 else ">"
    minx, maxx, miny, maxy = struct.unpack_from(order + "4d", blob, _HEADER.size)
    return minx, miny, maxx, maxy


def _body_offset(blob: bytes) -> int:
    if len(blob) < _HEADER.size or blob[:2] != _MAGIC:
        raise ValueError("not a GeoPackage geometry")
    code = (blob[3] >> 1) & 0b111
    if code >= len(_ENVELOPE_DOUBLES):
        raise ValueError("not a GeoPackage geometry: unknown envelope")
    return _HEADER.size + 8 * _ENVELOPE_DOUBLES[code]
