"""Boundaries are published while somebody is just reporting what lies there."""

import asyncio
from functools import partial

import httpx
import pytest
from sqlalchemy import Connection, text

from server.clock import new_id
from server.db.store import Store
from server.replication.queries import lock_buckets
from server.replication.refold import refold
from server.replication.reproject import compare
from tests.server.desk import Desk
from tests.server.drafts import drawn, halved, publish
from tests.server.phones import RawPhone, outcomes
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]


def hold(world: World, until: asyncio.Event, db: Connection) -> None:
    """Hold a bucket's lock that the push takes first and the publishing does not need."""
    lock_buckets(db, [f"grid:{world.grids['G1']}"])
    while not until.is_set():
        db.execute(text("SELECT pg_sleep(0.02)"))


async def waits_for_a_lock(store: Store) -> None:
    """Wait until a transaction waits for another one."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    for _ in range(500):
        if await store.read(lambda db: db.execute(waiting).scalar_one()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def test_what_is_reported_while_boundaries_are_published_lies_in_one_in_force(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    """A push was located, waits for a lock, and meanwhile the grid it lies in is closed."""
    desk = Desk(client, world)
    change = await drawn(desk, halved(desk, "G2"))
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    note = {"parent": world.dwellings["G1"], "text": "ring twice"}
    said = [phone.change(new_id(), "note", 0, set=note), phone.report(*centre_e7(1))]
    if store.dialect == "postgresql":
        answered = asyncio.Event()
        holding = asyncio.create_task(store.write(partial(hold, world, answered)))
        pushing = asyncio.create_task(phone.sync(said))
        await waits_for_a_lock(store)
        assert (await publish(desk, change)).status_code == 200
        answered.set()
        await holding
        reply = await pushing
    else:
        reply = await phone.sync(said)
        assert (await publish(desk, change)).status_code == 200
    assert outcomes(reply) == {}
    (place,) = await desk.items("/v1/reports", "dispatcher")
    found = (await desk.get("/v1/grids", "admin")).json()["features"]
    in_force = {each["id"] for each in found}
    assert place["grid"] in in_force
    assert await store.read(lambda db: [*compare(db), *refold(db)]) == []
