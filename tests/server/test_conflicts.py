"""Conflicts over HTTP: both values with their authors, resolved by a person."""

from typing import Any

import httpx
import pytest

from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def contested(
    desk: Desk, client: httpx.AsyncClient, world: World, grid: str = "G1"
) -> dict[str, Any]:
    """Two workers who had not seen each other's telephone numbers; returns the conflict."""
    home = world.households[grid]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    for phone, number in ((ann, "000-0001"), (bob, "000-0002")):
        await phone.sync([phone.change(home, "household", 1, set={"contact_phone": number})])
    (found,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    conflict: dict[str, Any] = found
    return conflict


async def test_both_values_are_kept_with_who_gave_them(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    conflict = await contested(desk, client, world)
    assert (conflict["kind"], conflict["field"]) == ("household", "contact_phone")
    assert conflict["record"] == world.households["G1"]
    given = {(each["value"], each["by"], each["role"]) for each in conflict["values"]}
    assert given == {("****01", "ann", "worker"), ("****02", "bob", "worker")}
    assert conflict["live"] in {"****01", "****02"}
    assert conflict["closed_ms"] is None
    home = await desk.get(f"/v1/households/{world.households['G1']}", "dispatcher")
    assert home.json()["open_conflicts"] == ["contact_phone"]
    assert home.json()["rev"] == conflict["rev"]


async def test_a_resolution_reaches_both_phones_and_closes_the_conflict(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    conflict = await contested(desk, client, world)
    path = f"/v1/conflicts/{conflict['id']}"
    read = await desk.get(path, "dispatcher")
    assert read.headers["etag"] == f'"{conflict["rev"]}"'
    done = await desk.done(
        f"{path}/resolve", "dispatcher", {"value": "000-0001"}, rev=conflict["rev"]
    )
    assert (done["status"], done["chosen"]) == ("resolved", "****01")
    assert done["closed_by"] == "dispatcher"
    assert await desk.items("/v1/conflicts", "dispatcher", status="open") == []
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    state = held(await phone.sync())[world.households["G1"]]["state"]
    assert state["contact_phone"] == "000-0001"
    assert "conflicts" not in state
    again = await desk.post(f"{path}/resolve", "dispatcher", {"value": "x"}, rev=done["rev"])
    assert told(again) == (409, "transition-refused")


async def test_another_value_or_none_may_be_chosen(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    conflict = await contested(desk, client, world)
    done = await desk.done(
        f"/v1/conflicts/{conflict['id']}/resolve",
        "dispatcher",
        {"value": None},
        rev=conflict["rev"],
    )
    assert (done["status"], done["chosen"]) == ("resolved", None)
    home = await desk.get(f"/v1/households/{world.households['G1']}", "dispatcher")
    assert home.json()["contact_phone"] is None


@pytest.mark.parametrize("value", ["", "x" * 41, "139****1234", 7, True, 1.5, ["x"], {"a": 1}])
async def test_a_value_the_field_cannot_hold_is_refused(
    desk: Desk, client: httpx.AsyncClient, world: World, value: object
) -> None:
    conflict = await contested(desk, client, world)
    answer = await desk.post(
        f"/v1/conflicts/{conflict['id']}/resolve",
        "dispatcher",
        {"value": value},
        rev=conflict["rev"],
    )
    assert set(pointers(answer)) <= {"/value"} | {
        f"/value/{name}" for name in ("str", "int", "bool")
    }
    assert (await desk.get(f"/v1/conflicts/{conflict['id']}", "dispatcher")).json() == conflict


async def test_a_resolution_needs_the_revision_it_rests_on(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    conflict = await contested(desk, client, world)
    path = f"/v1/conflicts/{conflict['id']}/resolve"
    bare = await desk.post(path, "dispatcher", {"value": "000-0001"})
    assert told(bare) == (428, "precondition-required")
    stale = await desk.post(path, "dispatcher", {"value": "000-0001"}, rev=conflict["rev"] - 1)
    assert told(stale) == (412, "precondition-failed")
    assert stale.json()["current_rev"] == conflict["rev"]


async def test_conflicts_are_for_dispatchers_of_the_area(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    conflict = await contested(desk, client, world)
    path = f"/v1/conflicts/{conflict['id']}"
    for login in ("ann", "analyst", "admin"):
        assert told(await desk.get("/v1/conflicts", login)) == (403, "forbidden")
        assert told(await desk.get(path, login)) == (403, "forbidden")
    assert await desk.items("/v1/conflicts", "dispatcher-n2") == []
    assert told(await desk.get(path, "dispatcher-n2")) == (404, "not-found")
    outside = await desk.post(
        f"{path}/resolve", "dispatcher-n2", {"value": "x"}, rev=conflict["rev"]
    )
    assert told(outside) == (404, "not-found")


async def test_filters(desk: Desk, client: httpx.AsyncClient, world: World) -> None:
    conflict = await contested(desk, client, world)

    async def ids(**query: Any) -> list[str]:
        return [each["id"] for each in await desk.items("/v1/conflicts", "dispatcher", **query)]

    matching = {"kind": "household", "field": "contact_phone", "area": "G1"}
    assert await ids(limit=1, **matching) == [conflict["id"]]
    assert await ids(kind="task") == await ids(area="N2") == await ids(status="resolved") == []
    bad = await desk.get("/v1/conflicts", "dispatcher", status="ended")
    assert bad.json()["parameter"] == "status"
