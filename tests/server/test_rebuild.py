"""Whatever is damaged of what is derived, `rebuild` puts back, and phones end where it is."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text, update

from server.clock import new_id, now_ms
from server.db import gpkgblob
from server.db.store import Store, open_store
from server.db.tables import Bucket, BucketExit, Erasure, Grid, RecordRow, Snapshot
from server.doctor import Thorough, examine
from server.notify import open_wakeups
from server.replication import queries
from server.replication.projections import PROJECTIONS
from server.replication.rebuild import Rebuilt, rebuild
from server.replication.refold import refold
from server.replication.repairing import repair
from server.replication.reproject import compare
from server.replication.retelling import retell
from server.settings import Settings
from tests.server.canaries import everything
from tests.server.damage import Damage, inflict, picture, without_times
from tests.server.desk import Desk
from tests.server.followers import Follower, feeds
from tests.server.phones import RawPhone, held
from tests.server.test_upkeep import move
from tests.world import World, build_world, centre_e7, settle

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def repaired(
    store: Store, *, apply: bool = True, refold: bool = False
) -> tuple[Rebuilt, list[str]]:
    lines: list[str] = []
    done = await rebuild(store, apply=apply, refold=refold, told=lines.append, now_ms=now_ms())
    return done, lines


@pytest.fixture
async def follower(client: httpx.AsyncClient, store: Store, world: World) -> Follower:
    """A phone after a day with everything in it: cases, moves, what was put away and erased."""
    desk, home = Desk(client, world), world.households["G1"]
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    follower = Follower(await RawPhone.enrol(client, world.tokens["bob"]))
    await follower.sync()
    resident, note = new_id(), new_id()
    reply = await phone.sync(
        [
            phone.report(*centre_e7(0)),
            phone.change(home, "household", 1, set={"door": "1"}),
            phone.change(home, "household", 1, add={"languages": ["yue"]}),
            phone.change(
                resident, "resident", 0, set={"household": home, "name": "A. Resident"}
            ),
            phone.change(note, "note", 0, set={"parent": home, "text": "ring twice"}),
            phone.change(
                new_id(), "visit", 0, set={"household": home, "outcome": "nobody_home"}
            ),
        ]
    )
    incident = next(each for each in held(reply).values() if each["kind"] == "incident")
    path = f"/v1/incidents/{incident['record']}"
    await desk.done(f"{path}/dispatch", "dispatcher", {"assignee": "ann"}, rev=1)
    task = next(each for each in held(await phone.sync()).values() if each["kind"] == "task")
    await phone.sync(
        [phone.change(task["record"], "task", 1, act="finish", args={"result": "swept"})]
    )
    await move(store, world, "G2", "G1")
    why = {"text": "The house was pulled down."}
    await desk.done(f"/v1/records/{world.households['G3']}/archive", "dispatcher", why, rev=1)
    erase = {"reason": "person_asked"}
    await desk.done(f"/v1/records/{resident}/erase", "dispatcher", erase, rev=1)
    await follower.sync()
    return follower


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    opened = open_store(sqlite_url)
    yield opened
    await opened.close()


async def test_a_healthy_store_is_left_as_it_is(store: Store, follower: Follower) -> None:
    assert await differences(store) == []
    before = await store.read(picture)
    done, lines = await repaired(store, refold=True)
    assert (done.found, done.left) == ((), ())
    assert lines == ["folding the mutation log"]
    assert await store.read(picture) == before
    await follower.sync()
    assert follower.resets == []


async def differences(store: Store) -> list[Any]:
    return await store.read(lambda db: [*compare(db), *refold(db)])


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


RECORD, BUCKET, EXIT = (each.__table__ for each in (RecordRow, Bucket, BucketExit))


async def execute(store: Store, statement: Any) -> int:
    return await store.write(lambda db: db.execute(statement).rowcount)


def of_record(record: str, **values: Any) -> Any:
    return update(RECORD).where(RECORD.c.id == record).values(**values)


def of_bucket(bucket: str, **values: Any) -> Any:
    return update(BUCKET).where(BUCKET.c.id == bucket).values(**values)


async def heads(store: Store) -> dict[str, Any]:
    def read(db: Connection) -> dict[str, Any]:
        return {row.id: row for row in db.execute(select(*BUCKET.c))}

    return await store.read(read)


async def test_damage_in_one_bucket_leaves_the_epochs_of_all_others_alone(
    store: Store, world: World, follower: Follower
) -> None:
    bucket = f"grid:{world.grids['G1']}"
    before = await heads(store)
    assert await execute(store, of_record(world.households["G1"], body=b"{}")) == 1
    touched: list[frozenset[str]] = []
    store.on_commit(touched.append)
    done, lines = await repaired(store)
    assert [(each.kind, each.what) for each in done.found] == [("household", "body")]
    assert lines[1:] == [
        f"bucket {bucket}: wrote 1 records, 0 typed rows, dropped 0 exits, new epoch 2"
    ]
    after = await heads(store)
    epochs = {key: (row.epoch, row.first_epoch) for key, row in after.items()}
    assert epochs.pop(bucket) == (2, 2)
    assert set(epochs.values()) == {(1, 1)}
    assert {key for key in before if before[key] != after[key]} == {bucket}
    assert touched == [frozenset({bucket})]
    assert (await repaired(store))[0].found == ()
    await follower.sync()
    assert follower.resets == [bucket]


async def test_a_follower_with_work_of_its_own_keeps_it_through_the_reset(
    store: Store, world: World, follower: Follower
) -> None:
    phone, home = follower.phone, world.households["G1"]
    waiting = phone.change(home, "household", 1, set={"status": "vacant"})
    await execute(store, of_record(home, seq=10_000))
    await repaired(store)
    reply = await phone.sync([waiting])
    assert [each["outcome"] for each in reply["outcomes"]] == ["merged"]
    (page,) = reply["buckets"]
    assert page["reset"]
    assert held(reply)[home]["state"]["status"] == "vacant"
    assert await differences(store) == []


async def test_a_wrong_digest_or_projection_starts_no_new_epoch(
    store: Store, world: World, follower: Follower
) -> None:
    bucket = f"grid:{world.grids['G1']}"
    before = await heads(store)
    await execute(store, of_bucket(bucket, digest="f" * 16, count=0))
    table = PROJECTIONS["household"][0]
    await execute(store, table.delete().where(table.c.id == world.households["G2"]))
    done, _ = await repaired(store)
    assert {each.what for each in done.found} == {"digest", "projection missing"}
    assert await heads(store) == before
    await follower.sync()
    assert follower.resets == []


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


async def test_a_lost_head_begins_an_epoch_that_nobody_can_have(
    store: Store, world: World, follower: Follower
) -> None:
    bucket = f"grid:{world.grids['G1']}"
    before = (await heads(store))[bucket]
    await execute(store, BUCKET.delete().where(BUCKET.c.id == bucket))
    done, _ = await repaired(store)
    assert [each.what for each in done.found] == ["head missing"]
    after = (await heads(store))[bucket]
    assert (after.seq, after.digest, after.count) == (before.seq, before.digest, before.count)
    assert after.epoch == after.first_epoch > 10**9
    await follower.sync()
    assert follower.resets == [bucket]
    await follower.sync()
    assert follower.resets == [bucket]


async def test_exits_that_contradict_their_bucket_are_dropped(
    store: Store, world: World, follower: Follower
) -> None:
    bucket, home = f"grid:{world.grids['G1']}", world.households["G1"]
    row = {"bucket": bucket, "why": "hidden", "to_bucket": None, "left_ms": 1}
    far, there = new_id(), (await heads(store))[bucket].seq
    await execute(store, insert(EXIT).values(record_id=far, seq=10**6, **row))
    await execute(store, insert(EXIT).values(record_id=home, seq=there, **row))
    assert {each.what for each in await differences(store)} == {"exits"}
    await repaired(store)
    left = await store.read(lambda db: set(db.execute(select(EXIT.c.record_id)).scalars()))
    assert not left & {far, home}
    assert left
    await follower.sync()
    assert follower.resets == [bucket]
    assert home in follower.held[bucket]


async def test_files_of_a_bucket_that_was_wrong_are_dropped(
    store: Store, world: World, follower: Follower
) -> None:
    assert follower.held
    buckets = [f"grid:{world.grids[code]}" for code in ("G1", "G2")]
    row = {"epoch": 1, "seq": 1, "coding": "gzip", "etag": "x", "size": 1, "made_ms": 1}
    for bucket in buckets:
        await execute(store, insert(Snapshot).values(bucket=bucket, body=b"x", **row))
    await execute(store, of_bucket(buckets[0], count=0))
    await repaired(store)
    kept = select(Snapshot.__table__.c.bucket)
    assert await store.read(lambda db: list(db.execute(kept).scalars())) == buckets[1:]


@pytest.mark.parametrize("how", ["changed", "lost", "invented"])
async def test_who_looks_places_up_learns_of_rebuilt_grids(
    store: Store, world: World, how: str
) -> None:
    table, grid = Grid.__table__, world.grids["G2"]
    statement = {
        "changed": update(table).where(table.c.id == grid).values(code="elsewhere"),
        "lost": table.delete().where(table.c.id == grid),
        "invented": update(table).where(table.c.id == grid).values(id=new_id()),
    }[how]
    await execute(store, statement)
    version = partial(queries.counter_value, name=queries.GRIDS_VERSION)
    before = await store.read(version)
    await repaired(store)
    assert await store.read(version) > before
    assert await differences(store) == []


async def test_a_bucket_of_many_pages_is_repaired_as_a_whole(
    store: Store, world: World
) -> None:
    ids = await store.write(lambda db: settle(db, world, "G4", 1_100))
    before = await store.read(picture)
    bucket = f"grid:{world.grids['G4']}"
    there = RECORD.c.bucket == bucket
    await execute(store, update(RECORD).where(there).values(hash="0" * 32, seq=1))
    table = PROJECTIONS["household"][0]
    await execute(store, table.delete().where(table.c.id.in_(ids[:600])))
    done, _ = await repaired(store)
    assert {each.what for each in done.found} == {"hash", "seq", "projection missing"}
    assert done.left == ()
    assert await store.read(picture) == before
    assert await differences(store) == []


async def test_the_times_of_a_lost_typed_row_are_those_of_the_log(
    store: Store, world: World, follower: Follower
) -> None:
    """The log does not name the incident that a report brought about before somebody acts."""
    home, now = world.households["G1"], now_ms()
    phone = follower.phone
    reply = await phone.sync([phone.report(*centre_e7(0), text="another")])
    made = next(each for each in held(reply).values() if each["kind"] == "incident")["record"]
    for kind, record in (("household", home), ("incident", made)):
        table = PROJECTIONS[kind][0]
        await execute(store, table.delete().where(table.c.id == record))
    await repaired(store)

    def read(db: Connection, kind: str, record: str) -> tuple[int, int]:
        columns = PROJECTIONS[kind][0].c
        row = db.execute(
            select(columns.created_ms, columns.updated_ms).where(columns.id == record)
        ).one()
        return row.created_ms, row.updated_ms

    times = {
        kind: await store.read(partial(read, kind=kind, record=record))
        for kind, record in (("household", home), ("incident", made))
    }
    assert times["household"][0] < times["household"][1] < now
    assert times["incident"][0] == times["incident"][1] >= now


async def test_a_typed_row_of_somebody_erased_is_removed(
    store: Store, world: World, follower: Follower
) -> None:
    assert follower.held
    gone = select(RECORD.c.id).where(RECORD.c.kind == "resident")
    resident = await store.read(lambda db: db.execute(gone).scalar_one())
    row = {"rev": 1, "area_no": 1, "archived": False, "created_ms": 1, "updated_ms": 1}
    row |= {"household_id": world.households["G1"], "name": "A. Resident"}
    table = PROJECTIONS["resident"][0]
    await execute(store, insert(table).values(id=resident, **row))
    done, _ = await repaired(store)
    assert [(each.record, each.what) for each in done.found] == [
        (resident, "projection left over")
    ]
    assert await differences(store) == []


# what only the log knows


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


# beside a running server


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
