"""The locate service: one position, batches, who answers there, and the index behind it."""

from typing import Any

import httpx
import pytest

from geo.datum import from_wgs84
from server.app import create_app
from server.clock import now_ms
from server.db.store import Store, open_store
from server.identity.queries import assign
from server.locate.schemas import POINTS_MAX
from server.settings import Settings
from sync.rfc3339 import format_wall
from tests.server.desk import Desk, pointers, told
from tests.server.test_grids import CODE, collection, new_grid
from tests.world import LAT, LON, STEP, World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7
BORDER = {"lon": LON + STEP, "lat": LAT + STEP / 2}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def centre(index: int) -> dict[str, float]:
    lon_e7, lat_e7 = centre_e7(index)
    return {"lon": lon_e7 / E7, "lat": lat_e7 / E7}


async def located(desk: Desk, login: str, **query: Any) -> Any:
    answer = await desk.get("/v1/locate", login, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def logins(answer: Any, code: str) -> list[str] | None:
    (grid,) = (each for each in answer["grids"] if each["code"] == code)
    return None if grid["workers"] is None else [each["login"] for each in grid["workers"]]


async def test_a_place_well_inside_is_certain_and_says_who_answers_there(
    desk: Desk, world: World
) -> None:
    found = await located(desk, "dispatcher", **centre(1), accuracy_m=5)
    assert (found["grid"], found["certain"]) == (world.grids["G2"], True)
    (candidate,) = found["candidates"]
    assert (candidate["share"], candidate["inside"]) == (1.0, True)
    assert 40 < candidate["distance_to_edge_m"] < 60
    assert found["grids"] == [
        {
            "id": world.grids["G2"],
            "code": "G2",
            "name": "Grid G2",
            "community": {"id": world.areas["N1"], "code": "N1", "name": "Area N1"},
            "workers": [{"login": "bob", "area": world.grids["G2"], "area_code": "G2"}],
        }
    ]


async def test_a_place_on_a_border_is_shared_and_belongs_to_the_lowest_code(
    desk: Desk, world: World
) -> None:
    found = await located(desk, "dispatcher", **BORDER, accuracy_m=20)
    assert (found["grid"], found["certain"]) == (world.grids["G1"], False)
    assert [each["grid"] for each in found["candidates"]] == [
        world.grids["G1"],
        world.grids["G2"],
    ]
    assert [each["share"] for each in found["candidates"]] == pytest.approx(
        [0.5, 0.5], abs=0.03
    )
    assert [each["distance_to_edge_m"] for each in found["candidates"]] == [0, 0]
    assert [each["code"] for each in found["grids"]] == ["G1", "G2"]
    bare = await located(desk, "dispatcher", **BORDER)
    assert [each["share"] for each in bare["candidates"]] == [1.0, 0.0]


async def test_a_place_outside_but_near_names_the_grid_and_lies_in_none(desk: Desk) -> None:
    found = await located(desk, "dispatcher", lon=LON - 1e-4, lat=LAT + STEP / 2, accuracy_m=20)
    (candidate,) = found["candidates"]
    assert (found["grid"], found["certain"], candidate["inside"]) == (None, False, False)
    assert 0 < candidate["share"] < 0.5
    assert 9 < candidate["distance_to_edge_m"] < 11
    nowhere = await located(desk, "dispatcher", lon=0, lat=0)
    assert (nowhere["candidates"], nowhere["grids"]) == ([], [])


async def test_the_worker_of_the_smallest_area_answers(
    desk: Desk, store: Store, world: World
) -> None:
    accounts, areas = world.accounts, world.areas
    await store.write(
        lambda db: assign(db, account=accounts["cat"], area=areas["S"], now_ms=now_ms() - 9)
    )
    both = await located(desk, "dispatcher", **centre(1))
    assert logins(both, "G2") == ["bob"]
    only_above = await located(desk, "dispatcher", **centre(3))
    assert logins(only_above, "G4") == ["cat"]
    assert only_above["grids"][0]["workers"][0]["area_code"] == "S"
    # Whose area ends at the community is not told who was assigned above it.
    assert logins(await located(desk, "dispatcher-n2", **centre(3)), "G4") == []


async def test_an_ended_assignment_answers_no_more(desk: Desk) -> None:
    (made,) = await desk.items("/v1/assignments", "dispatcher", area="G2")
    before = format_wall(now_ms() - 1)
    await desk.done(f"/v1/assignments/{made['id']}/end", "dispatcher", {})
    assert logins(await located(desk, "dispatcher", **centre(1)), "G2") == []
    # Who answered there then is told as it was.
    then = await located(desk, "dispatcher", **centre(1), as_of=before)
    assert logins(then, "G2") == ["bob"]


@pytest.mark.parametrize(
    ("login", "told_workers"),
    [("dispatcher", ["ann", "bob"]), ("admin", ["ann", "bob"]), ("ann", ["ann"])],
)
async def test_staff_are_named_to_supervisors_and_a_worker_to_themselves(
    desk: Desk, login: str, told_workers: list[str]
) -> None:
    assert logins(await located(desk, login, **centre(0)), "G1") == told_workers


async def test_an_analyst_is_told_no_names(desk: Desk) -> None:
    answer = await desk.get("/v1/locate", "analyst", **centre(0))
    assert logins(answer.json(), "G1") is None
    assert "ann" not in answer.text
    batch = await desk.post("/v1/locate", "analyst", {"points": [centre(0)]})
    assert logins(batch.json(), "G1") is None


async def test_nothing_outside_the_callers_area_is_named(desk: Desk, world: World) -> None:
    place = {"lon": LON + 2.05 * STEP, "lat": LAT + STEP / 2, "accuracy_m": 20}
    found = await located(desk, "dispatcher-n2", **place)
    assert [each["code"] for each in found["grids"]] == ["G3"]
    assert found["certain"] is False
    for login in ("dispatcher-n2", "cat"):
        answer = await desk.get("/v1/locate", login, **centre(0))
        assert (answer.json()["grid"], answer.json()["grids"]) == (None, [])
        assert world.grids["G1"] not in answer.text
        assert answer.json()["certain"] is False


@pytest.mark.parametrize("datum", ["wgs84", "cgcs2000", "gcj02", "bd09"])
async def test_one_and_many_convert_each_position_from_its_datum(
    desk: Desk, datum: str
) -> None:
    place = centre(2)
    lon, lat = from_wgs84(place["lon"], place["lat"], datum)
    asked = {"lon": lon, "lat": lat, "datum": datum, "accuracy_m": 3}
    found = await located(desk, "dispatcher", **asked)
    assert (found["lon"], found["lat"]) == pytest.approx((place["lon"], place["lat"]), abs=2e-7)
    assert [each["code"] for each in found["grids"]] == ["G3"]
    batch = await desk.done("/v1/locate", "dispatcher", {"points": [asked, centre(0)]})
    one = {name: found[name] for name in batch["points"][0]}
    assert batch["points"][0] == one
    assert [each["code"] for each in batch["grids"]] == ["G1", "G3"]


async def test_ten_thousand_places_are_answered_in_order_and_no_more(
    desk: Desk, world: World
) -> None:
    points = [{**centre(index % 4), "accuracy_m": 8} for index in range(POINTS_MAX)]
    found = await desk.done("/v1/locate", "dispatcher", {"points": points})
    grids = [world.grids[code] for code in ("G1", "G2", "G3", "G4")]
    assert [each["grid"] for each in found["points"]] == grids * (POINTS_MAX // 4)
    assert [each["code"] for each in found["grids"]] == ["G1", "G2", "G3", "G4"]
    many = await desk.post("/v1/locate", "dispatcher", {"points": [*points, centre(0)]})
    assert pointers(many) == ["/points"]


async def test_a_wide_circle_reaches_every_grid_alone_and_in_a_batch(desk: Desk) -> None:
    wide = {**centre(1), "accuracy_m": 2_000}
    one = await located(desk, "dispatcher", **wide)
    assert [each["code"] for each in one["grids"]] == ["G1", "G2", "G3", "G4"]
    batch = await desk.done("/v1/locate", "dispatcher", {"points": [wide, wide]})
    assert [each["candidates"] for each in batch["points"]] == [one["candidates"]] * 2


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("lat=0", "lon"),
        ("lon=181&lat=0", "lon"),
        ("lon=nan&lat=0", "lon"),
        ("lon=0&lat=inf", "lat"),
        ("lon=0&lat=0&datum=nad27", "datum"),
        ("lon=0&lat=0&accuracy_m=-1", "accuracy_m"),
        ("lon=0&lat=0&speed=1", "speed"),
    ],
)
async def test_a_bad_parameter_is_named(desk: Desk, query: str, parameter: str) -> None:
    answer = await desk.get(f"/v1/locate?{query}", "ann")
    assert told(answer) == (400, "invalid-parameter")
    assert answer.json()["parameter"] == parameter


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/points"),
        ({"points": []}, "/points"),
        ({"points": [{"lon": 1, "lat": 91}]}, "/points/0/lat"),
        ({"points": [{"lon": 1, "lat": "1"}]}, "/points/0/lat"),
        ({"points": [{"lon": 1, "lat": 1, "datum": "nad27"}]}, "/points/0/datum"),
        ({"points": [{"lon": 1, "lat": 1}], "lon": 1}, "/lon"),
    ],
)
async def test_a_bad_batch_is_refused_where_it_is_wrong(
    desk: Desk, body: dict[str, Any], pointer: str
) -> None:
    assert pointers(await desk.post("/v1/locate", "ann", body)) == [pointer]


