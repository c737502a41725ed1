"""The application with a media store of its own, the small world, and hands that upload."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from server.app import create_app
from server.db.store import Store
from server.media.store import MediaStore
from server.settings import Limits, Settings
from tests.media.uploads import Hand
from tests.server.phones import RawPhone
from tests.world import World, build_world

pytestmark = pytest.mark.db


@pytest.fixture
async def world(store: Store) -> World:
    return await build_world(store)


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def settings(tmp_path: Path, limits: Limits) -> Settings:
    return Settings(
        media_url=str(tmp_path / "media"),
        media_partials=str(tmp_path / "partial"),
        limits=limits,
    )


@pytest.fixture
def media(settings: Settings) -> MediaStore:
    """The same folders as the application's, for a look behind the scenes."""
    return MediaStore(settings)


@pytest.fixture
async def client(store: Store, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, store=store)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.fixture
def hand(client: httpx.AsyncClient, world: World) -> Callable[[str], Hand]:
    """Somebody who uploads with their account's token, as a console does."""
    return lambda login: Hand(client, world.tokens[login])


@pytest.fixture
async def phone(client: httpx.AsyncClient, world: World) -> RawPhone:
    """Ann's phone; it may work in grid G1."""
    made = await RawPhone.enrol(client, world.tokens["ann"])
    await made.sync()
    return made


@pytest.fixture
def ann(client: httpx.AsyncClient, phone: RawPhone) -> Hand:
    """What uploads on Ann's phone."""
    return Hand(client, phone.token)
