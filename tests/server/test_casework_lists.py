"""Lists of reports, incidents and tasks: filters, parameters, corrections."""

from typing import Any

import httpx
import pytest

from server.clock import new_id
from tests.server.desk import Desk, pointers, told
from tests.server.loop import dispatched, reported, step
from tests.server.phones import RawPhone, held
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def test_lists_filter_by_state_place_class_and_time(desk: Desk, world: World) -> None:
    first, second = await reported(desk, 0), await reported(desk, 3)
    await step(desk, second, "reject", {"text": "No"})

    async def ids(**query: Any) -> list[str]:
        return [each["id"] for each in await desk.items("/v1/incidents", "dispatcher", **query)]

    assert await ids() == [second["id"], first["id"]]
    assert await ids(limit=1) == [second["id"], first["id"]]
    assert await ids(open=True) == [first["id"]]
    assert await ids(open=False) == await ids(state="rejected") == [second["id"]]
    assert await ids(area="N1") == await ids(grid=world.grids["G1"]) == [first["id"]]
    assert await ids(**{"class": "0402"}) == []
    assert await ids(datetime="2020-01-01/2021-01-01") == []
    assert len(await ids(datetime="2020-01-01/..")) == 2
    assert [each["id"] for each in await desk.items("/v1/incidents", "ann")] == [first["id"]]


async def test_tasks_filter_by_assignee_and_state(desk: Desk, world: World) -> None:
    incident = await dispatched(desk)
    mine = await desk.items("/v1/tasks", "ann", assignee=world.accounts["ann"])
    assert [each["id"] for each in mine] == [incident["task"]]
    assert await desk.items("/v1/tasks", "dispatcher", state="done") == []
    assert await desk.items("/v1/tasks", "cat") == []


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("incidents?state=lost", "state"),
        ("incidents?datetime=yesterday", "datetime"),
        ("incidents?datetime=2026-02-01/2026-01-01", "datetime"),
        ("incidents?open=perhaps", "open"),
        ("tasks?assignee=ann", "assignee"),
        ("tasks?grid=1", "grid"),
        ("reports?order=asc", "order"),
    ],
)
async def test_a_bad_parameter_is_named(desk: Desk, path: str, parameter: str) -> None:
    answer = await desk.get(f"/v1/{path}", "dispatcher")
    assert told(answer) == (400, "invalid-parameter")
    assert answer.json()["parameter"] == parameter


async def test_the_catalogue_of_classes_is_for_everybody(desk: Desk) -> None:
    listed = await desk.items("/v1/classes", "dispatcher", limit=1)
    assert [each["code"] for each in listed] == ["0102", "0402"]
    for login in ("ann", "analyst", "dispatcher-n2"):
        assert await desk.items("/v1/classes", login) == listed
    assert listed[0]["limit_hours"] == 24
    assert listed[0]["active"] is True
    assert len(await desk.items("/v1/classes", "ann", active=True)) == 2
    assert await desk.items("/v1/classes", "ann", active=False) == []
    assert await desk.items("/v1/classes", "ann", major="Traffic") == []


async def test_an_incident_can_be_corrected_and_moved(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    incident = await reported(desk)
    path = f"/v1/incidents/{incident['id']}"
    changed = await desk.patch(
        path, "dispatcher", {"priority": "high", "class": "0402"}, rev=incident["rev"]
    )
    body = changed.json()
    assert (body["priority"], body["class"]) == ("high", "0402")
    for bad, pointer in (
        ({"class": None}, "/class"),
        ({"class": "9"}, "/class"),
        ({"grid": new_id()}, "/grid"),
        ({"state": "closed"}, "/state"),
        ({}, ""),
    ):
        refused = await desk.patch(path, "dispatcher", bad, rev=body["rev"])
        assert pointers(refused) == [pointer]
    moved = await desk.patch(path, "dispatcher", {"grid": world.grids["G3"]}, rev=body["rev"])
    assert moved.json()["grid"] == world.grids["G3"]
    phone = await RawPhone.enrol(client, world.tokens["cat"])
    assert incident["id"] in held(await phone.sync())
