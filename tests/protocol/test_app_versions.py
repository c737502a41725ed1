"""Apps of other versions at the real server, on both stores."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import MutationRow
from server.identity.principal import Role
from server.replication.readable import release_readable
from server.replication.refold import refold
from server.replication.submit import Console, Draft
from sync.canonical import canonical
from sync.versions import Schemas
from tests.server.desk import Desk
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]
RECORDED = Path(__file__).parent / "recorded"
NEXT = Schemas(newest=2, steps={1: lambda mutation: mutation})
DWELLING = "00000000-0000-7000-9000-000000000002"
HOUSEHOLD = "00000000-0000-7000-9000-000000000003"
INCIDENT = "00000000-0000-7000-9000-00000000000a"
TASK = "00000000-0000-7000-9000-00000000000b"


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def visit(phone: RawPhone, world: World, **members: Any) -> dict[str, Any]:
    said = {"household": world.households["G1"], "outcome": "done"}
    return phone.change(new_id(), "visit", 0, set=said, **members)


async def bodies(store: Store, device: str) -> dict[int, tuple[bytes, str]]:
    """By n, what is kept of a device's mutations, and the hash of what it sent."""
    row = MutationRow.__table__.c
    statement = select(row.n, row.body, row.body_hash).where(row.device_id == device)
    found = await store.read(lambda db: db.execute(statement).all())
    return {each.n: (bytes(each.body), each.body_hash) for each in found}


async def test_only_an_app_of_another_version_is_told_what_the_server_reads(
    ann: RawPhone,
) -> None:
    assert "schema" not in await ann.sync()
    for schema in (0, 2, 99):
        reply = await ann.sync(app={"version": "9", "schema": schema})
        assert reply["schema"] == {"least": 1, "newest": 1}


async def test_work_of_a_newer_app_waits_whole_and_counts_when_the_server_knows_it(
    ann: RawPhone, desk: Desk, store: Store, world: World
) -> None:
    fact = visit(ann, world, schema=2)
    odd = visit(ann, world, schema=2, mood={"smile": ["yes"]})
    later = visit(ann, world, schema=3)
    plain = visit(ann, world)
    reply = await ann.sync([fact, odd, later, plain])
    assert outcomes(reply) == dict.fromkeys((1, 2, 3), "held")
    assert {each["code"] for each in reply["outcomes"]} == {"newer-schema"}
    assert plain["record"] in held(reply)
    kept = await bodies(store, ann.id)
    for sent in (fact, odd, later, plain):
        body = canonical(sent)
        assert kept[sent["n"]] == (body, hashlib.sha256(body).hexdigest())

    assert await release_readable(store, now_ms=now_ms(), dry_run=False) == 0
    assert await release_readable(store, now_ms=now_ms(), dry_run=True, schemas=NEXT) == 1
    assert await release_readable(store, now_ms=now_ms(), dry_run=False, schemas=NEXT) == 1
    assert await release_readable(store, now_ms=now_ms(), dry_run=False, schemas=NEXT) == 0
    arrived = held(await ann.sync())
    assert set(arrived) == {fact["record"]}
    assert arrived[fact["record"]]["state"]["visitor"] == world.accounts["ann"]
    (waited,) = await desk.items("/v1/held", "dispatcher", status="released")
    assert (waited["n"], waited["why"], waited["became"]) == (1, "readable", "applied")
    again = (await ann.sync([fact, odd, later, plain]))["outcomes"]
    assert [each.get("became") for each in again] == ["applied", None, None, None]
    assert all(each["replayed"] for each in again)


async def test_more_than_one_step_of_work_that_can_be_read_now(
    ann: RawPhone, store: Store, world: World
) -> None:
    many = [visit(ann, world, schema=2) for _ in range(130)]
    assert set(outcomes(await ann.sync(many)).values()) == {"held"}
    assert await release_readable(store, now_ms=now_ms(), dry_run=False, schemas=NEXT) == 130
    verified = world.households["G1"]
    got = held(await ann.sync()).keys()
    assert got == {verified, *(each["record"] for each in many)}


async def test_the_log_folds_again_with_what_waited_and_was_released(
    ann: RawPhone, store: Store, world: World
) -> None:
    await ann.sync([visit(ann, world, schema=2), visit(ann, world, schema=2, mood="good")])
    await release_readable(store, now_ms=now_ms(), dry_run=False, schemas=NEXT)
    assert await store.read(lambda db: list(refold(db))) == []


async def test_a_member_nobody_knows_is_a_clear_problem_and_nothing_is_taken(
    ann: RawPhone, store: Store, world: World
) -> None:
    """A newer phone reads which member to leave out; its outbox is as it was."""
    body = ann.body([visit(ann, world)], battery=5)
    answer = await ann.post(body)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/malformed-body")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/battery"]
    assert await bodies(store, ann.id) == {}
    del body["battery"]
    assert (await ann.post(body)).status_code == 200


async def prepare(store: Store, world: World) -> None:
    """Make the records that the recorded phone knew, under their ids."""
    dispatcher = Console(account=world.accounts["dispatcher"], role=Role.DISPATCHER.value)
    grid = {"grid": world.grids["G1"]}
    address = {"code": "W1", "address": "1 Long Lane", "lon_e7": 0, "lat_e7": 0}
    made = [
        Draft(record=new_id(), kind="class", base=0, set={"code": "pipe", "name": "Burst"}),
        Draft(record=DWELLING, kind="dwelling", base=0, set={**address, **grid}),
        Draft(record=HOUSEHOLD, kind="household", base=0, set={"dwelling": DWELLING}),
        Draft(record=INCIDENT, kind="incident", base=0, set={"class": "pipe", **grid}),
    ]
    order = {"task": TASK, "assignee": world.accounts["ann"]}
    dispatch = Draft(record=INCIDENT, kind="incident", base=1, act="dispatch", args=order)
    await store.write(lambda db: done(db, world.importer, made))
    await store.write(lambda db: done(db, dispatcher, [dispatch]))


@pytest.mark.parametrize("name", sorted(each.stem for each in RECORDED.glob("*.json")))
async def test_the_bytes_of_every_released_app_are_still_taken(
    client: httpx.AsyncClient, ann: RawPhone, store: Store, world: World, name: str
) -> None:
    """Recorded once from the reference phone, and never changed; only the lease is new."""
    await prepare(store, world)
    await ann.sync()
    recorded = (RECORDED / f"{name}.json").read_bytes()
    lease = re.compile(rb'"lease":"[^"]*"')
    assert len(lease.findall(recorded)) == 1
    content = lease.sub(f'"lease":"{ann.lease}"'.encode(), recorded)
    headers = {"authorization": f"Bearer {ann.token}", "content-type": "application/json"}
    answer = await client.post("/v1/sync", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    sent = json.loads(recorded)["mutations"]
    assert reply["settled_through"] == len(sent) == 10
    assert outcomes(reply) == {}
    kept = await bodies(store, ann.id)
    assert [kept[each["n"]][0] for each in sent] == [canonical(each) for each in sent]
    home = (await ann.sync(last_n=10, buckets=[]))["buckets"]
    states = {item["record"]: item["state"] for page in home for item in page["put"]}
    assert states[TASK]["status"] == "done"
    assert states[HOUSEHOLD]["door"] == "7"
    assert states[HOUSEHOLD]["languages"] == ["cmn"]
    assert {each["record"] for each in sent} <= states.keys()
