"""How a migrated schema is compared with the tables of `server.db.tables`."""

from typing import Any, Final

from sqlalchemy import Dialect
from sqlalchemy.types import TypeEngine

_FOREIGN: Final = ("gpkg_", "rtree_", "sqlite_")
_POSTGIS: Final = frozenset({"spatial_ref_sys"})


def include_object(
    _thing: Any, name: str | None, kind: str, _reflected: Any, _other: Any
) -> bool:
    """Leave out what belongs to GeoPackage, PostGIS or the database, and spatial indexes."""
    if kind == "index":
        return not str(name).startswith("idx_")
    if kind != "table" or name is None:
        return True
    return not name.startswith(_FOREIGN) and name not in _POSTGIS


def compare_types(
    context: Any, _found: Any, _column: Any, found: TypeEngine[Any], wanted: TypeEngine[Any]
) -> bool:
    """Say whether the declared type of a column differs from what the database holds.

    Types are compared as the dialect spells them, which also tells geometries apart.
    """
    dialect: Dialect = context.dialect
    return _spelled(found, dialect) != _spelled(wanted, dialect)


def _spelled(kind: TypeEngine[Any], dialect: Dialect) -> str:
    return str(dialect.type_compiler_instance.process(kind)).upper().replace(" ", "")
