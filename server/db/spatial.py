"""Spatial expressions of both dialects; no other module writes an `ST_` function into SQL.

`dialect` is `Connection.dialect.name` or `Store.dialect`. Tables are feature tables: they have
`fid` and `geom`. Bounds are (minx, miny, maxx, maxy) in WGS84 degrees.
"""

from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    LargeBinary,
    Select,
    Text,
    and_,
    column,
    func,
    literal,
    select,
)
from sqlalchemy import table as named_table

from server.db import gpkgblob
from server.db.geopackage import GEOMETRY_COLUMN, rtree_name

Bounds = tuple[float, float, float, float]
_GEOJSON_DIGITS = 7


def bbox_filter(dialect: str, table: FromClause, bounds: Bounds) -> ColumnElement[bool]:
    """Return the condition that a feature's envelope meets `bounds`, answered by the index.

    Envelopes are kept in single precision on both databases, rounded outwards: a feature up to
    one metre outside may pass. Use `intersects` where that matters.
    """
    minx, miny, maxx, maxy = bounds
    geom = table.c[GEOMETRY_COLUMN]
    if dialect == "postgresql":
        box = func.ST_MakeEnvelope(minx, miny, maxx, maxy, gpkgblob.SRID)
        return geom.op("&&", is_comparison=True)(box)
    sides: list[ColumnClause[float]] = [
        column(name) for name in ("minx", "maxx", "miny", "maxy")
    ]
    rtree = named_table(rtree_name(_table_name(table)), column("id"), *sides)
    found = select(rtree.c.id).where(
        rtree.c.maxx >= minx,
        rtree.c.minx <= maxx,
        rtree.c.maxy >= miny,
        rtree.c.miny <= maxy,
    )
    return table.c.fid.in_(found)


def intersects(dialect: str, table: FromClause, area: BaseGeometry) -> ColumnElement[bool]:
    """Return the condition that a feature and `area` share a point, exact and by the index."""
    geom = table.c[GEOMETRY_COLUMN]
    if dialect == "postgresql":
        wkb: bytes = shapely.to_wkb(area, output_dimension=2)
        other = func.ST_GeomFromWKB(literal(wkb, LargeBinary), gpkgblob.SRID)
        return func.ST_Intersects(geom, other)
    blob = literal(gpkgblob.encode(area), LargeBinary)
    exact = func.gpkg_intersects(geom, blob) == 1
    return and_(bbox_filter(dialect, table, area.bounds), exact)


def extent(dialect: str, table: FromClause, condition: ColumnElement[bool]) -> Select[Any]:
    """Return the question for minx, miny, maxx, maxy of the features of a condition.

    All four are NULL without features; on SQLite up to a metre too large.
    """
    if dialect == "postgresql":
        box = func.ST_Extent(table.c[GEOMETRY_COLUMN])
        sides = (
            func.ST_XMin(box),
            func.ST_YMin(box),
            func.ST_XMax(box),
            func.ST_YMax(box),
        )
        return select(*sides).where(condition)
    names = ("minx", "miny", "maxx", "maxy")
    rtree = named_table(
        rtree_name(_table_name(table)), column("id"), *(column(each) for each in names)
    )
    sides = (
        func.min(rtree.c.minx),
        func.min(rtree.c.miny),
        func.max(rtree.c.maxx),
        func.max(rtree.c.maxy),
    )
    return (
        select(*sides)
        .select_from(table.join(rtree, table.c.fid == rtree.c.id))
        .where(condition)
    )


def as_wkb(dialect: str, table: FromClause) -> ColumnElement[bytes]:
    """Return a feature's geometry as WKB bytes (little-endian, two-dimensional)."""
    geom = table.c[GEOMETRY_COLUMN]
    if dialect == "postgresql":
        return func.ST_AsBinary(geom, "NDR", type_=LargeBinary)
    return func.gpkg_as_wkb(geom, type_=LargeBinary)


def as_geojson(dialect: str, table: FromClause) -> ColumnElement[str]:
    """Return a feature's geometry as the text of a GeoJSON geometry, seven decimals."""
    geom = table.c[GEOMETRY_COLUMN]
    if dialect == "postgresql":
        return func.ST_AsGeoJSON(geom, _GEOJSON_DIGITS, 0, type_=Text)
    return func.gpkg_as_geojson(geom, type_=Text)


def _table_name(table: FromClause) -> str:
    """Return the name in the database of a table or of what an alias stands for."""
    return str(getattr(getattr(table, "element", table), "name", ""))
