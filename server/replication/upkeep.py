"""Work nobody waits for: what the feeds need no longer is dropped, a few buckets at a time.

Every step is safe to repeat, holds its locks for one small transaction, and can be stopped
between any two of them.
"""

from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from server.db.store import Store
from server.replication import queries, upkeep_queries
from server.replication.settle import ARRIVED_MAX, release_missed

BUCKETS_A_STEP = 50
RELEASES_MAX = 100
"""Transactions in which one run releases what missed its record; a later run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many exits were dropped (or would be), of how many buckets."""

    exits: int = 0
    buckets: int = 0


async def forget_exits(store: Store, *, before_ms: int, dry_run: bool) -> Forgotten:
    """Drop the record of what left a bucket before `before_ms` and raise the buckets' floors.

    A phone that is further behind is answered with a reset and keeps its outbox.
    """
    done, after = Forgotten(), ""
    run = store.read if dry_run else store.write
    while True:
        step, after = await run(
            partial(_step, after=after, before_ms=before_ms, dry_run=dry_run)
        )
        done = Forgotten(exits=done.exits + step.exits, buckets=done.buckets + step.buckets)
        if not after:
            return done


def _step(
    db: Connection, *, after: str, before_ms: int, dry_run: bool
) -> tuple[Forgotten, str]:
    """Do one step behind the bucket `after`; return its last bucket, or "" at the end.

    What is old is counted again under the locks: a record that came back meanwhile has no exit.
    """
    found = upkeep_queries.buckets_with_old_exits(
        db, before_ms, after=after, limit=BUCKETS_A_STEP
    )
    if not dry_run:
        queries.lock_buckets(db, found)
    old = upkeep_queries.old_exits(db, found, before_ms)
    if old and not dry_run:
        upkeep_queries.forget_exits(db, found, before_ms)
        upkeep_queries.raise_floors(db, {row.bucket: row.seq for row in old})
    step = Forgotten(exits=sum(row.rows for row in old), buckets=len(old))
    return step, found[-1] if len(found) == BUCKETS_A_STEP else ""


async def release_left_behind(store: Store, *, now_ms: int, dry_run: bool) -> int:
    """Release what waits for a record that exists, and return how many mutations that were.

    A dry run counts up to `settle.ARRIVED_MAX`, the most that one transaction takes.
    """
    if dry_run:
        return await store.read(partial(release_missed, now_ms=now_ms, dry_run=True))
    done = 0
    for _ in range(RELEASES_MAX):
        step = await store.write(partial(release_missed, now_ms=now_ms, dry_run=False))
        done += step
        if step < ARRIVED_MAX:
            break
    return done
