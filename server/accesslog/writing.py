"""Note an access before its answer is given; those of one moment share a transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection

from server.accesslog import queries
from server.accesslog.chain import Noted
from server.db.store import Store


async def note(store: Store, entry: Noted) -> None:
    """Return when the entry is stored.

    Raises:
        StoreBusy: if it could not be; then nothing may be answered.
    """
    await store.write_together(_noted, entry)


def _noted(db: Connection, entries: Sequence[Noted]) -> list[None]:
    queries.note(db, entries)
    return [None] * len(entries)
