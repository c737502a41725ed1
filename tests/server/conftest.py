"""Fixtures of the API tests: the application on a real, migrated store, and a small world."""

from collections.abc import AsyncIterator

import httpx
import pytest

from server.app import create_app
from server.db.store import Store
from server.settings import Settings
from tests.server.people import api, people
from tests.world import World, build_world

__all__ = ["api", "people"]


@pytest.fixture
async def world(store: Store) -> World:
    """One city down to four grids with households, written through the product's write path."""
    return await build_world(store)


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the application, without a token."""
    app = create_app(Settings(), store=store)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
