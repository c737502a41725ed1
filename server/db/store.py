"""The store: the one place that opens connections, begins and commits.

Work is a synchronous function of a SQLAlchemy `Connection`. It may run more than once, so it
must not change anything but the database and must not remember rows of an earlier run.

    seq = await store.write(lambda db: queries.advance(db, bucket))

Nothing is answered to anybody before `write` has returned: it returns after COMMIT.
"""

from server.db.address import normalised, sqlite_path
from server.db.postgres_store import PostgresStore, UnsafeStore, unsafe_settings
from server.db.sqlite_store import SqliteStore
from server.db.transaction import (
    ATTEMPTS_MAX,
    RetryTransaction,
    Store,
    StoreBusy,
    Work,
    touch,
)

__all__ = [
    "ATTEMPTS_MAX",
    "RetryTransaction",
    "Store",
    "StoreBusy",
    "UnsafeStore",
    "Work",
    "normalised",
    "open_store",
    "sqlite_path",
    "touch",
    "unsafe_settings",
]


def open_store(url: str = "", *, pool: int | None = None, allow_unsafe: bool = False) -> Store:
    """Open the store named by `url`; connections are made when they are needed.

    `url` is empty (`sqlite:///var/jingwei.gpkg`), `sqlite:///PATH` or `postgresql://…`. `pool`
    is the number of connections (PostgreSQL) or of readers (SQLite). `allow_unsafe` is for
    tests and throw-away servers: it accepts PostgreSQL with fsync, full_page_writes or
    synchronous_commit off, which otherwise make every use raise `UnsafeStore`.

    Raises:
        ValueError: if `url` names neither database.
    """
    parsed = normalised(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteStore(parsed, readers=pool)
    return PostgresStore(parsed, pool=pool, allow_unsafe=allow_unsafe)
