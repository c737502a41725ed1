"""Killing Redis in the middle of a day costs time and nothing else, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from server.app import create_app
from server.clock import new_id
from server.db.store import Store
from server.replication.reproject import compare
from server.settings import Settings
from tests import services
from tests.server.phones import RawPhone, bearer, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
NOTES = 12


@pytest.fixture
async def redis() -> AsyncIterator[services.Redis]:
    """A Redis that this test may kill."""
    server = await asyncio.to_thread(services.Redis().start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest.fixture
async def client(store: Store, redis: services.Redis) -> AsyncIterator[httpx.AsyncClient]:
    """The application with its wake-ups in Redis."""
    app = create_app(Settings(redis_url=redis.url), store=store)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


async def test_phones_sync_on_while_redis_is_killed_and_comes_back(
    client: httpx.AsyncClient, store: Store, world: World, redis: services.Redis
) -> None:
    phones = [await RawPhone.enrol(client, world.tokens[login]) for login in ("ann", "bob")]

    async def work(phone: RawPhone) -> None:
        for _ in range(NOTES):
            said = {"parent": world.households["G1"], "text": "seen"}
            assert (
                outcomes(await phone.sync([phone.change(new_id(), "note", 0, set=said)])) == {}
            )
            await asyncio.sleep(0.01)

    async def kill() -> None:
        await asyncio.sleep(0.05)
        await asyncio.to_thread(redis.halt)

    await asyncio.gather(*(work(phone) for phone in phones), kill())
    answer = await client.get(
        "/v1/sync/wait", params={"timeout_s": 1}, headers=bearer(phones[0].token)
    )
    assert (answer.status_code, answer.json()) == (200, {"changed": False})
    await asyncio.to_thread(redis.start)
    await asyncio.gather(*(work(phone) for phone in phones))
    assert await store.read(lambda db: list(compare(db))) == []
    for phone in phones:
        reply = await phone.sync()
        assert reply["settled_through"] == 2 * NOTES
