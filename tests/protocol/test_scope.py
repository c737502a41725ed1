"""Nothing outside a device's scope is given out, neither in the feed nor by an outcome."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Assignment
from server.identity.queries import assign
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, bearer, held, outcomes
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]


def told(reply: dict[str, Any]) -> list[dict[str, Any]]:
    """The outcomes of a reply without what the phone itself chose."""
    return [
        {name: value for name, value in each.items() if name not in {"n", "record"}}
        for each in reply["outcomes"]
    ]


async def asked_about(phone: RawPhone, household: str, dwelling: str, grid: str) -> list[Any]:
    """What a phone is told that tries everything on one household and its dwelling."""
    right, wrong = {"dwelling": dwelling}, {"dwelling": new_id()}
    batch = [
        phone.change(household, "household", 1, set={"door": "1"}),
        phone.change(household, "household", 1, set=right),
        phone.change(household, "household", 1, set=wrong),
        phone.change(household, "household", 1, set={"grid": grid}),
        phone.change(household, "household", 99, set={"door": "1"}),
        phone.change(household, "household", 1, add={"languages": ["yue"]}),
        phone.change(household, "resident", 1, set={"phone": "1"}),
        phone.change(household, "task", 1, act="finish"),
        phone.change(new_id(), "household", 0, set=right),
        phone.change(new_id(), "resident", 0, set={"household": household, "name": "N"}),
        phone.change(new_id(), "visit", 0, set={"household": household, "outcome": "done"}),
        phone.change(new_id(), "note", 0, set={"parent": household, "text": "seen"}),
        phone.change(new_id(), "note", 0, set={"parent": grid, "text": "seen"}),
    ]
    return told(await phone.sync(batch))


async def test_what_lies_outside_is_answered_as_if_it_did_not_exist(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    there = await asked_about(
        phone, world.households["G3"], world.dwellings["G3"], world.grids["G3"]
    )
    nowhere = await asked_about(phone, new_id(), new_id(), new_id())
    assert there == nowhere
    assert {each["outcome"] for each in there} == {"held"}
    assert {each["rev"] for each in there} == {0}
    await witness.unchanged()


async def test_a_report_cannot_be_tied_to_an_incident_outside(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    report = cat.report(*centre_e7(2))
    theirs = held(await cat.sync([report]))[report["record"]]["state"]["incident"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    probe = ann.report(*centre_e7(0), incident=theirs)
    reply = await ann.sync([probe])
    items = held(reply)
    nothing = await ann.sync([ann.report(*centre_e7(0), incident=new_id())])
    assert told(reply) == told(nothing)
    own = items[probe["record"]]["state"]["incident"]
    assert own != theirs
    assert items[own]["kind"] == "incident"
    await witness.unchanged()


async def test_a_report_from_a_place_outside_is_kept_there_and_not_shown(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    report = phone.report(*centre_e7(2), text="seen")
    note = phone.change(new_id(), "note", 0, set={"parent": report["record"], "text": "more"})
    reply = await phone.sync([report, note])
    assert outcomes(reply) == {}
    made = {report["record"], note["record"]}
    assert not made & held(reply).keys()
    answer = await client.post(
        "/v1/sync/records", json={"records": sorted(made)}, headers=bearer(phone.token)
    )
    assert answer.json()["records"] == []
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    assert made <= held(await cat.sync()).keys()
    await witness.unchanged()


async def test_a_fact_sent_again_by_a_new_identity_is_recorded_once(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    report = phone.report(*centre_e7(2))
    await phone.sync([report])
    again = await RawPhone.enrol(client, world.tokens["ann"])
    reply = await again.sync([report])
    assert told(reply)[0]["outcome"] == "recorded"
    assert told(reply)[0]["code"] == "already-exists"


async def test_an_edit_after_the_assignment_ended_says_so(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["cat"])
    ended = now_ms() - 10_000_000
    await store.write(
        lambda db: db.execute(
            update(Assignment)
            .where(Assignment.account_id == world.accounts["cat"])
            .values(valid_to_ms=ended)
        )
    )
    home = world.households["G3"]
    reply = await phone.sync([phone.change(home, "household", 1, set={"door": "1"})])
    assert told(reply) == [{"outcome": "held", "code": "not-in-scope", "rev": 1}]
    assert set(reply["scope"]["enter"]) == {"config", f"user:{world.accounts['cat']}"}
    await witness.unchanged()


async def test_manifests_and_records_follow_every_change_of_assignment(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    headers = bearer(phone.token)
    wanted = {"records": sorted(world.households.values())}

    async def seen() -> tuple[set[str], set[str], set[str]]:
        manifests = {
            code
            for code, grid in world.grids.items()
            if (
                await client.get(f"/v1/sync/manifests/grid:{grid}", headers=headers)
            ).status_code
            == 200
        }
        records = await client.post("/v1/sync/records", json=wanted, headers=headers)
        answered = {each["record"] for each in records.json()["records"]}
        fresh = await RawPhone.enrol(client, world.tokens["ann"])
        fed = held(await fresh.sync()).keys()
        homes = world.households
        return (
            manifests,
            {code for code, home in homes.items() if home in answered},
            {code for code, home in homes.items() if home in fed},
        )

    assert await seen() == ({"G1"},) * 3
    await store.write(
        lambda db: assign(
            db, account=world.accounts["ann"], area=world.areas["N2"], now_ms=now_ms() - 1
        )
    )
    assert await seen() == ({"G1", "G3", "G4"},) * 3
    await store.write(
        lambda db: db.execute(
            update(Assignment)
            .where(Assignment.account_id == world.accounts["ann"])
            .values(valid_to_ms=now_ms() - 1)
        )
    )
    assert await seen() == (set(),) * 3


@pytest.mark.parametrize(
    "bucket",
    ["grid:", "grid:*", "config/../grid", "%00", "%2e%2e", "user:", "网格", "grid:%25"],
)
async def test_a_bucket_nobody_has_is_not_found(
    client: httpx.AsyncClient, world: World, bucket: str
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    answer = await client.get(f"/v1/sync/manifests/{bucket}", headers=bearer(phone.token))
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    other = f"user:{world.accounts['bob']}"
    theirs = await client.get(f"/v1/sync/manifests/{other}", headers=bearer(phone.token))
    assert theirs.status_code == 404
