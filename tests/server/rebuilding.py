"""What tests of rebuilding share: a busy store, a phone that follows it, and a hand in it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select, update

from server.clock import new_id, now_ms
from server.db.store import Store, open_store
from server.db.tables import Bucket, BucketExit, RecordRow
from server.replication.rebuild import Rebuilt, rebuild
from server.replication.refold import refold
from server.replication.reproject import compare
from tests.server.desk import Desk
from tests.server.followers import Follower
from tests.server.phones import RawPhone, held
from tests.server.test_upkeep import move
from tests.walls import beyond
from tests.world import World, centre_e7

RECORD, BUCKET, EXIT = (each.__table__ for each in (RecordRow, Bucket, BucketExit))


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


async def differences(store: Store) -> list[Any]:
    return await store.read(lambda db: [*compare(db), *refold(db)])


async def execute(store: Store, statement: Any) -> int:
    return await store.write(beyond(lambda db: db.execute(statement).rowcount))


def of_record(record: str, **values: Any) -> Any:
    return update(RECORD).where(RECORD.c.id == record).values(**values)


def of_bucket(bucket: str, **values: Any) -> Any:
    return update(BUCKET).where(BUCKET.c.id == bucket).values(**values)


async def heads(store: Store) -> dict[str, Any]:
    def read(db: Connection) -> dict[str, Any]:
        return {row.id: row for row in db.execute(select(*BUCKET.c))}

    return await store.read(read)
