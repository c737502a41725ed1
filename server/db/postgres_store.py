"""The production store: PostgreSQL with PostGIS through asyncpg.

Whatever happens to the server (restart, fail-over, full disk, too many connections) arrives at
the caller as `StoreBusy`. A pooled connection that died while idle is noticed on its
first statement, the pool is renewed and the work runs again; nothing was stored then. A
connection lost during COMMIT is not tried again here: only the caller knows how to ask twice.
"""

import asyncio
import logging
import os
from contextlib import suppress
from typing import Final

import asyncpg
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn
from typing_extensions import override

from server.db import failpoints
from server.db.reach import reach_unsaid
from server.db.transaction import LostRace, Store, StoreBusy, T, Work, touched_by

STATEMENT_MS: Final = 5_000
VACUUM_MS: Final = 3_600_000
_WITH_PEOPLE: Final = (
    "mutation",
    "record",
    "household",
    "resident",
    "visit",
    "note",
    "claim",
    "conflict",
    "held",
    "snapshot",
)
LOCK_MS: Final = 2_000
IDLE_IN_TRANSACTION_MS: Final = 10_000
POOL_WAIT_S: Final = 5.0  # whoever was admitted gets on; the crowd waits outside (admission)
CONNECT_S: Final = 3.0
POOL_PER_CORE: Final = 2
_STATEMENTS_CACHED: Final = 512
_LOG = logging.getLogger("jingwei.store")
_SAFE_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")
_NO_CONNECTION: Final = (DBAPIError, asyncpg.PostgresError, TimeoutError, OSError)
_REFUSED_CLASSES: Final = frozenset({"28", "3D"})
_STALE_PLAN: Final = AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError
_LOST_RACE: Final = frozenset({"40001", "40P01"})
_BUSY_STATES: Final = {"55P03": "locked", "57014": "timeout", "25P03": "timeout"}
_BUSY_CLASSES: Final = {"08": "unreachable", "53": "full", "57": "unreachable", "58": "full"}


class UnsafeStore(Exception):  # noqa: N818 - a refusal to start
    """The PostgreSQL server could lose acknowledged work in a crash; `settings` names why."""

    def __init__(self, settings: list[str]) -> None:
        super().__init__("PostgreSQL must not run with these off: " + ", ".join(settings))
        self.settings = settings


def unsafe_settings(db: Connection) -> list[str]:
    """Return the server settings with which an acknowledged commit could be lost; sorted."""
    if db.dialect.name != "postgresql":
        return []
    query = "SELECT name FROM pg_settings WHERE name = ANY($1::text[]) AND setting = 'off'"
    rows = db.exec_driver_sql(query + " ORDER BY name", (list(_SAFE_SETTINGS),))
    return [str(row[0]) for row in rows]


class PostgresStore(Store):
    """A PostgreSQL database behind a pool of asyncpg connections."""

    dialect = "postgresql"
    groups = 3

    def __init__(
        self, url: URL, *, pool: int | None = None, allow_unsafe: bool = False
    ) -> None:
        super().__init__(url)
        self._engine = postgres_engine(url, pool=pool)
        self._snapshots = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._questions = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._checked = allow_unsafe

    @override
    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @override
    async def scrub(self, *, whole: bool = False) -> None:
        """Write the tables that hold people anew, if `whole`; they are locked meanwhile.

        A plain vacuum frees the bytes of dead rows and leaves them where they are. Write-ahead
        log that was written before stays until the server recycles it.
        """
        if not whole:
            return
        db = await self._connected(self._questions)
        try:
            await _run(db, _rewrite, None)
        finally:
            await _given_back(db)

    @override
    async def _write_once(
        self, work: Work[T], timeout_ms: int | None
    ) -> tuple[T, frozenset[str]]:
        db = await self._connected(self._engine)
        try:
            failpoints.reach("connected")
            answer, touched = await _run(db, work, timeout_ms)
            failpoints.reach("before-commit")
            try:
                await db.commit()
            except (DBAPIError, TimeoutError, OSError) as error:
                raise _after_commit(error) from error
            failpoints.reach("after-commit")
            return answer, touched
        finally:
            await _given_back(db)

    @override
    async def _read_once(self, work: Work[T], timeout_ms: int | None) -> T:
        return await self._answered(self._snapshots, work, timeout_ms)

    @override
    async def _ask_once(self, work: Work[T]) -> T:
        if not self._checked:
            return await self._answered(self._questions, work, None)
        return await greenlet_spawn(_asked, self._questions.sync_engine, work)

    @override
    async def _note_once(self, work: Work[T]) -> T:
        failpoints.reach("connected")
        answer = await self._ask_once(work)
        failpoints.reach("after-commit")
        return answer

    async def _answered(self, engine: AsyncEngine, work: Work[T], timeout_ms: int | None) -> T:
        db = await self._connected(engine)
        try:
            answer, _ = await _run(db, work, timeout_ms)
            return answer
        finally:
            await _given_back(db)

    async def _connected(self, engine: AsyncEngine) -> AsyncConnection:
        db = await connected(engine)
        if not self._checked:
            await self._refuse_unsafe(db)
        return db

    async def _refuse_unsafe(self, db: AsyncConnection) -> None:
        try:
            found, _ = await _run(db, unsafe_settings, None)
            await db.rollback()
        except BaseException:
            await _given_back(db)
            raise
        if found:
            await _given_back(db)
            raise UnsafeStore(found)
        self._checked = True


