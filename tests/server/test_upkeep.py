"""What upkeep forgets, and what phones that were away for long find then, on both stores."""

import httpx
import pytest
from sqlalchemy import select, update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Bucket, BucketExit
from server.identity.principal import Role
from server.replication.submit import Console, Draft
from server.replication.upkeep import forget_exits
from tests.server.phones import RawPhone, held
from tests.world import DAY_MS, World, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def move(store: Store, world: World, code: str, grid: str) -> None:
    """Let the office move a household to another grid."""
    console = Console(account=world.accounts["dispatcher"], role=Role.DISPATCHER.value)
    draft = Draft(
        record=world.households[code],
        kind="household",
        base=1,
        set={"grid": world.grids[grid]},
    )
    await store.write(lambda db: done(db, console, [draft]))


async def age(store: Store, days: int) -> None:
    """Let everything that left have left so many days earlier."""
    earlier = BucketExit.__table__.c.left_ms - days * DAY_MS
    await store.write(lambda db: db.execute(update(BucketExit).values(left_ms=earlier)))


async def floors(store: Store) -> dict[str, tuple[int, int]]:
    """Bucket to (epoch, floor), of those with a floor."""
    columns = Bucket.__table__.c
    statement = select(columns.id, columns.epoch, columns.tombstone_floor)
    rows = await store.read(
        lambda db: db.execute(statement.where(columns.tombstone_floor > 0)).all()
    )
    return {row.id: (row.epoch, row.tombstone_floor) for row in rows}


async def forget(store: Store, *, days: int = 30, dry_run: bool = False) -> tuple[int, int]:
    found = await forget_exits(store, before_ms=now_ms() - days * DAY_MS, dry_run=dry_run)
    return found.exits, found.buckets


async def test_only_what_left_long_ago_is_forgotten_and_only_once(
    store: Store, world: World
) -> None:
    await move(store, world, "G1", "G2")
    await age(store, 31)
    await move(store, world, "G2", "G1")
    assert await forget(store, dry_run=True) == (1, 1)
    assert await floors(store) == {}
    assert await forget(store) == (1, 1)
    bucket = f"grid:{world.grids['G1']}"
    epoch, floor = (await floors(store))[bucket]
    assert epoch == 2
    assert floor > 0
    assert await forget(store) == (0, 0)
    assert await floors(store) == {bucket: (epoch, floor)}


async def test_a_phone_below_the_floor_is_reset_and_one_above_it_goes_on(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    bucket = f"grid:{world.grids['G1']}"
    away, here = [await RawPhone.enrol(client, world.tokens["ann"]) for _ in range(2)]
    await away.sync()
    await here.sync()
    await move(store, world, "G1", "G2")
    (seen,) = (await here.sync())["buckets"]
    assert [each["record"] for each in seen["gone"]] == [world.households["G1"]]
    await age(store, 31)
    assert await forget(store) == (1, 1)
    assert (await here.sync())["buckets"] == []
    (page,) = (await away.sync())["buckets"]
    assert (page["id"], page["reset"], page["from"]) == (bucket, True, 0)
    assert world.households["G1"] not in {each["record"] for each in page["put"]}
    assert (await away.sync())["buckets"] == []


async def test_an_old_follower_above_the_floor_keeps_its_epoch(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    await move(store, world, "G1", "G2")
    await phone.sync()
    await age(store, 31)
    await forget(store)
    await move(store, world, "G2", "G1")
    (page,) = (await phone.sync())["buckets"]
    assert (page["epoch"], page["reset"]) == (1, False)
    assert world.households["G2"] in {each["record"] for each in page["put"]}


async def test_a_first_sync_in_small_pages_gets_past_the_floor(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    author = await RawPhone.enrol(client, world.tokens["bob"])
    notes = [
        author.change(
            new_id(), "note", 0, set={"parent": world.dwellings["G1"], "text": "x" * 1_900}
        )
        for _ in range(20)
    ]
    await author.sync(notes)
    await move(store, world, "G1", "G2")
    await age(store, 31)
    await forget(store)
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    seen: set[str] = set()
    for _ in range(20):
        reply = await fresh.sync(max_bytes=4_096)
        seen |= held(reply).keys()
        if not any(page["more"] for page in reply["buckets"]):
            break
    else:
        pytest.fail("paging did not end")
    assert {each["record"] for each in notes} <= seen


async def test_a_floor_raised_in_the_middle_of_a_first_sync_starts_it_again_once(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    page = {each["id"]: each for each in (await fresh.sync())["buckets"]}
    bucket = f"grid:{world.grids['G1']}"
    assert page[bucket]["epoch"] == 1
    fresh.cursors[bucket]["seq"] = 1  # as if only the first record had fitted
    await move(store, world, "G1", "G2")
    await age(store, 31)
    await forget(store)
    (again,) = (await fresh.sync())["buckets"]
    assert (again["reset"], again["epoch"]) == (True, 2)
    assert world.households["G1"] not in {each["record"] for each in again["put"]}
    assert (await fresh.sync())["buckets"] == []
