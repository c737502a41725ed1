"""What a rebuild takes from the log, when the log may be believed, and what it leaves."""

from functools import partial

import httpx
import pytest
import shapely
from sqlalchemy import Connection, insert, text

from server.clock import now_ms
from server.db import gpkgblob
from server.db.store import Store
from server.db.tables import Erasure
from server.replication.projections import PROJECTIONS
from server.replication.repairing import repair
from server.replication.retelling import retell
from tests.server.canaries import everything
from tests.server.damage import picture, without_times
from tests.server.followers import Follower
from tests.server.phones import RawPhone
from tests.server.rebuilding import (
    RECORD,
    execute,
    follower,
    of_record,
    repaired,
    sqlite_store,
)
from tests.world import World, build_world

__all__ = ["follower", "sqlite_store"]

pytestmark = [pytest.mark.anyio, pytest.mark.db]


def log_gap(db: Connection, phone: RawPhone) -> None:
    statement = text("DELETE FROM mutation WHERE device_id = :device AND n = :n")
    db.execute(statement, {"device": phone.id, "n": phone.last_n})


@pytest.mark.parametrize("damage", ["unreadable", "lost", "lost with its typed row"])
async def test_a_truth_that_nobody_else_has_is_named_and_left(
    client: httpx.AsyncClient, store: Store, world: World, damage: str
) -> None:
    phone, home = await RawPhone.enrol(client, world.tokens["ann"]), world.households["G1"]
    await phone.sync([phone.change(home, "household", 1, set={"door": "1"})])
    await store.write(partial(log_gap, phone=phone))
    if damage == "unreadable":
        await execute(store, of_record(home, truth="{"))
    else:
        await execute(store, RECORD.delete().where(RECORD.c.id == home))
    table = PROJECTIONS["household"][0]
    if damage == "lost with its typed row":
        await execute(store, table.delete().where(table.c.id == home))
    before = await store.read(everything)
    done, _ = await repaired(store)
    named = {(each.kind, each.record, each.what) for each in done.left}
    gap = ("device", phone.id, "log has 0 of 1 mutations")
    if damage == "unreadable":
        assert named == {gap, ("household", home, "truth")}
        assert await store.read(everything) == before
    elif damage == "lost":
        assert named == {gap, ("household", home, "projection without record")}
    else:
        assert named == {gap}


async def test_what_is_erased_does_not_come_back_from_an_older_log(
    store: Store, world: World
) -> None:
    home = world.households["G1"]
    row = {"kind": "household", "grid_id": world.grids["G1"], "reason": "law", "erased_ms": 1}
    await execute(store, insert(Erasure).values(record_id=home, **row))
    await execute(store, RECORD.delete().where(RECORD.c.id == home))
    done, _ = await repaired(store)
    assert {(each.record, each.what) for each in done.left} == {
        (home, "projection without record")
    }


async def test_a_log_that_went_on_does_not_vouch_for_what_it_said_before(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    home, bucket = world.households["G1"], f"grid:{world.grids['G1']}"
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await execute(store, RECORD.delete().where(RECORD.c.id == home))
    told = await store.read(lambda db: retell(db, {home}))
    assert told.strayed == {bucket: (home,)}
    await phone.sync([phone.change(home, "household", 1, set={"door": "1"})])
    done = await store.write(partial(repair, bucket=bucket, told=told, now_ms=now_ms()))
    assert done.records == 0
    later = await store.read(lambda db: retell(db, {home}))
    done = await store.write(partial(repair, bucket=bucket, told=later, now_ms=now_ms()))
    assert done.records == 1
    assert (await repaired(store))[0].left == ()


async def test_a_lost_record_and_its_typed_row_come_back_without_being_asked_for(
    store: Store, world: World, follower: Follower
) -> None:
    home, table = world.households["G1"], PROJECTIONS["household"][0]
    before = await store.read(picture)
    await execute(store, RECORD.delete().where(RECORD.c.id == home))
    await execute(store, table.delete().where(table.c.id == home))
    done, _ = await repaired(store)
    assert {(each.record, each.what) for each in done.found if each.kind != "bucket"} == {
        (home, "missing"),
        (home, "projection missing"),
    }
    assert done.left == ()
    assert without_times(await store.read(picture), {home}) == without_times(before, {home})
    await follower.sync()
    assert home in follower.held[f"grid:{world.grids['G1']}"]


async def test_a_shape_that_cannot_be_read_is_written_again(
    sqlite_store: Store,
) -> None:
    """Only the embedded store lets a hand put bytes there that are no shape."""
    world = await build_world(sqlite_store)
    before = await sqlite_store.read(picture)
    damage = text("UPDATE dwelling SET geom = :cut WHERE id = :id")
    cut = gpkgblob.encode(shapely.Point(1, 1))[:-3]
    values = {"id": world.dwellings["G2"], "cut": cut}
    await sqlite_store.write(lambda db: db.execute(damage, values).rowcount)
    done, _ = await repaired(sqlite_store)
    assert [(each.record, each.what) for each in done.found] == [
        (world.dwellings["G2"], "projection geom")
    ]
    assert await sqlite_store.read(picture) == before
