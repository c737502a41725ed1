"""Records put away over HTTP: phones drop them, lists and layers leave them out."""

import httpx
import pytest

from server.db.store import Store
from server.replication.reproject import compare
from tests.server.desk import Desk, told
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
WHY = {"text": "The house was pulled down."}


def page(reply, bucket):
    return next(each for each in reply["buckets"] if each["id"] == bucket)


async def test_a_household_leaves_the_phones_and_comes_back_with_what_arrived(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    desk, home = Desk(client, world), world.households["G1"]
    bucket = f"grid:{world.grids['G1']}"
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    count = page(await phone.sync(), bucket)["count"]
    gone = await desk.done(f"/v1/records/{home}/archive", "dispatcher", WHY, rev=1)
    assert gone == {"id": home, "kind": "household", "rev": 2, "archived": True}
    reply = await phone.sync([phone.change(home, "household", 1, set={"door": "7"})])
    assert reply["outcomes"][0]["outcome"] == "merged"
    assert reply["outcomes"][0]["code"] == "archived"
    assert page(reply, bucket)["gone"] == [{"record": home, "why": "archived"}]
    assert page(reply, bucket)["count"] == count
    assert home not in held(reply)
    assert [each["state"]["act"] for each in held(reply).values()] == ["archive"]
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    assert home not in held(await fresh.sync())
    back = await desk.done(f"/v1/records/{home}/restore", "dispatcher", WHY, rev=3)
    assert not back["archived"]
    reply = await phone.sync()
    assert held(reply)[home]["state"]["door"] == "7"
    assert not page(reply, bucket)["gone"]
    assert [each async for each in differences(store)] == []


async def differences(store: Store):
    for each in await store.read(lambda db: list(compare(db))):
        yield each


async def test_a_manifest_and_a_repair_leave_out_what_was_put_away(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    desk, home = Desk(client, world), world.households["G1"]
    bucket = f"grid:{world.grids['G1']}"
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await desk.done(f"/v1/records/{home}/archive", "dispatcher", WHY, rev=1)
    headers = {"authorization": f"Bearer {phone.token}"}
    answer = await client.get(f"/v1/sync/manifests/{bucket}", headers=headers)
    assert home not in {each[0] for each in answer.json()["records"]}
    assert len(answer.json()["records"]) == answer.json()["count"]
    asked = {"records": [home]}
    answer = await client.post("/v1/sync/records", json=asked, headers=headers)
    assert answer.json()["records"] == []
    assert [each async for each in differences(store)] == []


async def test_lists_hide_it_unless_asked_and_reading_it_still_works(
    client: httpx.AsyncClient, world: World
) -> None:
    desk, home = Desk(client, world), world.households["G1"]
    before = {each["id"] for each in await desk.items("/v1/households", "dispatcher")}
    await desk.done(f"/v1/records/{home}/archive", "dispatcher", WHY, rev=1)
    after = {each["id"] for each in await desk.items("/v1/households", "dispatcher")}
    assert before - after == {home}
    away = await desk.items("/v1/households", "dispatcher", archived=True)
    assert [(each["id"], each["archived"]) for each in away] == [(home, True)]
    assert (await desk.get(f"/v1/households/{home}", "dispatcher")).json()["archived"]


async def test_who_may_not_decide_or_see_it_is_refused(
    client: httpx.AsyncClient, world: World
) -> None:
    desk, home = Desk(client, world), world.households["G1"]
    path = f"/v1/records/{home}/archive"
    assert told(await desk.post(path, "ann", WHY, rev=1)) == (403, "forbidden")
    assert told(await desk.post(path, "dispatcher", WHY, rev=7)) == (412, "precondition-failed")
    assert (await desk.post(path, "dispatcher", {"text": ""}, rev=1)).status_code == 422
    grid = f"/v1/records/{world.grids['G1']}/archive"
    assert told(await desk.post(grid, "dispatcher", WHY, rev=1)) == (404, "not-found")


async def test_an_incident_under_work_is_not_put_away_and_a_closed_one_leaves_the_layer(
    client: httpx.AsyncClient, world: World
) -> None:
    desk = Desk(client, world)
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    reply = await phone.sync([phone.report(*centre_e7(0))])
    assert outcomes(reply) == {}
    (incident,) = [each["id"] for each in await desk.items("/v1/incidents", "dispatcher")]
    path = f"/v1/records/{incident}/archive"
    assert (await desk.post(path, "dispatcher", WHY, rev=1)).status_code == 409
    await desk.done(f"/v1/incidents/{incident}/reject", "dispatcher", {"text": "none"}, rev=1)
    layer = "/v1/layers/incidents"
    assert len((await desk.get(layer, "analyst")).json()["features"]) == 1
    await desk.done(path, "dispatcher", WHY, rev=2)
    assert (await desk.get(layer, "analyst")).json()["features"] == []
    assert await desk.items("/v1/incidents", "dispatcher") == []
