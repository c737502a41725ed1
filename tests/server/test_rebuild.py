"""Whatever is damaged of what is derived, `rebuild` puts back, and phones end where it is."""

import asyncio

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from server.clock import new_id
from server.db.store import Store
from server.doctor import Thorough, examine
from server.notify import open_wakeups
from server.replication.projections import PROJECTIONS
from server.settings import Settings
from tests.server.canaries import everything
from tests.server.damage import Damage, inflict, picture, without_times
from tests.server.followers import Follower, feeds
from tests.server.phones import RawPhone
from tests.server.rebuilding import (
    BUCKET,
    RECORD,
    differences,
    execute,
    follower,
    of_bucket,
    repaired,
    sqlite_store,
)
from tests.world import World, build_world

__all__ = ["follower", "sqlite_store"]

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def test_a_healthy_store_is_left_as_it_is(store: Store, follower: Follower) -> None:
    assert await differences(store) == []
    before = await store.read(picture)
    done, lines = await repaired(store, refold=True)
    assert (done.found, done.left) == ((), ())
    assert lines == ["folding the mutation log"]
    assert await store.read(picture) == before
    await follower.sync()
    assert follower.resets == []


SORTS = ("record", "record", "record", "bucket", *PROJECTIONS)
DAMAGES = st.lists(
    st.builds(
        Damage,
        sort=st.sampled_from(SORTS),
        row=st.integers(0, 60),
        how=st.integers(0, 60),
    ),
    min_size=1,
    max_size=6,
)


@given(damages=DAMAGES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_damaged_cells_and_rows_come_back(
    store: Store, follower: Follower, damages: list[Damage]
) -> None:
    before = await store.read(picture)
    deleted = await store.write(lambda db: inflict(db, damages))
    damaged = await store.read(picture)
    dry, _ = await repaired(store, apply=False, refold=True)
    assert await store.read(picture) == damaged
    done, _ = await repaired(store, refold=True)
    assert done.found == dry.found
    assert done.found or damaged == before
    assert done.left == ()
    after = await store.read(picture)
    assert without_times(after, deleted) == without_times(before, deleted)
    assert await differences(store) == []
    await follower.sync()
    there = await store.read(feeds)
    assert follower.held == {bucket: there.get(bucket, {}) for bucket in follower.held}


async def test_a_dry_run_writes_nothing_at_all(store: Store, follower: Follower) -> None:
    assert follower.held
    await execute(store, update(RECORD).values(hash="0" * 32))
    await execute(store, BUCKET.delete())
    before = await store.read(everything)
    done, lines = await repaired(store, apply=False)
    assert done.found == done.left
    assert {each.what for each in done.found} == {"hash", "head missing"}
    assert lines == ["folding the mutation log"]
    assert await store.read(everything) == before


async def test_what_phones_send_during_a_rebuild_is_all_there(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phones = [await RawPhone.enrol(client, world.tokens[each]) for each in ("ann", "bob")]
    for phone in phones:
        await phone.sync()
    home, lost = world.households["G1"], world.households["G2"]
    sent: list[str] = []
    stop = asyncio.Event()

    async def work(phone: RawPhone, at: int) -> None:
        while not stop.is_set():
            note = new_id()
            fields = {"parent": home, "text": f"from {at}"}
            mutations = [
                phone.change(note, "note", 0, set=fields),
                phone.change(home, "household", 1, set={"door": f"{at}-{len(sent)}"}),
            ]
            reply = await phone.sync(mutations)
            assert {each["outcome"] for each in reply["outcomes"]} <= {
                "applied",
                "merged",
                "conflict",
            }
            sent.append(note)

    async def damage_and_rebuild() -> None:
        try:
            for _ in range(5):
                await execute(store, update(RECORD).values(hash="0" * 32))
                await execute(store, of_bucket(f"grid:{world.grids['G1']}", count=0))
                await execute(store, RECORD.delete().where(RECORD.c.id == lost))
                done, _ = await repaired(store)
                assert {"hash", "missing"} <= {each.what for each in done.found}
        finally:
            stop.set()

    await asyncio.gather(
        damage_and_rebuild(), *(work(phone, at) for at, phone in enumerate(phones))
    )
    await repaired(store)
    assert len(sent) > 5
    assert await differences(store) == []
    there = await store.read(feeds)
    assert lost in there[f"grid:{world.grids['G2']}"]
    assert set(sent) <= there[f"grid:{world.grids['G1']}"].keys()
    late = Follower(phones[0])
    phones[0].cursors.clear()
    await late.sync()
    assert late.held[f"grid:{world.grids['G1']}"] == there[f"grid:{world.grids['G1']}"]


async def test_phones_that_wait_elsewhere_hear_of_it(
    sqlite_store: Store, sqlite_url: str, redis_url: str
) -> None:
    world = await build_world(sqlite_store)
    bucket = f"grid:{world.grids['G2']}"
    await execute(sqlite_store, of_bucket(bucket, digest="f" * 16))
    settings_ = Settings(redis_url=redis_url)
    waiting = open_wakeups(redis_url, deployment=settings_.deployment)
    await waiting.start()
    async with asyncio.timeout(10):
        while not waiting.connected:  # noqa: ASYNC110 - what it watches has no event
            await asyncio.sleep(0.01)
    woken = asyncio.create_task(waiting.wait({bucket}, 10))
    await asyncio.sleep(0)
    found = await examine(sqlite_url, settings_, Thorough(rebuild=True, apply=True))
    assert [each.detail for each in found if each.name == "rebuild"] == [
        "rebuilt 1 bucket digest"
    ]
    assert await woken
    await waiting.close()
