"""Service points: who may say what, what is kept of it, and what locating tells of them."""

from typing import Any

import httpx
import pytest

from geo.datum import from_wgs84
from server.clock import new_id
from server.servicepoints.commands import POINTS_PER_AREA_MAX
from tests.server.desk import Desk, pointers, told
from tests.world import LAT, LON, STEP, World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7
POINTS = "/v1/service-points"
EVERY_DAY = {
    day: ["00:00-24:00"]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def centre(index: int) -> dict[str, float]:
    lon_e7, lat_e7 = centre_e7(index)
    return {"lon": lon_e7 / E7, "lat": lat_e7 / E7}


def said(index: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "name": "Service hall",
        "address": "1 Lane, ground floor",
        **centre(index),
        "time_zone": "Asia/Shanghai",
        "hours": EVERY_DAY,
        **more,
    }


async def put(desk: Desk, login: str, point: str, body: Any, rev: int) -> httpx.Response:
    headers = {"authorization": f"Bearer {desk.world.tokens[login]}", "if-match": f'"{rev}"'}
    return await desk.client.put(f"{POINTS}/{point}", json=body, headers=headers)


async def located(desk: Desk, index: int, login: str = "dispatcher", **query: Any) -> Any:
    return (await desk.get("/v1/locate", login, **centre(index), **query)).json()


async def test_the_smallest_area_with_a_service_point_answers_and_the_nearest_of_several(
    desk: Desk, world: World
) -> None:
    areas = world.areas
    assert (await located(desk, 0))["service_points"] == []
    above = await desk.done(POINTS, "dispatcher", said(3, area=areas["S"], name="Street"))
    west = await desk.done(POINTS, "dispatcher", said(0, area=areas["N1"], name="West"))
    east = await desk.done(
        POINTS, "admin", said(1, area=areas["N1"], name="East", phone="0100", hours={})
    )
    here = await located(desk, 0)
    assert here["service_point"] == west["id"]
    (office,) = here["service_points"]
    assert (office["name"], office["area_code"], office["open"]) == ("West", "N1", True)
    assert (office["changes_at"], office["phone"]) == (None, None)
    closed = await located(desk, 1)
    assert closed["service_points"][0] == {
        "id": east["id"],
        "area": areas["N1"],
        "area_code": "N1",
        "name": "East",
        "address": "1 Lane, ground floor",
        "phone": "0100",
        **centre(1),
        "time_zone": "Asia/Shanghai",
        "open": False,
        "changes_at": None,
    }
    # A worker of the other community is told the office above both, outside of their area.
    assert (await located(desk, 2, "cat"))["service_point"] == above["id"]
    places = [centre(0), centre(1), centre(2), {"lon": 0, "lat": 0}]
    batch = await desk.done("/v1/locate", "dispatcher", {"points": places})
    named = [west["id"], east["id"], above["id"], None]
    assert [each["service_point"] for each in batch["points"]] == named
    assert [each["id"] for each in batch["service_points"]] == sorted(named[:3])


async def test_every_version_is_kept_and_asked_for_by_a_moment(
    desk: Desk, world: World
) -> None:
    made = await desk.done(POINTS, "dispatcher", said(area=world.areas["N1"]))
    point = made["id"]
    again = await put(desk, "dispatcher", point, said(), 1)
    assert (again.json()["rev"], again.headers["etag"]) == (1, '"1"')
    night = {"date": "2026-10-01", "hours": ["00:00-06:00", "22:00-24:00"]}
    moved = said(1, hours={}, special_days=[night], name="Moved hall")
    done = await put(desk, "dispatcher", point, moved, 1)
    assert (done.json()["rev"], done.json()["special_days"]) == (2, [night])
    assert told(await put(desk, "dispatcher", point, said(), 1)) == (412, "precondition-failed")
    then = (await desk.get(f"{POINTS}/{point}", "ann", as_of=made["valid_from"])).json()
    assert (then["name"], then["open"], then["valid_to"]) == (
        "Service hall",
        True,
        done.json()["valid_from"],
    )
    before = await located(desk, 0, as_of=made["valid_from"])
    assert before["service_points"][0]["name"] == "Service hall"
    lit = "2026-10-01T05:59:00+08:00"
    assert (await desk.get(f"{POINTS}/{point}", "ann", as_of=lit)).status_code == 404
    retired = await desk.done(f"{POINTS}/{point}/retire", "dispatcher", rev=2)
    assert retired["valid_to"] is not None
    assert await desk.items(POINTS, "dispatcher") == []
    assert len(await desk.items(POINTS, "dispatcher", as_of=made["valid_from"])) == 1
    assert (await located(desk, 0))["service_point"] is None
    assert told(await put(desk, "dispatcher", point, said(), 2)) == (
        409,
        "transition-refused",
    )
    assert (await desk.get(f"{POINTS}/{point}", "dispatcher")).json()["name"] == "Moved hall"


async def test_offices_make_them_in_their_own_area_and_everybody_below_reads_them(
    desk: Desk, world: World
) -> None:
    areas, mine = world.areas, new_id()
    body = said(2, area=areas["N2"], id=mine)
    for login in ("ann", "analyst"):
        assert told(await desk.post(POINTS, login, body)) == (403, "forbidden")
    for area in (areas["N1"], areas["S"], areas["G3"], new_id()):
        refused = await desk.post(POINTS, "dispatcher-n2", body | {"area": area})
        assert pointers(refused) == ["/area"]
    first = await desk.post(POINTS, "dispatcher-n2", body)
    assert (first.status_code, first.headers["location"]) == (201, f"{POINTS}/{mine}")
    assert (await desk.post(POINTS, "dispatcher-n2", body)).status_code == 200
    other = await desk.post(POINTS, "dispatcher-n2", body | {"name": "Else"})
    assert told(other) == (409, "already-exists")
    elsewhere = await desk.post(POINTS, "admin", body | {"area": areas["N1"]})
    assert told(elsewhere) == (409, "already-exists")
    assert (await desk.get(f"{POINTS}/{mine}", "cat")).json()["name"] == "Service hall"
    assert told(await desk.get(f"{POINTS}/{mine}", "ann")) == (404, "not-found")
    assert (await desk.items(POINTS, "dispatcher", area="N1")) == []
    assert len(await desk.items(POINTS, "dispatcher", area="G3")) == 1
    above = await desk.done(POINTS, "dispatcher", said(2, area=areas["S"]))
    assert len(await desk.items(POINTS, "dispatcher-n2")) == 2
    for_above = await put(desk, "dispatcher-n2", above["id"], said(), 1)
    assert told(for_above) == (404, "not-found")
    for _ in range(POINTS_PER_AREA_MAX - 1):
        await desk.done(POINTS, "dispatcher-n2", said(2, area=areas["N2"]))
    full = await desk.post(POINTS, "dispatcher-n2", said(2, area=areas["N2"]))
    assert pointers(full) == ["/area"]
    listed = await desk.items(POINTS, "dispatcher-n2", limit=7)
    assert len({each["id"] for each in listed}) == POINTS_PER_AREA_MAX + 1


async def test_what_is_said_is_checked_and_a_position_converted(
    desk: Desk, world: World
) -> None:
    area = world.areas["N1"]
    lon, lat = from_wgs84(LON + STEP / 2, LAT + STEP / 2, "bd09")
    made = await desk.done(
        POINTS, "dispatcher", said(area=area) | {"lon": lon, "lat": lat, "datum": "bd09"}
    )
    assert (made["lon"], made["lat"]) == pytest.approx((LON + STEP / 2, LAT + STEP / 2))
    bad: list[tuple[dict[str, Any], str]] = [
        ({"time_zone": "Asia/Nowhere"}, "/time_zone"),
        ({"time_zone": "../etc/passwd"}, "/time_zone"),
        ({"time_zone": "Asia"}, "/time_zone"),
        ({"hours": {"monday": ["9-12"]}}, "/hours/monday"),
        ({"hours": {"monday": ["12:00-09:00"]}}, "/hours/monday"),
        ({"hours": {"monday": ["09:00-12:00", "11:00-13:00"]}}, "/hours/monday"),
        ({"hours": {"monday": ["09:00-10:00"] * 7}}, "/hours/monday"),
        ({"hours": {"someday": []}}, "/hours/someday"),
        ({"special_days": [{"date": "20261001", "hours": []}]}, "/special_days/0/date"),
        ({"special_days": [{"date": "2026-02-30", "hours": []}]}, "/special_days/0/date"),
        ({"special_days": [{"date": "2026-10-01", "hours": []}] * 2}, ""),
        ({"name": " "}, "/name"),
        ({"lon": 181}, "/lon"),
        ({"staff": "x"}, "/staff"),
    ]
    for change, pointer in bad:
        refused = await desk.post(POINTS, "dispatcher", said(area=area) | change)
        assert pointers(refused) == [pointer], change