def _rewrite(db: Connection) -> None:
    """Write the tables anew without what is dead, and the statistics made from them."""
    db.exec_driver_sql(f"SET statement_timeout = {VACUUM_MS}")
    try:
        db.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {', '.join(_WITH_PEOPLE)}")
        db.exec_driver_sql("VACUUM (FULL) pg_statistic")
    finally:
        db.exec_driver_sql(f"SET statement_timeout = {STATEMENT_MS}")


def postgres_engine(
    url: URL, *, pool: int | None = None, statement_ms: int = STATEMENT_MS
) -> AsyncEngine:
    """Return an engine with this product's limits on waiting, for `url` normalised."""
    engine = create_async_engine(
        url,
        pool_size=pool or POOL_PER_CORE * (os.cpu_count() or 1),
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_use_lifo=True,
        connect_args={
            "timeout": CONNECT_S,
            "prepared_statement_cache_size": _STATEMENTS_CACHED,
            "server_settings": {
                "application_name": "jingwei",
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(statement_ms),
                "lock_timeout": str(LOCK_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
            },
        },
    )
    event.listen(engine.sync_engine, "rollback_savepoint", _back_at_savepoint)
    return engine


def _back_at_savepoint(db: Connection, *_: object) -> None:
    """What a transaction may touch is a setting, and goes back like everything else."""
    reach_unsaid(db)


async def _run(
    db: AsyncConnection, work: Work[T], timeout_ms: int | None
) -> tuple[T, frozenset[str]]:
    """Run `work` on an open connection; translate what the database did to it."""

    def inside(connection: Connection) -> tuple[T, frozenset[str]]:
        touched_by(connection)
        reach_unsaid(connection)
        if timeout_ms is not None:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(timeout_ms)}")
        answer = work(connection)
        return answer, touched_by(connection)

    try:
        return await db.run_sync(inside)
    except DBAPIError as error:
        raise _translated(error) from error
    except OSError as error:
        raise StoreBusy("unreachable") from error


def _asked(engine: Engine, work: Work[T]) -> T:
    """Run `work` on a connection that begins no transaction, so that nothing is left open.

    All in one greenlet, which a caller who is cancelled leaves like any block of code: whoever
    has the connection next waits until the driver has cancelled the statement.
    """
    try:
        db = engine.connect()
    except PoolTimeout as error:
        raise StoreBusy("pool") from error
    except _NO_CONNECTION as error:
        raise _not_connected(error) from error
    try:
        return work(db)
    except DBAPIError as error:
        raise _translated(error) from error
    except OSError as error:
        raise StoreBusy("unreachable") from error
    finally:
        with suppress(DBAPIError, OSError):
            db.close()


async def _given_back(db: AsyncConnection) -> None:
    """Roll back what is open and return the connection, also when the caller is cancelled."""
    await asyncio.shield(_closed(db))


async def _closed(db: AsyncConnection) -> None:
    # If it died before the rollback the work is undone, and the pool has dropped it already.
    with suppress(DBAPIError, OSError):
        await db.close()


async def connected(engine: AsyncEngine) -> AsyncConnection:
    """Return an open connection; the caller closes it.

    Raises:
        StoreBusy: if there is none to have; the log says why, without the password.
    """
    try:
        return await engine.connect()
    except PoolTimeout as error:
        raise StoreBusy("pool") from error
    except _NO_CONNECTION as error:
        raise _not_connected(error) from error


def _not_connected(error: Exception) -> StoreBusy:
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    reason = "refused" if state[:2] in _REFUSED_CLASSES else "unreachable"
    _LOG.warning("no connection to PostgreSQL: %s %s", type(error).__name__, state)
    return StoreBusy(reason)


def _translated(error: DBAPIError) -> Exception:
    """Return what the caller shall see; anything that is not about load stays as it is."""
    if error.connection_invalidated or isinstance(error.orig, _STALE_PLAN):
        return LostRace("unreachable")
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state in _LOST_RACE:
        return LostRace("contended")
    reason = _BUSY_STATES.get(state) or _BUSY_CLASSES.get(state[:2])
    return error if reason is None else StoreBusy(reason)


def _after_commit(error: Exception) -> Exception:
    """A commit that failed by a rule was not stored; one that lost its connection may be."""
    if isinstance(error, DBAPIError) and not error.connection_invalidated:
        return _translated(error)
    return StoreBusy("unreachable")
