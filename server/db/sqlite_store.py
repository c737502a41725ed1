"""The embedded store: one SQLite file, which is a GeoPackage at the same time.

One thread writes, because SQLite has one writer anyway and a queue in front of it never sees
"database is locked"; a few threads read snapshots beside it (WAL). Other processes (the command
line, QGIS) may open the same file: then a write waits `BUSY_MS` for the lock, is tried again,
and ends as `StoreBusy`.
"""

import asyncio
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from typing_extensions import override

from server.db import failpoints
from server.db.address import sqlite_path
from server.db.sqlfunctions import register_functions
from server.db.transaction import LostRace, Store, StoreBusy, T, Work, touched_by

BUSY_MS: Final = 1_000
QUEUE_MAX: Final = 64
READERS_MAX: Final = 4
_STATEMENTS_CACHED: Final = 256
_PRIMARY: Final = 0xFF
_WAL_PAUSE_MS: Final = 10
_BUSY_REASONS: Final = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR: "unreachable",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
}


class SqliteStore(Store):
    """A SQLite file behind one writer thread and a few reader threads."""

    dialect = "sqlite"
    groups = 1

    def __init__(self, url: URL, *, readers: int | None = None) -> None:
        super().__init__(url)
        count = readers or min(READERS_MAX, os.cpu_count() or 1)
        self._writer = sqlite_engine(url, begin="BEGIN IMMEDIATE", pool_size=1)
        self._readers = sqlite_engine(url, begin="BEGIN", pool_size=count, query_only=True)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="jingwei-writer")
        self._reading = ThreadPoolExecutor(count, thread_name_prefix="jingwei-reader")
        self._queued = 0
        self._counting = threading.Lock()

    @override
    async def close(self) -> None:
        """Let queued work finish, then close the file."""
        for threads in (self._writing, self._reading):
            await asyncio.to_thread(threads.shutdown)
        # Readers first: the last one to close folds the WAL into the file, and must be able to.
        self._readers.dispose()
        self._writer.dispose()

    @override
    async def scrub(self, *, whole: bool = False) -> None:
        """Fold the log into the file and empty it; a reader that takes long delays that.

        With `whole` the file is written anew first: one that is older than the overwriting of
        freed bytes may hold some.
        """
        await asyncio.wrap_future(self._writing.submit(_fold_log, self._writer, whole=whole))

    @override
    async def _write_once(
        self, work: Work[T], timeout_ms: int | None
    ) -> tuple[T, frozenset[str]]:
        # A caller that is cancelled while its work runs loses the answer, not the transaction:
        # the thread always finishes with COMMIT or ROLLBACK, and the writer stays usable.
        with self._counting:
            if self._queued >= QUEUE_MAX:
                raise StoreBusy("queue")
            self._queued += 1
        future = self._writing.submit(_write, self._writer, work)
        future.add_done_callback(self._left)
        return await asyncio.wrap_future(future)

    @override
    async def _read_once(self, work: Work[T], timeout_ms: int | None) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, _read, self._readers, work)

    def _left(self, _: object) -> None:
        with self._counting:
            self._queued -= 1


def sqlite_engine(
    url: URL, *, begin: str, pool_size: int = 1, query_only: bool = False
) -> Engine:
    """Return an engine whose connections are GeoPackage-aware and begin with `begin`.

    The driver's own transaction control (it begins late and never for SELECT) is switched off:
    SQLAlchemy's begin event sends `begin`, its commit and rollback end the transaction.
    """
    sqlite_path(url).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_MS / 1000,
        connect_args={
            "timeout": BUSY_MS / 1000,
            "check_same_thread": False,
            "cached_statements": _STATEMENTS_CACHED,
        },
    )

    @event.listens_for(engine, "connect")
    def _connected(raw: sqlite3.Connection, _record: Any) -> None:
        prepare_connection(raw, query_only=query_only)

    @event.listens_for(engine, "begin")
    def _begun(db: Connection) -> None:
        db.exec_driver_sql(begin)

    return engine


def prepare_connection(raw: sqlite3.Connection, *, query_only: bool = False) -> None:
    """Set what every connection to the file needs: WAL, durable commits, keys, functions.

    What is deleted or replaced is overwritten in the file: erased people must be gone from it.
    """
    raw.isolation_level = None
    raw.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    _use_wal(raw)
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA secure_delete = ON")
    raw.execute("PRAGMA temp_store = MEMORY")
    raw.execute("PRAGMA cache_size = -16000")
    register_functions(raw)
    if query_only:
        raw.execute("PRAGMA query_only = ON")


def _use_wal(raw: sqlite3.Connection) -> None:
    """Switch the file to WAL, which SQLite does not wait for as it waits for other locks."""
    for _ in range(BUSY_MS // _WAL_PAUSE_MS):
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_WAL_PAUSE_MS / 1000)
        else:
            return
    raw.execute("PRAGMA journal_mode = WAL")


def _write(engine: Engine, work: Work[T]) -> tuple[T, frozenset[str]]:
    try:
        with engine.connect() as db:
            failpoints.reach("connected")
            touched_by(db)
            with db.begin():
                answer = work(db)
                failpoints.reach("before-commit")
            failpoints.reach("after-commit")
            return answer, touched_by(db)
    except (DBAPIError, sqlite3.Error) as error:
        raise _translated(error) from error
    except PoolTimeout as error:
        raise StoreBusy("pool") from error


def _fold_log(engine: Engine, *, whole: bool) -> None:
    raw = engine.raw_connection()
    try:
        if whole:
            raw.cursor().execute("VACUUM")
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        raw.close()


def _read(engine: Engine, work: Work[T]) -> T:
    try:
        with engine.begin() as db:
            return work(db)
    except (DBAPIError, sqlite3.Error) as error:
        raise _translated(error) from error
    except PoolTimeout as error:
        raise StoreBusy("pool") from error


def _translated(error: DBAPIError | sqlite3.Error) -> Exception:
    """Return what the caller shall see; anything that is not about load stays as it is."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return error
    primary = code & _PRIMARY
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return LostRace("locked")
    reason = _BUSY_REASONS.get(primary)
    return error if reason is None else StoreBusy(reason)
