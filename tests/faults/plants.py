"""Known bugs, put into a server while it starts, to see that the harness finds them.

The product has no switch for any of them: the process that is to be wrong replaces functions of
its own before it serves. The numbers are those of the list that the harness must find.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

import sync.push
from server.db import failpoints, postgres_store
from server.db.bulk import Upsert, among_listed
from server.media.partials import Partial, Partials
from server.replication import apply, feed_queries, push, queries
from server.replication.settle import settle_all
from sync.mutation import Malformed, Mutation
from sync.push import Settled


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One bug: how it is put in, the faults that show it, and the checks that must see it."""

    title: str
    patch: Callable[[], None]
    run: str
    database: str
    found_by: frozenset[str]


def plant(number: int) -> None:
    """Put bug `number` into this process."""
    PLANTS[number].patch()


def replace_in(owner: Any, name: str, wrong: Any) -> None:
    """Replace something of this process that exists."""
    if not hasattr(owner, name):
        raise LookupError(name)
    setattr(owner, name, wrong)


def _no_deduplication() -> None:
    """A repeated n is decided again, and its log row is written over."""
    settle = sync.push._Planning._settle

    def again(self: Any, item: Mutation | Malformed, body_hash: str) -> Settled:
        through = self.through
        settled = settle(self, item, body_hash)
        self.through = max(through, self.through)
        return settled

    replace_in(sync.push._Planning, "_replay", again)
    changed = ("outcome", "rev", "at_ms")
    key = ("device_id", "n")
    replace_in(
        queries,
        "mutations_added",
        lambda rows: Upsert(table=queries.MUTATION, rows=rows, key=key, update=changed),
    )


def _effect_outside_transaction() -> None:
    """Records, feed and projections are committed before the log says that they happened."""
    save = queries.save
    of_the_log = (queries.MUTATION, queries.DEVICE)

    def in_two(db: Connection, parts: Any) -> None:
        everything = list(parts)
        save(db, [each for each in everything if each.table not in of_the_log])
        db.commit()
        failpoints.reach("stored")
        save(db, [each for each in everything if each.table in of_the_log])

    replace_in(queries, "save", in_two)


def _reply_before_commit() -> None:
    """The answer is given while COMMIT is still to come."""
    running = set()

    async def write(self: Any, work: Any, timeout_ms: int | None) -> Any:
        db = await self._connected(self._engine)
        answer = await postgres_store._run(db, work, timeout_ms)

        async def commit_later() -> None:
            await asyncio.sleep(0.2)
            await db.commit()
            await postgres_store._given_back(db)

        task = asyncio.create_task(commit_later())
        running.add(task)
        task.add_done_callback(running.discard)
        return answer

    replace_in(postgres_store.PostgresStore, "_write_once", write)


def _commit_without_flush() -> None:
    """COMMIT returns before the log is on the disk."""
    create = create_async_engine

    def lazy(url: Any, *, connect_args: dict[str, Any], **more: Any) -> Any:
        connect_args["server_settings"]["synchronous_commit"] = "off"
        return create(url, connect_args=connect_args, **more)

    replace_in(postgres_store, "create_async_engine", lazy)


def _no_device_lock() -> None:
    """Two requests of one device are worked on at the same time."""
    found = among_listed("postgresql", queries.DEVICE.c.id, "ids")
    unlocked = select(*queries.DEVICE.c).where(found)
    replace_in(queries, "_devices", lambda _: unlocked)


def _settled_before_stored() -> None:
    """The mark of what is settled is committed before the mutations are."""

    def marked(db: Connection, batches: Any) -> Any:
        for each in batches:
            if each.mutations:
                last = max(mutation.n for mutation in each.mutations)
                mark = update(queries.DEVICE).where(queries.DEVICE.c.id == each.device.id)
                db.execute(mark.values(settled_through=last))
        db.commit()
        return settle_all(db, batches)

    replace_in(push, "settle_all", marked)


def _unsafe_cursor() -> None:
    """The feed's position comes from a sequence, without a lock until COMMIT."""
    save = queries.save

    def heads_of(db: Connection, bucket_ids: Any) -> Any:
        db.execute(text("CREATE SEQUENCE IF NOT EXISTS position START 1000 INCREMENT 100"))
        heads = queries.bucket_heads(db, sorted(set(bucket_ids)))
        next_position = text("SELECT nextval('position')")
        return {
            name: replace(head, seq=int(db.execute(next_position).scalar_one()))
            for name, head in heads.items()
        }

    def at_the_end(db: Connection, parts: Any) -> None:
        save(db, parts)
        db.execute(text("UPDATE bucket SET seq = (SELECT last_value + 99 FROM position)"))

    replace_in(queries, "lock_buckets", heads_of)
    replace_in(queries, "save", at_the_end)


def _answers_in_memory() -> None:
    """What became of a mutation is remembered by the process and not read from the store."""
    add, rows_of = queries.mutations_added, queries.settled_rows
    known: set[tuple[str, int]] = set()

    def adding(rows: Any) -> Upsert:
        known.update((row["device_id"], row["n"]) for row in rows)
        return add(rows)

    def remembered(db: Connection, device_id: str, numbers: Any) -> Any:
        found = rows_of(db, device_id, numbers)
        return [row for row in found if (device_id, row.n) in known]

    replace_in(queries, "mutations_added", adding)
    replace_in(queries, "settled_rows", remembered)


