"""The store's promises: one transaction per work, snapshots, retries, busy not broken."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from server.db.bulk import insert_new, upsert
from server.db.sqlite_store import QUEUE_MAX, sqlite_engine
from server.db.store import (
    ATTEMPTS_MAX,
    RetryTransaction,
    Store,
    StoreBusy,
    normalised,
    open_store,
    sqlite_path,
    touch,
)
from server.db.tables import Bucket, Counter
from tests.db.rows import bucket

pytestmark = [pytest.mark.anyio, pytest.mark.db]

COUNTERS = Counter.__table__
BUCKETS = Bucket.__table__


def add(name: str, value: int = 0) -> Callable[[Connection], int]:
    return lambda db: insert_new(db, COUNTERS, [{"name": name, "value": value}], ("name",))


def names(db: Connection) -> list[str]:
    return list(db.execute(select(COUNTERS.c.name).order_by(COUNTERS.c.name)).scalars())


def bump(db: Connection) -> int:
    changed = update(COUNTERS).values(value=COUNTERS.c.value + 1).returning(COUNTERS.c.value)
    return int(db.execute(changed).scalar_one())


async def test_a_write_is_there_for_every_later_read(store: Store) -> None:
    assert await store.write(add("a")) == 1
    assert await store.read(names) == ["a"]
    other = open_store(store.url.render_as_string(hide_password=False), allow_unsafe=True)
    assert await other.read(names) == ["a"]
    await other.close()


async def test_work_that_raises_leaves_nothing(store: Store) -> None:
    def work(db: Connection) -> None:
        add("a")(db)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await store.write(work)
    assert await store.read(names) == []
    assert await store.write(add("b")) == 1


async def test_a_broken_rule_reaches_the_caller_as_it_is(store: Store) -> None:
    with pytest.raises(IntegrityError):
        await store.write(
            lambda db: upsert(db, BUCKETS, [bucket("a", epoch=0)], key=("id",), update=())
        )
    assert await store.write(add("b")) == 1


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(DBAPIError):
        await store.read(add("a"))
    assert await store.read(names) == []


async def test_a_read_sees_one_snapshot(store: Store) -> None:
    async def write_elsewhere() -> None:
        other = open_store(store.url.render_as_string(hide_password=False), allow_unsafe=True)
        await other.write(add("late"))
        await other.close()

    def work(db: Connection) -> tuple[list[str], list[str]]:
        first = names(db)
        writing = threading.Thread(target=asyncio.run, args=(write_elsewhere(),))
        writing.start()
        writing.join(10)
        return first, names(db)

    assert await store.read(work) == ([], [])
    assert await store.read(names) == ["late"]


async def test_retry_runs_the_work_again_from_a_clean_transaction(store: Store) -> None:
    runs: list[list[str]] = []

    def work(db: Connection) -> int:
        runs.append(names(db))
        add(f"run{len(runs)}")(db)
        if len(runs) < ATTEMPTS_MAX:
            raise RetryTransaction
        return len(runs)

    assert await store.write(work) == ATTEMPTS_MAX
    assert runs == [[]] * ATTEMPTS_MAX
    assert await store.read(names) == [f"run{ATTEMPTS_MAX}"]


async def test_work_that_never_succeeds_ends_as_busy(store: Store) -> None:
    def work(db: Connection) -> None:
        add("a")(db)
        raise RetryTransaction

    with pytest.raises(StoreBusy, match="contended"):
        await store.write(work)
    assert await store.read(names) == []


async def test_listeners_hear_of_touched_buckets_after_commit_only(store: Store) -> None:
    heard: list[frozenset[str]] = []
    store.on_commit(heard.append)

    def work(db: Connection, *, fail: bool) -> None:
        add("a")(db)
        touch(db, ["grid:1"])
        touch(db, ["grid:2", "grid:1"])
        if fail:
            raise LookupError

    with pytest.raises(LookupError):
        await store.write(lambda db: work(db, fail=True))
    await store.write(names)
    assert heard == []
    await store.write(lambda db: work(db, fail=False))
    assert heard == [frozenset({"grid:1", "grid:2"})]


async def test_a_broken_listener_does_not_undo_what_is_stored(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: frozenset[str]) -> None:
        raise LookupError

    store.on_commit(broken)

    def work(db: Connection) -> None:
        add("a")(db)
        touch(db, ["grid:1"])

    await store.write(work)
    assert await store.read(names) == ["a"]
    assert "listener failed" in caplog.text


async def test_concurrent_increments_are_all_counted(store: Store) -> None:
    await store.write(add("a"))
    answers = await asyncio.gather(*(store.write(bump) for _ in range(40)))
    assert sorted(answers) == list(range(1, 41))


async def test_a_cancelled_caller_does_not_break_the_store(store: Store) -> None:
    await store.write(add("a"))

    async def cancelled_soon(after_s: float) -> None:
        task = asyncio.create_task(store.write(bump))
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for step in range(20):
        await cancelled_soon(step * 0.0003)
    for _ in range(5):
        await store.write(bump)
    total = await store.read(lambda db: db.execute(select(COUNTERS.c.value)).scalar_one())
    assert 5 <= total <= 25


async def test_the_race_to_create_one_row_loses_nothing(store: Store) -> None:
    """A lock on a row that is not there locks nothing: insert first, then lock, then change."""

    def work(db: Connection, name: str) -> None:
        add(name)(db)
        statement = select(COUNTERS.c.value).where(COUNTERS.c.name == name)
        if db.dialect.name == "postgresql":
            statement = statement.with_for_update()
        value = db.execute(statement).scalar_one()
        db.execute(update(COUNTERS).where(COUNTERS.c.name == name).values(value=value + 1))

    for number in range(25):
        name = f"new{number}"
        await asyncio.gather(*(store.write(partial(work, name=name)) for _ in range(4)))
    lost = select(func.count()).where(COUNTERS.c.value != 4)
    assert await store.read(lambda db: db.execute(lost).scalar_one()) == 0


async def test_a_write_waits_for_another_process_and_then_gives_up(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    await store.write(add("a"))
    other = sqlite3.connect(sqlite_path(store.url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await store.read(names) == ["a"]
    started = time.monotonic()
    with pytest.raises(StoreBusy, match="locked"):
        await store.write(add("b"))
    assert time.monotonic() - started < 10
    other.execute("ROLLBACK")
    other.close()
    assert await store.write(add("b")) == 1
    await store.close()


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    def opened(number: int) -> str:
        engine = sqlite_engine(normalised(f"sqlite:///{tmp_path}/{number}.gpkg"), begin="BEGIN")
        gate.wait()
        with engine.begin() as db:
            mode = str(db.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        engine.dispose()
        return mode

    with ThreadPoolExecutor(4) as threads:
        for number in range(40):
            gate = threading.Barrier(4)
            assert list(threads.map(opened, [number] * 4)) == ["wal"] * 4


async def test_a_full_queue_refuses_at_once(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    release = threading.Event()
    waiting = [asyncio.create_task(store.write(lambda _: release.wait(10)))]
    waiting += [
        asyncio.create_task(store.write(lambda db: bool(names(db))))
        for _ in range(QUEUE_MAX - 1)
    ]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy, match="queue"):
        await store.write(names)
    release.set()
    await asyncio.gather(*waiting)
    assert await store.write(names) == []
    await store.close()


async def test_closing_finishes_what_is_queued(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    tasks = [asyncio.create_task(store.write(add(f"n{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*tasks) == [1] * 20


def test_addresses_are_normalised() -> None:
    assert normalised("").database == "var/jingwei.gpkg"
    assert normalised("postgresql://u:p@h/d").drivername == "postgresql+asyncpg"
    assert normalised("postgres://u@h/d").drivername == "postgresql+asyncpg"
    for wrong in ("mysql://h/d", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(ValueError, match="must be"):
            normalised(wrong)


def test_a_store_works_from_a_command(database_url: str) -> None:
    async def main() -> list[str]:
        store = open_store(database_url, allow_unsafe=True)
        await store.write(add("a"))
        found = await store.read(names)
        await store.close()
        return found

    assert asyncio.run(main()) == ["a"]
