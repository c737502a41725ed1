"""Column types that look the same from Python on both databases.

Ids are canonical lower-case UUID text (`uuid` on PostgreSQL, `TEXT` on SQLite); geometries are
shapely objects in WGS84 degrees (PostGIS `geometry`, or GeoPackage binary on SQLite).
"""

from collections.abc import Callable
from typing import Any, Literal

import shapely
from geoalchemy2 import Geometry
from shapely.geometry.base import BaseGeometry
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType
from typing_extensions import override

from server.db import gpkgblob

GeometryKind = Literal["POINT", "MULTIPOLYGON"]

BIG = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both: SQLite's INTEGER has 64, and GeoPackage knows no other word for it."""

KEY_TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text in the order of its code points on both, so that an index finds how it begins."""


class Id(TypeDecorator[str]):
    """A UUID as canonical lower-case text in Python, on both databases."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(Text())


class EwkbGeometry(Geometry):
    """PostGIS geometry in its own text form, hexadecimal EWKB, so that no function wraps it.

    One `ST_AsEWKB` and one `ST_GeomFromEWKT` per value are saved against GeoAlchemy2's way.
    """

    cache_ok = True

    @override
    def column_expression(self, col: Any) -> Any:
        return col

    @override
    def bind_expression(self, bindvalue: Any) -> Any:
        return bindvalue

    @override
    def bind_processor(self, dialect: Any) -> None:
        return None

    @override
    def result_processor(self, dialect: Any, coltype: Any) -> None:
        return None


class GpkgGeometry(UserDefinedType[Any]):
    """A GeoPackage geometry column, declared by its kind of geometry as the standard asks."""

    cache_ok = True

    def __init__(self, kind: GeometryKind) -> None:
        self.kind = kind

    @override
    def get_col_spec(self, **kw: Any) -> str:
        return self.kind


class GpkgPoint(GpkgGeometry):
    """What a column declared POINT is read back as."""

    def __init__(self) -> None:
        super().__init__("POINT")


class GpkgMultiPolygon(GpkgGeometry):
    """What a column declared MULTIPOLYGON is read back as."""

    def __init__(self) -> None:
        super().__init__("MULTIPOLYGON")


# GeoAlchemy2 takes these words for SpatiaLite's and would look for its catalogue tables.
SQLiteDialect.ischema_names.update(POINT=GpkgPoint, MULTIPOLYGON=GpkgMultiPolygon)


class Geometry4326(TypeDecorator[BaseGeometry]):
    """A two-dimensional geometry in longitude and latitude degrees, SRID 4326.

    Values are shapely geometries of the declared kind; None where the column allows it.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, kind: GeometryKind) -> None:
        super().__init__()
        self.kind = kind

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(
                EwkbGeometry(self.kind, srid=gpkgblob.SRID, spatial_index=False)
            )
        return dialect.type_descriptor(GpkgGeometry(self.kind))

    @override
    def process_bind_param(self, value: BaseGeometry | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return self.encoder(dialect)(value)

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> BaseGeometry | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            geometry: BaseGeometry = shapely.from_wkb(value)
            return geometry
        return gpkgblob.decode(value)

    def encoder(self, dialect: Dialect) -> Callable[[BaseGeometry], Any]:
        """Return what turns a geometry into the bound value of `dialect`."""
        return _hex_ewkb if dialect.name == "postgresql" else gpkgblob.encode


def _hex_ewkb(geometry: BaseGeometry) -> str:
    with_srid = shapely.set_srid(geometry, gpkgblob.SRID)
    text: str = shapely.to_wkb(with_srid, hex=True, output_dimension=2, include_srid=True)
    return text
