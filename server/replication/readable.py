"""Work of newer apps: held until a server comes that reads its version of the record schema."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from server.db.store import Store
from server.replication import waiting_queries
from server.replication.queries import DbRow
from server.replication.settle import release_waiting
from sync.release import Why
from sync.versions import SCHEMAS, Schemas
from sync.wire_mutation import reads

ROWS_A_STEP = 100
Place = tuple[str, int]
_START: Place = ("00000000-0000-0000-0000-000000000000", 0)


async def release_readable(
    store: Store, *, now_ms: int, dry_run: bool, schemas: Schemas = SCHEMAS
) -> int:
    """Release what was `newer-schema` and can be read now; return how much that was (would be).

    It merges like any work that waited, with its own author, base and time. Safe to repeat, and
    to stop between two steps of `ROWS_A_STEP`. What has members that are still unknown goes on
    waiting for a person.
    """
    done, after = 0, _START
    run = store.read if dry_run else store.write
    while True:
        step, after = await run(
            partial(_step, after=after, now_ms=now_ms, dry_run=dry_run, schemas=schemas)
        )
        done += step
        if after == _START:
            return done


def _step(
    db: Connection, *, after: Place, now_ms: int, dry_run: bool, schemas: Schemas
) -> tuple[int, Place]:
    found = waiting_queries.newer_rows(db, after, limit=ROWS_A_STEP)
    readable = [row for row in found if reads(row.body, schemas)]
    if readable and not dry_run:
        release_waiting(db, readable, why=Why.READABLE, now_ms=now_ms)
    return len(readable), _behind(found)


def _behind(found: Sequence[DbRow]) -> Place:
    """The place to go on from, the start at the end."""
    return _START if len(found) < ROWS_A_STEP else (found[-1].device_id, found[-1].n)
