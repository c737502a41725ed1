"""The files of both databases hold no byte of erased people."""

import asyncio
from pathlib import Path

import httpx
import pytest

from server.app import create_app
from server.db.address import sqlite_path
from server.db.store import Store, open_store
from server.settings import Settings
from tests import services
from tests.server.canaries import CANARY, Household, differences, erased
from tests.server.desk import Desk
from tests.server.phones import RawPhone
from tests.world import build_world

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def test_the_files_of_postgresql_hold_no_byte_of_them_after_maintenance(
    postgres: services.Postgres, postgres_url: str
) -> None:
    store = open_store(postgres_url, allow_unsafe=True)
    try:
        await search_files(postgres, postgres_url, store)
    finally:
        await store.close()


async def search_files(postgres: services.Postgres, url: str, store: Store) -> None:
    world = await build_world(store)
    app = create_app(Settings(), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        phone = await RawPhone.enrol(client, world.tokens["ann"])
        made = Household(phone, world)
        await phone.sync(made.mutations())
        name = url.split("?", maxsplit=1)[0].rsplit("/", maxsplit=1)[1]
        await asyncio.to_thread(postgres.execute, "CHECKPOINT")
        oid = await asyncio.to_thread(database_oid, postgres, name)
        files = Path(postgres.data, "base", oid)
        assert holds_canary(files)
        await erased(Desk(client, world), made)
        await store.scrub(whole=True)
        await asyncio.to_thread(postgres.execute, "CHECKPOINT")
        assert not holds_canary(files)


def database_oid(postgres: services.Postgres, name: str) -> str:
    ((oid,),) = postgres.execute(f"SELECT oid FROM pg_database WHERE datname = '{name}'")  # noqa: S608 - a name of ours
    return str(oid)


def holds_canary(folder: Path) -> bool:
    return any(CANARY.encode() in each.read_bytes() for each in folder.iterdir())


async def test_the_embedded_file_holds_no_byte_of_them(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    try:
        await search_file(store)
    finally:
        await store.close()


async def search_file(store: Store) -> None:
    world = await build_world(store)
    transport = httpx.ASGITransport(app=create_app(Settings(), store=store))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        phone = await RawPhone.enrol(client, world.tokens["ann"])
        made = Household(phone, world)
        await phone.sync(made.mutations())
        folder = sqlite_path(store.url).parent
        assert holds_canary(folder)
        await erased(Desk(client, world), made)
        assert not holds_canary(folder)
        await store.scrub(whole=True)
        assert not holds_canary(folder)
    assert await differences(store) == []
