"""What PostgreSQL may do to us: restart, refuse, lock, deadlock, run out of connections."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import Connection, Float, bindparam, func, select, update
from sqlalchemy.exc import DBAPIError

from server.db.bulk import insert_new
from server.db.direct import Direct
from server.db.postgres_store import POOL_WAIT_S, UnsafeStore, unsafe_settings
from server.db.store import Store, StoreBusy, open_store
from server.db.tables import Counter
from server.migrations import migrate
from tests import services

pytestmark = [pytest.mark.anyio, pytest.mark.db]

COUNTERS = Counter.__table__
DISCONNECT_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = 'jingwei' AND datname = current_database()"
)


def value_of(db: Connection, name: str) -> int:
    return int(db.execute(select(COUNTERS.c.value).where(COUNTERS.c.name == name)).scalar_one())


def add_one(db: Connection, name: str) -> None:
    changed = update(COUNTERS).where(COUNTERS.c.name == name).values(value=COUNTERS.c.value + 1)
    db.execute(changed)


@pytest.fixture
async def pg(postgres_url: str, anyio_backend: str) -> AsyncIterator[Store]:  # noqa: ARG001
    """A PostgreSQL store with two connections and two counters."""
    store = open_store(postgres_url, pool=2, allow_unsafe=True)
    rows = [{"name": "a", "value": 0}, {"name": "b", "value": 0}]
    await store.write(lambda db: insert_new(db, COUNTERS, rows, ("name",)))
    yield store
    await store.close()


async def raw(store: Store) -> asyncpg.Connection:
    url = store.url
    return await asyncpg.connect(
        host=str(url.query["host"]), user=url.username, database=url.database
    )


async def test_sessions_carry_our_limits(pg: Store) -> None:
    def work(db: Connection) -> list[str]:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        return [str(db.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names]

    assert await pg.read(work) == ["5s", "2s", "10s"]
    assert (await pg.write(work, timeout_ms=60_000))[0] == "1min"
    assert (await pg.write(work))[0] == "5s"


async def test_a_statement_over_its_time_is_busy(pg: Store) -> None:
    with pytest.raises(StoreBusy, match="timeout"):
        await pg.write(lambda db: db.exec_driver_sql("SELECT pg_sleep(5)"), timeout_ms=50)
    await pg.write(lambda db: add_one(db, "a"))


async def test_a_lock_held_too_long_is_busy(pg: Store) -> None:
    other = await raw(pg)
    holding = other.transaction()
    await holding.start()
    await other.execute("SELECT * FROM counter FOR UPDATE")

    def work(db: Connection) -> None:
        db.exec_driver_sql("SET LOCAL lock_timeout = 50")
        add_one(db, "a")

    with pytest.raises(StoreBusy, match="locked"):
        await pg.write(work)
    await holding.rollback()
    await other.close()
    await pg.write(work)


async def test_a_deadlock_is_run_again(pg: Store) -> None:
    runs: list[str] = []

    def work(db: Connection, first: str, second: str) -> None:
        runs.append(first)
        add_one(db, first)
        db.exec_driver_sql("SELECT pg_sleep(0.2)")
        add_one(db, second)

    await asyncio.gather(
        pg.write(lambda db: work(db, "a", "b")), pg.write(lambda db: work(db, "b", "a"))
    )
    assert len(runs) == 3
    values = await pg.read(lambda db: (value_of(db, "a"), value_of(db, "b")))
    assert values == (2, 2)


async def test_a_serialization_failure_is_run_again(pg: Store) -> None:
    other = open_store(pg.url.render_as_string(hide_password=False), allow_unsafe=True)
    runs: list[int] = []

    def work(db: Connection) -> None:
        db.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        runs.append(value_of(db, "a"))
        db.exec_driver_sql("SELECT pg_sleep(0.1)")
        db.execute(update(COUNTERS).where(COUNTERS.c.name == "a").values(value=runs[-1] + 1))

    await asyncio.gather(pg.write(work), other.write(work))
    assert await pg.read(lambda db: value_of(db, "a")) == 2
    assert len(runs) == 3
    await other.close()


async def test_whoever_gets_no_connection_is_told_busy_after_the_longest_wait(
    pg: Store,
) -> None:
    let_go = asyncio.Event()
    taken = asyncio.Barrier(3)

    async def hold() -> None:
        async with pg._engine.connect():  # type: ignore[attr-defined]  # holds places as work does
            await taken.wait()
            await let_go.wait()

    slow = [asyncio.create_task(hold()) for _ in range(2)]
    await taken.wait()
    started = asyncio.get_running_loop().time()
    with pytest.raises(StoreBusy, match="pool"):
        await pg.read(lambda db: value_of(db, "a"))
    assert asyncio.get_running_loop().time() - started > POOL_WAIT_S * 0.9
    let_go.set()
    await asyncio.gather(*slow)
    assert await pg.read(lambda db: value_of(db, "a")) == 0


async def test_a_connection_that_died_while_idle_costs_nothing(pg: Store) -> None:
    other = await raw(pg)
    await other.execute(DISCONNECT_ALL)
    assert await pg.read(lambda db: value_of(db, "a")) == 0
    await other.execute(DISCONNECT_ALL)
    await pg.write(lambda db: add_one(db, "a"))
    assert await pg.read(lambda db: value_of(db, "a")) == 1
    await other.close()


async def test_a_connection_that_dies_inside_the_work_does_not_count_twice(pg: Store) -> None:
    runs: list[int] = []

    def work(db: Connection) -> None:
        add_one(db, "a")
        runs.append(1)
        if len(runs) == 1:
            db.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    await pg.write(work)
    assert len(runs) == 2
    assert await pg.read(lambda db: value_of(db, "a")) == 1


async def test_a_connection_that_dies_before_its_rollback_is_dropped_without_a_word(
    pg: Store, postgres: services.Postgres
) -> None:
    database = str(pg.url.database)

    def work(db: Connection) -> int:
        found = value_of(db, "a")
        postgres.execute(DISCONNECT_ALL, database=database)
        return found

    def refused(db: Connection) -> None:
        work(db)
        raise StoreBusy("contended")

    for _ in range(3):
        assert await pg.read(work) == 0
        with pytest.raises(StoreBusy, match="contended"):
            await pg.write(refused)
    await pg.write(lambda db: add_one(db, "a"))
    assert await pg.read(lambda db: value_of(db, "a")) == 1


async def test_a_restart_is_busy_and_then_heals(anyio_backend: str) -> None:  # noqa: ARG001
    cluster = services.Postgres().start()
    try:
        url = cluster.create("shop")
        await asyncio.to_thread(migrate, url)
        store = open_store(url, allow_unsafe=True)
        rows = [{"name": "a", "value": 0}]
        await store.write(lambda db: insert_new(db, COUNTERS, rows, ("name",)))
        for _ in range(2):
            await asyncio.to_thread(cluster.halt)
            for _ in range(2):
                with pytest.raises(StoreBusy, match="unreachable"):
                    await store.write(lambda db: add_one(db, "a"))
                with pytest.raises(StoreBusy, match="unreachable"):
                    await store.read(lambda db: value_of(db, "a"))
            await asyncio.to_thread(cluster.start)
            await store.write(lambda db: add_one(db, "a"))
        assert await store.read(lambda db: value_of(db, "a")) == 2
        await store.close()
    finally:
        cluster.stop()


async def test_a_server_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    store = open_store(postgres_url)
    with pytest.raises(UnsafeStore) as refused:
        await store.read(lambda db: value_of(db, "a"))
    expected = ["fsync", "full_page_writes", "synchronous_commit"]
    assert refused.value.settings == expected
    await store.close()
    allowed = open_store(postgres_url, allow_unsafe=True)
    assert await allowed.read(unsafe_settings) == expected
    await allowed.close()


async def test_a_durable_server_is_accepted(anyio_backend: str) -> None:  # noqa: ARG001
    durable = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
    cluster = services.Postgres(options=durable).start()
    try:
        store = open_store(cluster.url("postgres"))
        assert await store.read(unsafe_settings) == []
        await store.close()
    finally:
        cluster.stop()


async def test_a_changed_schema_does_not_break_open_connections(pg: Store) -> None:
    def all_columns(db: Connection) -> int:
        return len(db.exec_driver_sql("SELECT * FROM counter WHERE name = 'a'").one())

    assert await pg.read(all_columns) == 2
    other = await raw(pg)
    await other.execute("ALTER TABLE counter ADD COLUMN more text")
    await other.close()
    assert await pg.read(all_columns) == 3


async def test_a_mistake_of_ours_is_not_called_busy(pg: Store) -> None:
    with pytest.raises(DBAPIError):
        await pg.read(lambda db: db.exec_driver_sql("SELECT no_such_column"))
    assert await pg.read(lambda db: value_of(db, "a")) == 0


async def test_a_question_to_a_connection_that_died_is_asked_again(pg: Store) -> None:
    value = Direct(select(COUNTERS.c.value).where(COUNTERS.c.name == bindparam("name")))

    def work(db: Connection) -> int:
        return int(value.rows(db, {"name": "a"})[0][0])

    other = await raw(pg)
    for _ in range(3):
        assert await pg.ask(work) == 0
        await other.execute(DISCONNECT_ALL)
    assert await pg.ask(work) == 0
    await other.close()


async def test_a_question_that_takes_too_long_is_busy_and_leaves_the_pool_whole(
    pg: Store,
) -> None:
    slow = Direct(select(func.pg_sleep(bindparam("seconds", type_=Float))))

    def work(db: Connection) -> None:
        db.exec_driver_sql("SET statement_timeout = 50")
        try:
            slow.rows(db, {"seconds": 5.0})
        finally:
            db.exec_driver_sql("SET statement_timeout = 5000")

    with pytest.raises(StoreBusy, match="timeout"):
        await pg.ask(work)
    for _ in range(3):
        assert await pg.ask(lambda db: value_of(db, "a")) == 0


async def test_a_cancelled_question_leaves_the_pool_whole(pg: Store) -> None:
    slow = Direct(select(func.pg_sleep(bindparam("seconds", type_=Float))))
    assert await pg.ask(lambda db: value_of(db, "a")) == 0
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pg.ask(lambda db: slow.rows(db, {"seconds": 3.0}))
    for _ in range(4):
        assert await pg.ask(lambda db: value_of(db, "a")) == 0


async def test_a_noted_statement_is_stored_and_seen_by_everybody(pg: Store) -> None:
    await pg.note(lambda db: add_one(db, "a"))
    other = await raw(pg)
    assert await other.fetchval("SELECT value FROM counter WHERE name = 'a'") == 1
    await other.close()