def _offset_beside_the_file() -> None:
    """How far an upload came stands in a file beside it, written once a chunk is complete."""
    sync_file, lock = Partial.sync, Partials.locked

    def side(partials: Partials, upload: str) -> Path:
        return partials.folder / f"{upload}.offset"

    def noted(self: Partials, upload: str) -> int:
        path = side(self, upload)
        return int(path.read_text()) if path.exists() else 0

    def append(self: Partial, piece: bytes) -> None:
        os.pwrite(self._fd, piece, os.fstat(self._fd).st_size)
        self.size += len(piece)

    def sync_and_note(self: Partial) -> None:
        sync_file(self)
        Path(f"/proc/self/fd/{self._fd}").resolve().with_suffix(".offset").write_text(
            str(self.size)
        )

    @contextmanager
    def locked(self: Partials, upload: str) -> Iterator[Partial]:
        with lock(self, upload) as partial:
            partial.size = noted(self, upload)
            yield partial

    replace_in(Partial, "append", append)
    replace_in(Partial, "sync", sync_and_note)
    replace_in(Partials, "size", noted)
    replace_in(Partials, "locked", locked)


def _locks_in_arrival_order() -> None:
    """Buckets are locked in the order in which a request names them."""
    touched, lock = apply._touched, queries.lock_buckets
    arrived: list[str] = []

    def noted(plan: Any, gathered: Any) -> set[str]:
        arrived.extend(each.bucket for each in plan.writes.values())
        return touched(plan, gathered)

    def in_turn(db: Connection, bucket_ids: Any) -> Any:
        wanted = set(bucket_ids)
        heads: dict[str, Any] = {}
        for bucket in [*(each for each in list(arrived) if each in wanted), *sorted(wanted)]:
            if bucket not in heads:
                heads |= lock(db, [bucket])
                # The two orders meet for certain, also where locking takes no time.
                db.execute(text("SELECT pg_sleep(0.02)"))
        arrived.clear()
        return heads

    replace_in(apply, "_touched", noted)
    replace_in(queries, "lock_buckets", in_turn)


def _told_before_commit() -> None:
    """Those who wait are woken while the change can still not be read."""

    async def write(self: Any, work: Any, timeout_ms: int | None) -> Any:
        db = await self._connected(self._engine)
        try:
            answer, touched = await postgres_store._run(db, work, timeout_ms)
            if touched:
                self._tell(touched)
                await asyncio.sleep(0.2)
            await db.commit()
            return answer, frozenset()
        finally:
            await postgres_store._given_back(db)

    replace_in(postgres_store.PostgresStore, "_write_once", write)


def _no_scope_check() -> None:
    """Records are sent again to whoever names their ids."""
    bodies_in = feed_queries.bodies_in

    def everywhere(db: Connection, buckets: Any, record_ids: Any) -> Any:
        del buckets
        every = [row.id for row in db.execute(select(queries.BUCKET.c.id))]
        return bodies_in(db, every, record_ids)

    replace_in(feed_queries, "bodies_in", everywhere)


def _plant(
    title: str, patch: Callable[[], None], run: str, database: str, *found_by: str
) -> Plant:
    return Plant(
        title=title, patch=patch, run=run, database=database, found_by=frozenset(found_by)
    )


PLANTS = {
    1: _plant(
        "de-duplication off", _no_deduplication, "lost-replies", "sqlite", "twice", "history"
    ),
    2: _plant(
        "effect outside the transaction",
        _effect_outside_transaction,
        "torn-writes",
        "postgresql",
        "twice",
    ),
    3: _plant(
        "reply before COMMIT",
        _reply_before_commit,
        "early-replies",
        "postgresql",
        "lost",
        "stuck",
    ),
    4: _plant("synchronous_commit off", _commit_without_flush, "commits", "postgresql", "lost"),
    5: _plant(
        "no lock on the device", _no_device_lock, "copies", "postgresql", "lease", "defect"
    ),
    6: _plant(
        "settled mark before the mutations",
        _settled_before_stored,
        "torn-writes",
        "postgresql",
        "stuck",
    ),
    7: _plant(
        "cursor from a sequence", _unsafe_cursor, "soak", "postgresql", "missed", "reset"
    ),
    8: _plant("answers kept in memory", _answers_in_memory, "lost-replies", "sqlite", "stuck"),
    9: _plant("offset beside the file", _offset_beside_the_file, "uploads", "sqlite", "offset"),
    10: _plant(
        "buckets locked in arrival order",
        _locks_in_arrival_order,
        "crosswise",
        "postgresql",
        "deadlock",
    ),
    11: _plant("woken before COMMIT", _told_before_commit, "waiters", "postgresql", "waiters"),
    12: _plant("scope check missing on one call", _no_scope_check, "scope", "sqlite", "scope"),
}
