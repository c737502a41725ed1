"""The household registry over HTTP: scope, roles, repeatable creation, If-Match."""

import httpx
import pytest

from server.clock import new_id
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held
from tests.world import LAT, LON, STEP, World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def test_each_role_sees_its_own_households(desk: Desk, world: World) -> None:
    async def seen(login: str) -> set[str]:
        return {each["id"] for each in await desk.items("/v1/households", login)}

    homes = world.households
    assert await seen("ann") == {homes["G1"]}
    assert await seen("bob") == {homes["G1"], homes["G2"]}
    assert await seen("dispatcher-n2") == {homes["G3"], homes["G4"]}
    assert await seen("dispatcher") == set(homes.values())


@pytest.mark.parametrize("login", ["analyst", "admin"])
async def test_analysts_and_admins_may_not_read_the_registry(
    desk: Desk, world: World, login: str
) -> None:
    home = world.households["G1"]
    for path in ("", f"/{home}", f"/{home}/residents", f"/{home}/visits"):
        assert told(await desk.get(f"/v1/households{path}", login)) == (403, "forbidden")
    made = await desk.post("/v1/households", login, {"dwelling": world.dwellings["G1"]})
    assert told(made) == (403, "forbidden")


async def test_filters_and_pages(desk: Desk, world: World) -> None:
    listed = await desk.items("/v1/households", "dispatcher", limit=1)
    assert [each["id"] for each in listed] == sorted(world.households.values())
    in_grid = await desk.items("/v1/households", "dispatcher", grid=world.grids["G2"])
    assert [each["id"] for each in in_grid] == [world.households["G2"]]
    assert len(await desk.items("/v1/households", "dispatcher", area="N1")) == 2
    assert await desk.items("/v1/households", "dispatcher", status="vacant") == []
    outside = await desk.get("/v1/households", "dispatcher-n2", area="N1")
    assert told(outside) == (400, "invalid-parameter")
    assert outside.json()["parameter"] == "area"


async def test_dwellings_are_found_where_households_can_live(desk: Desk, world: World) -> None:
    (found,) = await desk.items("/v1/dwellings", "ann")
    assert (found["id"], found["grid"]) == (world.dwellings["G1"], world.grids["G1"])
    assert (found["lon"], found["lat"]) == pytest.approx((LON + STEP / 2, LAT + STEP / 2))
    named = await desk.items("/v1/dwellings", "dispatcher", code="WG3", area="N2")
    assert [each["address"] for each in named] == ["Block G3"]
    assert len(await desk.items("/v1/dwellings", "dispatcher", limit=1)) == 4
    assert told(await desk.get("/v1/dwellings", "admin")) == (403, "forbidden")


async def test_one_household_comes_with_dwelling_residents_and_etag(
    desk: Desk, world: World
) -> None:
    home = world.households["G1"]
    await desk.done(f"/v1/households/{home}/residents", "ann", {"name": "Test Person"})
    answer = await desk.get(f"/v1/households/{home}", "ann")
    body = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert body["dwelling"] == {
        "id": world.dwellings["G1"],
        "code": "WG1",
        "address": "Block G1",
    }
    assert body["grid"] == world.grids["G1"]
    assert [each["name"] for each in body["residents"]] == ["T*n"]
    assert body["open_conflicts"] == []


async def test_a_new_household_reaches_the_phones_of_its_grid(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    body = {"dwelling": world.dwellings["G1"], "door": "7", "languages": ["yue", "cmn"]}
    answer = await desk.post("/v1/households", "dispatcher", body)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/v1/households/{made['id']}"
    assert answer.headers["etag"] == f'"{made["rev"]}"'
    assert made["languages"] == ["cmn", "yue"]
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    assert held(await phone.sync())[made["id"]]["state"]["door"] == "7"


async def test_creation_may_be_repeated_but_not_with_other_values(
    desk: Desk, world: World
) -> None:
    body = {"id": new_id(), "dwelling": world.dwellings["G1"], "door": "7", "languages": ["x"]}
    first = await desk.post("/v1/households", "dispatcher", body)
    again = await desk.post("/v1/households", "dispatcher", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = await desk.post("/v1/households", "dispatcher", body | {"door": "8"})
    assert told(other) == (409, "already-exists")
    taken = await desk.post(
        "/v1/households", "dispatcher", body | {"id": world.dwellings["G2"]}
    )
    assert told(taken) == (409, "already-exists")
    read = await desk.get(f"/v1/households/{body['id']}", "dispatcher")
    assert read.json() == first.json()


async def test_a_dwelling_outside_is_no_place_for_a_household(desk: Desk, world: World) -> None:
    for dwelling in (world.dwellings["G2"], new_id()):
        answer = await desk.post("/v1/households", "ann", {"dwelling": dwelling})
        assert pointers(answer) == ["/dwelling"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"status": "gone"}, "/status"),
        ({"door": ""}, "/door"),
        ({"door": "x" * 41}, "/door"),
        ({"door": 7}, "/door"),
        ({"last_verified_ms": "5"}, "/last_verified_ms"),
        ({"last_verified_ms": 5.5}, "/last_verified_ms"),
        ({"last_verified_ms": True}, "/last_verified_ms"),
        ({"languages": ["x" * 21]}, "/languages/0"),
        ({"languages": None}, "/languages"),
        ({"dwelling": "x"}, "/dwelling"),
        ({"religion": "x"}, "/religion"),
        ({}, ""),
    ],
)
async def test_a_bad_change_is_refused_where_it_is_wrong(
    desk: Desk, world: World, change: dict[str, object], pointer: str
) -> None:
    home = f"/v1/households/{world.households['G1']}"
    before = (await desk.get(home, "ann")).json()
    assert pointers(await desk.patch(home, "ann", change, rev=1)) == [pointer]
    assert (await desk.get(home, "ann")).json() == before


