"""Set-based reads and writes: one statement for many rows, on both databases.

PostgreSQL gets one array per column (`unnest`), SQLite one `executemany`. The SQL of a shape is
built once. Rows of one call have the same columns.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

from server.db import gpkgblob
from server.db.types import Geometry4326, Id

ROWS_MAX: Final = 10_000
_SHAPES_CACHED: Final = 512
_POSTGRES_TYPES: Final = (
    (Id, "uuid"),
    (Geometry4326, "bytea"),
    (String, "text"),
    (BigInteger, "bigint"),
    (Integer, "integer"),
    (Boolean, "boolean"),
    (LargeBinary, "bytea"),
)

Rows = Sequence[Mapping[str, Any]]
Encoder = Callable[[list[Any]], list[Any]]


def among(
    db: Connection, column: ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Return the condition that `column` is one of `values`, one bind whatever their number."""
    if db.dialect.name == "postgresql":
        array = bindparam(None, list(values), type_=ARRAY(column.type), unique=True)
        return column == any_(array)
    members = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(members.c.value))


def among_listed(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Like `among` for a statement that is built once: the values come as `listed(db, …)`.

    They are bound to the parameter `name` each time the statement is executed.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    members = func.json_each(bindparam(name, type_=String)).table_valued("value")
    return column.in_(select(members.c.value))


def listed(db: Connection, values: Collection[Any]) -> Any:
    """Return `values` as the parameter of an `among_listed` condition."""
    return list(values) if db.dialect.name == "postgresql" else json.dumps(list(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsert:
    """Rows of one table to be written; the members are those of `upsert`."""

    table: Table
    rows: Rows
    key: tuple[str, ...]
    update: tuple[str, ...] | None


def joined(parts: Iterable[Upsert]) -> list[Upsert]:
    """Return parts of the same table as one, in order of their first one.

    A column that one of them sets is set by all: its rows must hold all columns then.
    """
    by_table: dict[Table, list[Upsert]] = {}
    for each in parts:
        if each.rows:
            by_table.setdefault(each.table, []).append(each)
    return [same[0] if len(same) == 1 else _joined(same) for same in by_table.values()]


def _joined(same: Sequence[Upsert]) -> Upsert:
    first = same[0]
    changed = None
    if first.update is not None:
        changed = tuple(dict.fromkeys(name for each in same for name in each.update or ()))
    rows = [row for each in same for row in each.rows]
    return Upsert(table=first.table, rows=rows, key=first.key, update=changed)


def upsert_all(db: Connection, parts: Iterable[Upsert]) -> None:
    """Write several tables: in one statement on PostgreSQL, in one a table on SQLite.

    The tables must differ and none may need another's rows to be there first. Parts without
    rows are passed over.

    Raises:
        ValueError: as `upsert` does.
    """
    filled = [each for each in parts if each.rows]
    if db.dialect.name != "postgresql":
        for each in filled:
            upsert(db, each.table, each.rows, key=each.key, update=each.update)
        return
    if not filled:
        return
    statements: list[str] = []
    arguments: list[Any] = []
    for place, each in enumerate(filled):
        ordered, columns = _checked(each.rows, each.key), tuple(each.rows[0])
        first = len(arguments) + 1
        shape = _postgres_shape(each.table, columns, each.key, each.update, first=first)
        arguments.extend(_columnwise(shape, columns, ordered, _wkb_of_all))
        statements.append(f"w{place} AS ({shape.sql})")
    db.exec_driver_sql(f"WITH {', '.join(statements)} SELECT 1", tuple(arguments))


def upsert(
    db: Connection,
    table: Table,
    rows: Rows,
    *,
    key: tuple[str, ...],
    update: tuple[str, ...] | None,
) -> None:
    """Insert `rows`; where a row with the same `key` exists, set its `update` columns.

    With `update=None` an existing row is an error (`IntegrityError`); with `update=()` it is
    left alone. Rows are written in order of their key, so that concurrent callers cannot
    deadlock. Geometry columns take shapely geometries.

    Raises:
        ValueError: if two rows have the same key, or there are more than `ROWS_MAX`.
    """
    _write(db, table, rows, key=key, update=update)


def insert_new(db: Connection, table: Table, rows: Rows, key: tuple[str, ...]) -> int:
    """Insert the rows whose `key` does not exist yet and return how many those were."""
    return _write(db, table, rows, key=key, update=())


def _write(
    db: Connection,
    table: Table,
    rows: Rows,
    *,
    key: tuple[str, ...],
    update: tuple[str, ...] | None,
) -> int:
    if not rows:
        return 0
    ordered = _checked(rows, key)
    columns = tuple(rows[0])
    if db.dialect.name == "postgresql":
        shape = _postgres_shape(table, columns, key, update)
        arrays = _columnwise(shape, columns, ordered, _wkb_of_all)
        return db.exec_driver_sql(shape.sql, arrays).rowcount
    shape = _sqlite_shape(table, columns, key, update)
    arrays = _columnwise(shape, columns, ordered, gpkgblob.encode_all)
    return db.exec_driver_sql(shape.sql, list(zip(*arrays, strict=True))).rowcount


def _checked(rows: Rows, key: tuple[str, ...]) -> Rows:
    if len(rows) > ROWS_MAX:
        raise ValueError(f"at most {ROWS_MAX} rows at a time")
    return _in_key_order(rows, key)


def _in_key_order(rows: Rows, key: tuple[str, ...]) -> Rows:
    keyed = {tuple(row[name] for name in key): row for row in rows}
    if len(keyed) != len(rows):
        raise ValueError("two rows have the same key")
    return [keyed[each] for each in sorted(keyed)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """SQL for one set of columns; `geometries` are the positions that hold geometries."""

    sql: str
    geometries: tuple[int, ...]


def _columnwise(
    shape: _Shape, columns: tuple[str, ...], rows: Rows, encode_all: Encoder
) -> tuple[list[Any], ...]:
    values = [[row[name] for row in rows] for name in columns]
    for position in shape.geometries:
        values[position] = encode_all(values[position])
    return tuple(values)


@lru_cache(maxsize=_SHAPES_CACHED)
def _postgres_shape(
    table: Table,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    update: tuple[str, ...] | None,
    *,
    first: int = 1,
) -> _Shape:
    """The statement; its parameters are numbered from `first`."""
    kinds = [table.c[name].type for name in columns]
    arrays = [
        f"${place}::{_postgres_type(kind)}[]" for place, kind in enumerate(kinds, start=first)
    ]
    picked = [
        f"ST_GeomFromWKB({name}, {gpkgblob.SRID})" if isinstance(kind, Geometry4326) else name
        for name, kind in zip(_quoted(columns), kinds, strict=True)
    ]
    names = ", ".join(_quoted(columns))
    sql = (
        f"INSERT INTO {_name(table.name)} ({names}) SELECT {', '.join(picked)} "  # noqa: S608
        f"FROM unnest({', '.join(arrays)}) AS given({names})"
    )
    return _Shape(sql=sql + _on_conflict(key, update), geometries=_geometries(table, columns))


@lru_cache(maxsize=_SHAPES_CACHED)
def _sqlite_shape(
    table: Table,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    update: tuple[str, ...] | None,
) -> _Shape:
    marks = ", ".join("?" * len(columns))
    names = ", ".join(_quoted(columns))
    sql = f"INSERT INTO {_name(table.name)} ({names}) VALUES ({marks})"  # noqa: S608
    return _Shape(sql=sql + _on_conflict(key, update), geometries=_geometries(table, columns))


def _geometries(table: Table, columns: tuple[str, ...]) -> tuple[int, ...]:
    kinds = [table.c[name].type for name in columns]
    return tuple(place for place, kind in enumerate(kinds) if isinstance(kind, Geometry4326))


def _on_conflict(key: tuple[str, ...], update: tuple[str, ...] | None) -> str:
    if update is None:
        return ""
    target = f" ON CONFLICT ({', '.join(_quoted(key))}) DO "
    if not update:
        return target + "NOTHING"
    return target + "UPDATE SET " + ", ".join(f"{n} = excluded.{n}" for n in _quoted(update))


def _postgres_type(kind: TypeEngine[Any]) -> str:
    for known, name in _POSTGRES_TYPES:
        if isinstance(kind, known):
            return name
    raise TypeError(f"no array type for {kind!r}")


def _quoted(names: Sequence[str]) -> list[str]:
    return [_name(name) for name in names]


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _wkb_of_all(geometries: Sequence[BaseGeometry | None]) -> list[bytes | None]:
    encoded: list[bytes | None] = shapely.to_wkb(list(geometries), output_dimension=2).tolist()
    return encoded
