"""A group that waited is released together, or goes on waiting."""

from typing import Any

import httpx
import pytest

from server.clock import new_id
from server.db.store import Store
from tests.server.desk import Desk
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, done, draft

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


def form(phone: RawPhone, dwelling: str, **members: Any) -> list[dict[str, Any]]:
    """A new family with a resident, in one group."""
    family = new_id()
    made = [
        phone.change(family, "household", 0, set={"dwelling": dwelling}),
        phone.change(new_id(), "resident", 0, set={"household": family, "name": "Wu"}),
    ]
    return [{**each, "group": "form", **members} for each in made]


async def statuses(desk: Desk) -> list[tuple[str, str]]:
    found = await desk.items("/v1/held", "dispatcher")
    return [(each["status"], each["code"]) for each in reversed(found)]


async def test_a_record_that_comes_brings_the_whole_group(
    desk: Desk, store: Store, ann: RawPhone, world: World
) -> None:
    dwelling = new_id()
    family, person = form(ann, dwelling)
    apart = ann.change(new_id(), "note", 0, set={"parent": new_id(), "text": "?"})
    assert outcomes(await ann.sync([family, person, apart])) == dict.fromkeys((1, 2, 3), "held")
    fields = {"code": "W9", "address": "Block 9", "grid": world.grids["G1"]}
    place = {"lon_e7": 1_215_000_000, "lat_e7": 250_300_000}
    block = draft(dwelling, "dwelling", {**fields, **place})
    await store.write(lambda db: done(db, world.importer, [block]))
    assert {family["record"], person["record"]} <= held(await ann.sync()).keys()
    assert [status for status, _ in await statuses(desk)] == ["released", "released", "open"]


async def test_an_accepted_actor_brings_the_whole_group(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    actor = {"actor": world.accounts["cat"]}
    await ann.sync(form(ann, world.dwellings["G3"], **actor))
    assert await statuses(desk) == [("open", "unknown-actor"), ("open", "group-failed")]
    accepted = await desk.done(f"/v1/devices/{ann.id}/actors", "cat")
    assert (accepted["released"], accepted["waiting"]) == (2, 0)


async def test_one_that_still_cannot_be_applied_keeps_its_group_waiting(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    assert (await desk.post(f"/v1/devices/{ann.id}/revoke", "admin")).status_code == 204
    failing = form(ann, world.dwellings["G1"])
    failing[1]["set"]["household"] = new_id()
    sound = form(ann, world.dwellings["G1"], group="other form")
    await ann.sync([*failing, *sound])
    asked = {"device": ann.id}
    for _ in range(2):
        result = await desk.done("/v1/held/release", "dispatcher", asked)
        told = [(each["n"], each["status"], each["code"]) for each in result["items"]]
        assert told[:2] == [(1, "open", "group-failed"), (2, "open", "unknown-parent")]
    assert await statuses(desk) == [
        ("open", "group-failed"),
        ("open", "unknown-parent"),
        ("released", "device-revoked"),
        ("released", "device-revoked"),
    ]
    homes = await desk.items("/v1/households", "dispatcher", grid=world.grids["G1"])
    assert failing[0]["record"] not in {each["id"] for each in homes}
    assert sound[0]["record"] in {each["id"] for each in homes}