async def test_a_refusal_never_repeats_what_was_sent(desk: Desk, world: World) -> None:
    home = f"/v1/households/{world.households['G1']}"
    secret = "13800138000" * 5
    answer = await desk.patch(home, "ann", {"contact_phone": secret, secret: 1}, rev=1)
    assert answer.status_code == 422
    assert "13800138000" not in answer.text


async def test_a_change_needs_the_revision_it_rests_on(desk: Desk, world: World) -> None:
    home = f"/v1/households/{world.households['G1']}"
    assert told(await desk.patch(home, "ann", {"door": "1"})) == (428, "precondition-required")
    changed = await desk.patch(home, "ann", {"door": "1"}, rev=1)
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    stale = await desk.patch(home, "dispatcher", {"door": "2"}, rev=1)
    assert told(stale) == (412, "precondition-failed")
    assert stale.json()["current_rev"] == 2
    assert (await desk.get(home, "ann")).json()["door"] == "1"


@pytest.mark.parametrize("tag", ["2", 'W/"1"', '"1", "2"', '"x"', "", '"0"'])
async def test_a_tag_we_never_gave_is_a_bad_parameter(
    desk: Desk, world: World, tag: str
) -> None:
    answer = await desk.client.patch(
        f"/v1/households/{world.households['G1']}",
        json={"door": "1"},
        headers={"authorization": f"Bearer {world.tokens['ann']}", "if-match": tag},
    )
    assert told(answer) == (400, "invalid-parameter")
    assert answer.json()["parameter"] == "If-Match"


async def test_null_clears_and_absence_keeps(desk: Desk, world: World) -> None:
    home = f"/v1/households/{world.households['G1']}"
    body = {"door": "1", "languages": ["cmn", "yue"]}
    await desk.patch(home, "ann", body, rev=1)
    await desk.patch(home, "ann", {"languages": ["nan", "yue"]}, rev=2)
    cleared = (await desk.patch(home, "ann", {"contact_phone": None}, rev=3)).json()
    assert cleared["contact_phone"] is None
    assert (cleared["door"], cleared["languages"]) == ("1", ["nan", "yue"])


async def test_residents_are_created_changed_and_found_only_inside(
    desk: Desk, world: World
) -> None:
    home = world.households["G1"]
    path = f"/v1/households/{home}/residents"
    body = {"id": new_id(), "name": "Test Person", "birth_year": 1980}
    first = await desk.post(path, "ann", body)
    again = await desk.post(path, "ann", body)
    assert (first.status_code, again.status_code) == (201, 200)
    address = first.headers["location"]
    changed = await desk.patch(address, "ann", {"status": "moved_out"}, rev=1)
    assert (changed.json()["status"], changed.json()["rev"]) == ("moved_out", 2)
    assert pointers(await desk.patch(address, "ann", {"name": None}, rev=2)) == ["/name"]
    assert [each["id"] for each in await desk.items(path, "ann")] == [body["id"]]
    for answer in (
        await desk.get(address, "cat"),
        await desk.patch(address, "cat", {"phone": "1"}, rev=2),
        await desk.get(path, "cat"),
        await desk.post(path, "cat", {"name": "x"}),
    ):
        assert told(answer) == (404, "not-found")


async def test_visits_from_phones_are_listed_newest_first(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]
    for outcome in ("not_home", "done"):
        visit = {"household": home, "outcome": outcome}
        await phone.sync([phone.change(new_id(), "visit", 0, set=visit)])
    visits = await desk.items(f"/v1/households/{home}/visits", "ann", limit=1)
    assert [each["outcome"] for each in visits] == ["done", "not_home"]
    assert {each["visitor"] for each in visits} == {world.accounts["ann"]}
    outside = await desk.get(f"/v1/households/{home}/visits", "cat")
    assert told(outside) == (404, "not-found")
