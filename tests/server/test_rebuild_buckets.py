"""What a rebuild does to one bucket: its rows, its head, its epoch, its files, its phones."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Grid, Snapshot
from server.replication import queries
from server.replication.projections import PROJECTIONS
from tests.server.damage import picture
from tests.server.followers import Follower
from tests.server.phones import held
from tests.server.rebuilding import (
    BUCKET,
    EXIT,
    RECORD,
    differences,
    execute,
    follower,
    heads,
    of_bucket,
    of_record,
    repaired,
)
from tests.walls import beyond
from tests.world import World, centre_e7, settle

__all__ = ["follower"]

pytestmark = [pytest.mark.anyio, pytest.mark.db]


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
        kind: await store.read(beyond(partial(read, kind=kind, record=record)))
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
    row: dict[str, Any] = {
        "rev": 1,
        "area_no": 1,
        "archived": False,
        "created_ms": 1,
        "updated_ms": 1,
    }
    row |= {"household_id": world.households["G1"], "name": "A. Resident"}
    table = PROJECTIONS["resident"][0]
    await execute(store, insert(table).values(id=resident, **row))
    done, _ = await repaired(store)
    assert [(each.record, each.what) for each in done.found] == [
        (resident, "projection left over")
    ]
    assert await differences(store) == []
