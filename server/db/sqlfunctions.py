"""SQL functions a GeoPackage needs, registered on every SQLite connection.

The R-tree triggers call `ST_MinX` … `ST_IsEmpty` (GeoPackage annex F.3); the others serve
`server.db.spatial` and have names of ours, because GeoAlchemy2 rewrites the `ST_` names it
knows into SpatiaLite's on this dialect. All take GeoPackage binary.
"""

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from server.db import gpkgblob

_PREPARED: Final = 16

SqlValue = bytes | str | float | int | None


def register_functions(raw: sqlite3.Connection) -> None:
    """Register all functions of this module on one connection."""
    functions: dict[str, tuple[int, Callable[..., SqlValue]]] = {
        "ST_MinX": (1, lambda blob: _side(blob, 0)),
        "ST_MinY": (1, lambda blob: _side(blob, 1)),
        "ST_MaxX": (1, lambda blob: _side(blob, 2)),
        "ST_MaxY": (1, lambda blob: _side(blob, 3)),
        "ST_IsEmpty": (1, _is_empty),
        "gpkg_intersects": (2, _intersects),
        "gpkg_as_wkb": (1, _as_binary),
        "gpkg_as_geojson": (1, _as_geojson),
    }
    for name, (count, function) in functions.items():
        raw.create_function(name, count, function, deterministic=True)


def _side(blob: bytes | None, side: int) -> float | None:
    bounds = None if blob is None else gpkgblob.envelope(blob)
    return None if bounds is None else bounds[side]


def _is_empty(blob: bytes | None) -> int | None:
    return None if blob is None else int(gpkgblob.is_empty(blob))


def _intersects(blob: bytes | None, other: bytes | None) -> int | None:
    if blob is None or other is None:
        return None
    return int(_prepared(other).intersects(gpkgblob.decode(blob)))


def _as_binary(blob: bytes | None) -> bytes | None:
    return None if blob is None else gpkgblob.wkb_of(blob)


def _as_geojson(blob: bytes | None) -> str | None:
    if blob is None:
        return None
    text: str = shapely.to_geojson(gpkgblob.decode(blob))
    return text


@lru_cache(maxsize=_PREPARED)
def _prepared(blob: bytes) -> BaseGeometry:
    geometry = gpkgblob.decode(blob)
    shapely.prepare(geometry)
    return geometry
