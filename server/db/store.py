"""The store: the one place that opens connections, begins and commits.

Work is a synchronous function of a SQLAlchemy `Connection`. It may run more than once, so it
must not change anything but the database and must not remember rows of an earlier run.

    seq = await store.write(lambda db: queries.advance(db, bucket))

Nothing is answered to anybody before `write` has returned: it returns after COMMIT.
"""

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, make_url

DEFAULT_PATH: Final = "var/jingwei.gpkg"
ATTEMPTS_MAX: Final = 4
_RETRY_PAUSE_S: Final = 0.005
_TOUCHED: Final = "jingwei.touched"
_LOG = logging.getLogger("jingwei.store")

T = TypeVar("T")
Work = Callable[[Connection], T]
Listener = Callable[[frozenset[str]], None]


class StoreBusy(Exception):  # noqa: N818 - a state of the store, answered with 503
    """The store cannot do the work now; the same call may succeed later.

    `reason` is one word for the log and holds no data: `locked`, `pool`, `timeout`, `full`,
    `queue`, `contended`, `unreachable`, or `refused` (name, password or database are wrong).
    After a connection lost during COMMIT the work may have been stored: callers repeat it under
    the same identity.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store is busy: {reason}")
        self.reason = reason


class RetryTransaction(Exception):  # noqa: N818 - asks for another attempt, is not a failure
    """Raised by work whose plan no longer holds: roll back and run it again."""


class LostRace(Exception):  # noqa: N818 - internal signal between a store and the retry loop
    """The transaction could not run beside another one; nothing was stored."""

    def __init__(self, reason: str = "contended") -> None:
        super().__init__(reason)
        self.reason = reason


class Store(ABC):
    """A database of either dialect. Safe for use from any number of tasks of one event loop."""

    dialect: str
    url: URL

    def __init__(self, url: URL) -> None:
        self.url = url
        self._listeners: list[Listener] = []

    async def write(self, work: Work[T], *, timeout_ms: int | None = None) -> T:
        """Run `work` in a read-write transaction, commit, and return what it returned.

        Runs it again after a serialization failure, a deadlock or `RetryTransaction`, at most
        `ATTEMPTS_MAX` times in all. `timeout_ms` replaces the time limit of one statement
        (jobs; PostgreSQL only).

        Raises:
            StoreBusy: if the database is locked, full, unreachable or too contended.
        """
        answer, touched = await _attempted(lambda: self._write_once(work, timeout_ms))
        if touched:
            self._tell(touched)
        return answer

    async def read(self, work: Work[T], *, timeout_ms: int | None = None) -> T:
        """Run `work` in a read-only transaction that sees one snapshot, and return its answer.

        Raises:
            StoreBusy: as for `write`.
        """
        return await _attempted(lambda: self._read_once(work, timeout_ms))

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` with the buckets named by `touch`, after each commit that named any.

        It runs on the event loop and must not block; what it raises is logged and dropped,
        because the transaction is already stored.
        """
        self._listeners.append(listener)

    @abstractmethod
    async def close(self) -> None:
        """Finish running work and close all connections."""

    @abstractmethod
    async def _write_once(
        self, work: Work[T], timeout_ms: int | None
    ) -> tuple[T, frozenset[str]]: ...

    @abstractmethod
    async def _read_once(self, work: Work[T], timeout_ms: int | None) -> T: ...

    def _tell(self, touched: frozenset[str]) -> None:
        for listener in self._listeners:
            try:
                listener(touched)
            except Exception:  # noqa: BLE001 - stored already: a broken wake-up costs time, never data
                _LOG.exception("a commit listener failed")


async def _attempted(once: Callable[[], Awaitable[T]]) -> T:
    """Run `once` until it does not lose a race, with growing pauses, `ATTEMPTS_MAX` times."""
    reason = "contended"
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await once()
        except RetryTransaction:
            reason = "contended"
        except LostRace as lost:
            reason = lost.reason
        if attempt < ATTEMPTS_MAX:
            await asyncio.sleep(_RETRY_PAUSE_S * 2**attempt)
    raise StoreBusy(reason)


def open_store(url: str = "", *, pool: int | None = None, allow_unsafe: bool = False) -> Store:
    """Open the store named by `url`; connections are made when they are needed.

    `url` is empty (`sqlite:///var/jingwei.gpkg`), `sqlite:///PATH` or `postgresql://…`. `pool`
    is the number of connections (PostgreSQL) or of readers (SQLite). `allow_unsafe` is for
    tests and throw-away servers: it accepts PostgreSQL with fsync, full_page_writes or
    synchronous_commit off, which otherwise make every use raise `UnsafeStore`.

    Raises:
        ValueError: if `url` names neither database.
    """
    from server.db.postgres_store import PostgresStore  # noqa: PLC0415 - they import this module
    from server.db.sqlite_store import SqliteStore  # noqa: PLC0415

    parsed = normalised(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteStore(parsed, readers=pool)
    return PostgresStore(parsed, pool=pool, allow_unsafe=allow_unsafe)


def normalised(url: str) -> URL:
    """Return `url` with the driver this product uses; empty means the default file.

    Raises:
        ValueError: if it names neither PostgreSQL nor a SQLite file.
    """
    parsed = make_url(url or f"sqlite:///{DEFAULT_PATH}")
    backend = parsed.get_backend_name()
    if backend in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+asyncpg")
    if backend != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise ValueError("the database must be postgresql://… or sqlite:///path-to-a-file")
    return parsed.set(drivername="sqlite+pysqlite", query={})


def sqlite_path(url: URL) -> Path:
    """Return the file a normalised SQLite `url` names."""
    return Path(os.fspath(url.database or DEFAULT_PATH))


def touch(db: Connection, buckets: Iterable[str]) -> None:
    """Note that this transaction changed `buckets`; listeners hear of it after COMMIT."""
    db.info.setdefault(_TOUCHED, set()).update(buckets)


def touched_by(db: Connection) -> frozenset[str]:
    """Take and forget what `touch` noted on this connection."""
    return frozenset(db.info.pop(_TOUCHED, ()))
