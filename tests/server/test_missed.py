"""Two transactions that do not see each other: one waits for a record, the other makes it.

Only PostgreSQL has two writers at a time.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import asyncpg
import httpx
import pytest
from sqlalchemy import Connection, text
from typing_extensions import override

from server.app import create_app
from server.clock import new_id, now_ms
from server.db.postgres_store import PostgresStore
from server.db.store import Store, Work, normalised
from server.replication.upkeep import release_left_behind
from server.settings import Settings
from tests.server.desk import Desk
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
GATE = 4_401
T = TypeVar("T")


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


class LateCommit(PostgresStore):
    """Commits nothing while somebody holds the lock `GATE`."""

    @override
    async def write(self, work: Work[T], *, timeout_ms: int | None = None) -> T:
        def late(db: Connection) -> T:
            done = work(db)
            db.execute(text(f"SELECT pg_advisory_xact_lock({GATE})"))
            return done

        return await super().write(late, timeout_ms=timeout_ms)


@pytest.fixture
async def late(postgres_url: str) -> AsyncIterator[httpx.AsyncClient]:
    store = LateCommit(normalised(postgres_url), allow_unsafe=True)
    app = create_app(Settings(), store=store)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await store.close()


async def somebody_waits(gate: asyncpg.Connection) -> None:
    asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not await gate.fetchval(asked):  # noqa: ASYNC110 - of another connection
        await asyncio.sleep(0.01)


async def test_upkeep_releases_what_began_to_wait_while_its_record_was_made(
    client: httpx.AsyncClient,
    late: httpx.AsyncClient,
    postgres_url: str,
    store: Store,
    world: World,
) -> None:
    desk, home, visit = Desk(client, world), new_id(), new_id()
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    seen = bob.change(visit, "visit", 0, set={"household": home, "outcome": "done"})
    gate = await asyncpg.connect(postgres_url)
    await gate.execute(f"SELECT pg_advisory_lock({GATE})")
    bob.client = late
    waiting = asyncio.create_task(bob.sync([seen]))
    await somebody_waits(gate)
    dwelling = {"dwelling": world.dwellings["G1"]}
    assert outcomes(await ann.sync([ann.change(home, "household", 0, set=dwelling)])) == {}
    await gate.close()
    assert outcomes(await waiting) == {1: "held"}
    (left,) = await desk.items("/v1/held", "dispatcher")
    assert (left["status"], left["arrived"]) == ("open", True)
    for dry_run, found in ((True, 1), (False, 1), (False, 0)):
        done = await release_left_behind(store, now_ms=now_ms(), dry_run=dry_run)
        assert done == found
    (left,) = await desk.items("/v1/held", "dispatcher")
    assert (left["status"], left["why"], left["became"]) == ("released", "arrived", "applied")
    assert visit in held(await ann.sync())
