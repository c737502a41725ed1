"""What the write path notes about photos, and which of them a device is asked for."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from server.db import tables
from server.db.bulk import Upsert
from sync.media import ASKED_FOR_MS, WANTED_MAX

DECLARATION = tables.MediaDeclaration.__table__
COPY = tables.MediaCopy.__table__
BLOB = tables.MediaBlob.__table__

WANTED = (
    select(DECLARATION.c.hash, DECLARATION.c.declared_ms)
    .where(
        DECLARATION.c.device_id == bindparam("device"),
        DECLARATION.c.waiting,
        DECLARATION.c.declared_ms > bindparam("since"),
        ~select(COPY.c.hash)
        .where(COPY.c.hash == DECLARATION.c.hash, COPY.c.account_id == DECLARATION.c.account_id)
        .exists(),
        ~select(BLOB.c.hash)
        .where(
            BLOB.c.hash == DECLARATION.c.hash,
            (BLOB.c.state == "refused") | (BLOB.c.state == "erased"),
        )
        .exists(),
    )
    .order_by(DECLARATION.c.declared_ms, DECLARATION.c.hash)
)
"""Hashes that `device` declared after `since` and that are still waited for, oldest first."""


def media_declared(rows: Iterable[Mapping[str, Any]]) -> Upsert:
    """Note hashes named for records; one that was named before keeps its first time."""
    unique = {(row["hash"], row["record_id"], row["device_id"]): row for row in rows}
    key = ("hash", "record_id", "device_id")
    return Upsert(table=DECLARATION, rows=list(unique.values()), key=key, update=())


def media_wanted(db: Connection, device_id: str, now_ms: int) -> tuple[str, ...]:
    """Hashes this device declared in the last 30 days and never uploaded, oldest first.

    At most `WANTED_MAX`; the rest follows when these are there.
    """
    values = {"device": device_id, "since": now_ms - ASKED_FOR_MS}
    found = dict.fromkeys(row.hash for row in db.execute(WANTED.limit(2 * WANTED_MAX), values))
    return tuple(found)[:WANTED_MAX]
