"""Wake-ups, in-process and through Redis: quick when all is well, harmless when not."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from server.app import create_app
from server.db.store import open_store, touch
from server.notify import QUEUE_MAX, RedisWakeups, Wakeups, open_wakeups
from server.settings import Settings
from tests import services

pytestmark = pytest.mark.anyio


async def until(true, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - what it watches has no event
            await asyncio.sleep(0.01)


async def asleep(wakeups: Wakeups, buckets: set[str], timeout_s: float = 10.0) -> asyncio.Task:
    task = asyncio.create_task(wakeups.wait(buckets, timeout_s))
    await asyncio.sleep(0.02)
    return task


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[tuple[Wakeups, Wakeups]]:
    two = [open_wakeups(redis_url, deployment="test") for _ in range(2)]
    for each in two:
        await each.start()
    await until(lambda: all(each.connected for each in two))
    yield two[0], two[1]
    for each in two:
        await each.close()


async def test_whoever_waits_for_a_changed_bucket_is_woken() -> None:
    wakeups = open_wakeups()
    one, two, other = [await asleep(wakeups, each) for each in ({"a", "b"}, {"b"}, {"c"})]
    await wakeups.publish({"b"})
    assert await one
    assert await two
    assert not other.done()
    await wakeups.close()
    assert await other


async def test_waiting_ends_without_a_change() -> None:
    wakeups = open_wakeups()
    assert not await wakeups.wait({"a"}, 0.01)
    assert not await wakeups.wait(set(), 0.01)
    wakeups.tell({"a"})
    assert not await wakeups.wait({"a"}, 0.01)
    assert wakeups._waiting == {}


async def test_a_commit_wakes_without_being_asked(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    app = create_app(Settings(), store=store)
    waiting = await asleep(app.state.wakeups, {"grid:1"})
    await store.write(lambda db: touch(db, {"grid:1"}))
    assert await waiting
    await store.read(lambda db: db.execute(text("SELECT 1")))
    await store.close()


async def test_redis_carries_a_wake_up_to_another_process(pair) -> None:
    here, there = pair
    waiting = await asleep(there, {"grid:1"})
    other = await asleep(there, {"grid:2"}, 0.3)
    await here.publish({"grid:1"})
    assert await waiting
    assert not await other
    assert here.lost == 0


async def test_deployments_do_not_hear_each_other(redis_url: str) -> None:
    one, two = (open_wakeups(redis_url, deployment=name) for name in ("one", "two"))
    for each in (one, two):
        await each.start()
    await until(lambda: one.connected and two.connected)
    waiting = await asleep(two, {"a"}, 0.3)
    await one.publish({"a"})
    assert not await waiting
    for each in (one, two):
        await each.close()


async def test_rubbish_on_the_channel_is_ignored(pair, redis_server: services.Redis) -> None:
    here, there = pair
    waiting = await asleep(there, {"grid:1"})
    redis_server._ask(b"PUBLISH test:wakeups \xff\xfe\r\n")
    redis_server._ask(b"PUBLISH test:wakeups " + b"x" * 10_000 + b"\r\n")
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await here.publish({"grid:1"})
    assert await waiting


async def test_a_dead_redis_costs_nothing_and_a_new_one_is_found() -> None:
    server = services.Redis().start()
    try:
        here, there = (open_wakeups(server.url, deployment="test") for _ in range(2))
        for each in (here, there):
            await each.start()
        await until(lambda: here.connected and there.connected)
        async with Redis.from_url(server.url) as asking:
            process = (await asking.info("server"))["process_id"]
        os.kill(process, signal.SIGKILL)
        await until(lambda: not here.connected and not there.connected)

        same_process = await asleep(here, {"a"})
        begun = time.monotonic()
        for _ in range(100):
            await here.publish({"a"})
        assert time.monotonic() - begun < 0.1
        assert await same_process
        await until(lambda: here.lost > 0)

        waiting = await asleep(there, {"a"}, 20)
        server.halt()
        server.start()
        await until(lambda: here.connected and there.connected)
        assert await waiting, "a reconnection wakes, because something may have been missed"
        waiting = await asleep(there, {"b"})
        await here.publish({"b"})
        assert await waiting
        for each in (here, there):
            await each.close()
    finally:
        server.stop()


async def test_redis_that_never_was_there_costs_nothing() -> None:
    wakeups = open_wakeups("redis://127.0.0.1:9/0")
    await wakeups.start()
    waiting = await asleep(wakeups, {"a"})
    begun = time.monotonic()
    for _ in range(QUEUE_MAX + 10):
        wakeups.tell({"a"})
    assert time.monotonic() - begun < 0.5
    assert await waiting
    assert wakeups.lost >= 10
    assert not wakeups.connected
    await wakeups.close()


async def test_what_is_queued_together_is_sent_together(redis_url: str) -> None:
    here = RedisWakeups(redis_url, channel="test:wakeups")
    there = open_wakeups(redis_url, deployment="test")
    await there.start()
    await until(lambda: there.connected)
    waiting = [await asleep(there, {f"grid:{number}"}) for number in range(3)]
    for number in range(3):
        here.tell({f"grid:{number}"})
    await here.start()
    assert all([await each for each in waiting])
    await here.close()
    await there.close()


@pytest.mark.parametrize("steps", range(20))
async def test_it_can_be_closed_at_any_moment(redis_url: str, steps: int) -> None:
    wakeups = open_wakeups(redis_url)
    await wakeups.start()
    for _ in range(steps):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await wakeups.close()