async def test_a_batch_may_be_larger_than_other_bodies_and_no_larger_than_its_limit(
    desk: Desk,
) -> None:
    limits = Settings().limits
    padded = {**centre(0), "accuracy_m": 0.0}
    points = [padded] * (limits.json_bytes // 40)
    assert (await desk.post("/v1/locate", "ann", {"points": points})).status_code == 200
    huge = {"points": [padded] * (limits.locate_bytes // 40)}
    assert told(await desk.post("/v1/locate", "ann", huge)) == (413, "body-too-large")


async def test_a_device_has_no_business_here_and_nobody_asks_without_a_token(
    client: httpx.AsyncClient, world: World
) -> None:
    del world
    assert told(await client.get("/v1/locate?lon=0&lat=0")) == (401, "unauthenticated")


async def test_every_process_answers_from_the_new_boundaries_at_once(
    desk: Desk, world: World, database_url: str
) -> None:
    """A second application on the same store, with an index of its own."""
    place = {"lon": LON + 4.5 * STEP, "lat": LAT + STEP / 2}
    other_store = open_store(database_url, allow_unsafe=True)
    try:
        transport = httpx.ASGITransport(app=create_app(Settings(), store=other_store))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            other = Desk(client, world)
            before = await located(other, "admin", **place)
            assert (before["grid"], before["version"]) == (
                None,
                (await located(desk, "admin", **place))["version"],
            )
            await desk.done("/v1/grids:import", "admin", collection(new_grid(4, CODE)))
            for each in (other, desk):
                after = await located(each, "admin", **place)
                assert [grid["code"] for grid in after["grids"]] == [CODE]
                assert after["version"] > before["version"]
    finally:
        await other_store.close()
