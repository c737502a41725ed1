"""Fixtures of the protocol tests: a small world behind the real application, on each store."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from server.app import create_app
from server.db.store import Store
from server.settings import Settings
from tests.protocol.witness import Witness
from tests.world import World, build_world

NOW_MS = 1_800_000_000_000
"""When every request of `still_client` arrives."""


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


@pytest.fixture
async def still_client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of an application whose clock stands still."""
    app = create_app(Settings(), store=store)

    async def still(scope: Scope, receive: Receive, send: Send) -> None:
        """Tell the time of every request before the application looks at a clock."""
        await app({**scope, "state": {"now_ms": NOW_MS}}, receive, send)

    transport = httpx.ASGITransport(app=still, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def witness(store: Store, world: World) -> Witness:  # noqa: ARG001 - built first
    """What is stored before a test begins."""
    return await Witness.of(store)
