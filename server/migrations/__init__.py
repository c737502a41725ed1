"""Versions of the schema, for both databases, and the way to the newest one.

`migrate` brings a database from any earlier version (or from nothing) to the newest in one
transaction; running it again does nothing. Revisions are written by hand and never changed once
released.
"""

import asyncio
import threading
from functools import lru_cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, insert, select

from server.clock import new_id, now_ms
from server.db.address import normalised
from server.db.postgres_store import LOCK_MS, connected, postgres_engine
from server.db.reach import everywhere
from server.db.sqlite_store import sqlite_engine
from server.db.tables import Incarnation

_STATEMENT_MS: Final = 600_000
_LOCK_KEY: Final = 7_215_463_104


def migrate(url: str = "", *, revision: str = "head") -> None:
    """Bring the schema of the store at `url` up to `revision`; safe to repeat, also at once.

    Must not be called on a running event loop (use `asyncio.to_thread`).

    Raises:
        StoreBusy: if the database cannot be reached.
        ValueError: if `url` names neither database.
    """
    parsed = normalised(url)
    if parsed.get_backend_name() == "sqlite":
        _migrate_sqlite(parsed, revision)
    else:
        asyncio.run(_migrate_postgres(parsed, revision))


def rewind(url: str, *, revision: str = "base") -> None:
    """Take the schema back to an earlier `revision`. Everything newer is dropped."""
    migrate(url, revision=f"down:{revision}")


@lru_cache(maxsize=1)
def head() -> str:
    """Return the newest revision this program knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise LookupError("no revisions are installed")
    return found


def is_current(db: Connection) -> bool:
    """Say whether the schema is the newest this program knows."""
    return MigrationContext.configure(db).get_current_revision() == head()


def _migrate_sqlite(url: URL, revision: str) -> None:
    engine = sqlite_engine(url, begin="BEGIN IMMEDIATE")
    try:
        with engine.begin() as db:
            _step(db, revision)
    finally:
        engine.dispose()


async def _migrate_postgres(url: URL, revision: str) -> None:
    engine = postgres_engine(url, pool=1, statement_ms=_STATEMENT_MS)
    try:
        db = await connected(engine)
        try:
            async with db.begin():
                await db.run_sync(_step, revision)
        finally:
            await db.close()
    finally:
        await engine.dispose()


def _step(db: Connection, revision: str) -> None:
    """Move to `revision` inside the caller's transaction, one process at a time."""
    if db.dialect.name == "postgresql":
        # Another process may be at it: waiting for that is no reason to fail. The limit on
        # waiting for the tables themselves stays.
        db.exec_driver_sql(f"SET LOCAL lock_timeout = {_STATEMENT_MS}")
        db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
        db.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MS}")
        everywhere(db)
    config = _config()
    config.attributes["connection"] = db
    with _ALEMBIC:
        if revision.startswith("down:"):
            command.downgrade(config, revision.removeprefix("down:"))
            return
        command.upgrade(config, revision)
    _begin_life(db)


# Alembic keeps the migration in progress in module state: one at a time in this process.
_ALEMBIC: Final = threading.Lock()


def _begin_life(db: Connection) -> None:
    """Give a new store its incarnation id."""
    table = Incarnation.__table__
    if db.execute(select(table.c.id).limit(1)).first() is None:
        db.execute(insert(table).values(id=new_id(), created_ms=now_ms()))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
