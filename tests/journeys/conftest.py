"""A day in the small world, on either store, behind a real socket."""

import asyncio
from collections.abc import Iterator

import pytest

from server.clock import continue_from, now_ms
from server.db.store import open_store
from server.settings import Settings
from tests.journeys.day import Day
from tests.server.live import live_server
from tests.world import World, build_world


@pytest.fixture
def day(database_url: str) -> Iterator[Day]:
    async def build() -> World:
        store = open_store(database_url, allow_unsafe=True)
        world = await build_world(store)
        await store.close()
        return world

    world = asyncio.run(build())
    settings = Settings(database_url=database_url, allow_unsafe=True)
    begins_ms = now_ms()
    with live_server(settings) as live:
        made = Day(
            url=live.url,
            database_url=database_url,
            world=world,
            begins_ms=begins_ms,
            now_ms=begins_ms,
        )
        try:
            yield made
        finally:
            continue_from(None)
            for phone in made.phones:
                phone.close()
            for http in made.clients:
                http.close()
