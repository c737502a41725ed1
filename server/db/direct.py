"""Statements asked of the driver itself: for the few that every contact of a phone asks.

The statement is written with SQLAlchemy like any other, compiled once a dialect, and then goes
to asyncpg or sqlite3 as text. What comes back are the driver's own rows and values: ids have to
be selected as text (`as_text`), and geometries must not be selected at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import ClauseElement, ColumnElement, Connection, Dialect, Text, cast
from sqlalchemy.util import await_only

_FAILED: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, OSError)


def as_text(column: Any) -> ColumnElement[str]:
    """Return an id column as the text that the rest of the product knows it by."""
    return cast(column, Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def parameters(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        given = {**self.fixed, **values}
        return tuple([given[name] for name in self.names])


class Direct:
    """One statement with named parameters; safe to keep and to share between threads.

    It must have as many parameters as values: no `in_`.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, db: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows; each is unpacked by position.

        Raises:
            DBAPIError: as `Connection.execute` does.
        """
        compiled = self._compiled.get(db.dialect.name) or self._compile(db.dialect)
        parameters = compiled.parameters(values)
        if db.dialect.name != "postgresql":
            raw: Any = db.connection.driver_connection
            rows: list[Any] = raw.execute(compiled.sql, parameters).fetchall()
            return rows
        if db.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return _fetched(db, compiled.sql, parameters)
        return db.exec_driver_sql(compiled.sql, parameters).all()

    def _compile(self, dialect: Dialect) -> _Compiled:
        made: Any = self._statement.compile(dialect=dialect)
        names = tuple(made.positiontup or ())
        fixed = {
            name: made.binds[name].value for name in names if not made.binds[name].required
        }
        compiled = _Compiled(sql=str(made), names=names, fixed=fixed)
        self._compiled[dialect.name] = compiled
        return compiled


def _fetched(db: Connection, sql: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
    """Ask asyncpg; no transaction is open, so what failed can be asked again.

    The second time it is SQLAlchemy that asks: it renews the pool and names the failure in the
    way that the store understands.
    """
    raw: Any = db.connection.driver_connection
    try:
        rows: Sequence[Any] = await_only(raw.fetch(sql, *parameters))
    except asyncpg.InternalClientError:
        # It was told to end and has not ended yet; it never will be of use again.
        raw.terminate()
    except _FAILED:
        pass
    else:
        return rows
    return db.exec_driver_sql(sql, parameters).all()
