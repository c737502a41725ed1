"""Take the content of erased records out of everything but the records themselves.

The write path makes the records tombstones, drops their typed rows and tells the feeds. This
does the rest in the same transaction: the log, the queue, conflicts, packed files, photos,
copies made for requests and identity numbers. What unlocks those is destroyed after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from server.erasure import queries
from server.identifiers.queries import forget_identifiers
from server.media.forgetting_queries import erase_media
from server.replication.snapshots import drop_snapshots
from sync.erasing import named_in, redacted_body
from sync.facts import grid_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How much lost its content."""

    mutations: int
    conflicts: int
    photos: int


def speaking(db: Connection, ids: frozenset[str]) -> dict[int, bytes]:
    """Position to what may be kept, of all that was asked about some records and says more.

    Also of what names them and had no effect, so that no record of its own leads to it.
    """
    found = {row.pos: bytes(row.body) for row in queries.asked_about(db, sorted(ids))}
    for rows in queries.without_effect(db):
        found |= {
            row.pos: bytes(row.body)
            for row in rows
            if not ids.isdisjoint(named_in(bytes(row.body)))
        }
    kept = {pos: redacted_body(body) for pos, body in found.items()}
    return {pos: body for pos, body in kept.items() if body != found[pos]}


def forget(db: Connection, ids: frozenset[str], *, reason: str, now_ms: int) -> Forgotten:
    """Forget the content of records that the write path has erased in this transaction."""
    listed = sorted(ids)
    bodies = speaking(db, ids)
    queries.keep_bodies(db, bodies)
    queries.forget_notes(db, list(bodies))
    conflicts = queries.conflicts_of(db, listed)
    queries.forget_choices(db, listed)
    forget_identifiers(db, listed, now_ms=now_ms)
    queries.drop_copies(db, listed)
    photos = erase_media(db, listed, now_ms)
    standing = queries.records_among(db, listed)
    drop_snapshots(db, sorted({row.bucket for row in standing}))
    queries.note_erased(
        db,
        [
            {
                "record_id": row.id,
                "kind": row.kind,
                "grid_id": grid_in(row.bucket),
                "reason": reason,
                "erased_ms": now_ms,
            }
            for row in standing
        ],
    )
    return Forgotten(mutations=len(bodies), conflicts=conflicts, photos=len(photos))


def would_forget(db: Connection, ids: Sequence[str]) -> Forgotten:
    """Count what `forget` would do, but for photos that other records name as well."""
    return Forgotten(
        mutations=len(speaking(db, frozenset(ids))),
        conflicts=queries.conflicts_of(db, ids),
        photos=0,
    )
