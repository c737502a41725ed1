"""People move, split and move in again: over HTTP, with phones looking on, on both stores."""

from typing import Any

import httpx
import pytest

from server.clock import new_id, now_ms
from server.db.store import Store
from tests.server.canaries import ASKED, differences
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
WHY = "They rang and said so."
DAY = 86_400_000


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def settled_in(phone: RawPhone, home: str, names: tuple[str, ...]) -> list[str]:
    """Residents of a household, made by a phone."""
    people = [new_id() for _ in names]
    said = [
        phone.change(each, "resident", 0, set={"household": home, "name": name})
        for each, name in zip(people, names, strict=True)
    ]
    assert outcomes(await phone.sync(said)) == {}
    return people


async def rev_of(desk: Desk, path: str) -> int:
    answer = await desk.get(path, "dispatcher")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["rev"])


async def stays(desk: Desk, dwelling: str, login: str = "dispatcher") -> list[Any]:
    answer = await desk.get(f"/v1/dwellings/{dwelling}/households", login)
    assert answer.status_code == 200, answer.text
    assert answer.json()["more"] is False
    return [(each["household"], each["to_ms"]) for each in answer.json()["items"]]


async def test_a_household_moves_to_another_grid_and_the_dwelling_remembers_it(
    desk: Desk, store: Store, client: httpx.AsyncClient, world: World
) -> None:
    home, here, there = (
        world.households["G1"],
        world.dwellings["G1"],
        world.dwellings["G3"],
    )
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    (wu,) = await settled_in(ann, home, ("Wu",))
    await cat.sync()
    left_ms = now_ms() - DAY
    path, body = f"/v1/households/{home}/move", {"dwelling": there, "text": WHY}
    moved = await desk.done(path, "dispatcher", body | {"moved_ms": left_ms}, rev=1)
    assert (moved["dwelling"]["id"], moved["grid"]) == (there, world.grids["G3"])
    assert [each["id"] for each in moved["residents"]] == [wu]
    gone = {
        each["record"]: each for page in (await ann.sync())["buckets"] for each in page["gone"]
    }
    assert gone.keys() == {home, wu}
    assert {each["why"] for each in gone.values()} == {"moved"}
    assert held(await cat.sync())[home]["state"]["dwelling"] == there
    assert await stays(desk, here) == [(home, left_ms)]
    assert (home, None) in await stays(desk, there)
    fresh = new_id()
    again = {"dwelling": here, "id": fresh, "why": "They moved in."}
    await desk.done("/v1/households", "dispatcher", again)
    assert await stays(desk, here) == [(fresh, None), (home, left_ms)]
    back = body | {"dwelling": here}
    await desk.done(path, "dispatcher", back, rev=moved["rev"])
    (first, *_, last) = await stays(desk, here)
    assert (first, last) == ((home, None), (home, left_ms))
    out = ann.change(fresh, "household", 1, set={"status": "moved_out"})
    assert outcomes(await ann.sync([out])) == {}
    assert dict(await stays(desk, here))[fresh] is not None
    assert told(await desk.get(f"/v1/dwellings/{there}/households", "ann"))[0] == 404
    accesses = await desk.items("/v1/access-log", "admin")
    noted = {(each["act"], each["kind"]) for each in accesses}
    assert ("list", "household") in noted
    await desk.done(
        f"/v1/records/{home}/erase",
        "dispatcher",
        ASKED,
        rev=await rev_of(desk, f"/v1/households/{home}"),
    )
    assert [each for each, _ in await stays(desk, here)] == [fresh]
    assert await differences(store) == []


async def test_some_residents_become_a_household_of_their_own(
    desk: Desk, store: Store, client: httpx.AsyncClient, world: World
) -> None:
    home, there = world.households["G1"], world.dwellings["G3"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    wu, yu, zhu = await settled_in(ann, home, ("Wu", "Yu", "Zhu"))
    path, fresh = f"/v1/households/{home}/split", new_id()
    body = {"id": fresh, "dwelling": there, "residents": [wu, yu], "door": "9", "text": WHY}
    answer = await desk.post(path, "dispatcher", body, rev=1)
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/households/{fresh}")
    assert {each["id"] for each in answer.json()["residents"]} == {wu, yu}
    assert (answer.json()["door"], answer.json()["status"]) == ("9", "active")
    assert (await desk.post(path, "dispatcher", body, rev=1)).status_code == 200
    whole = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert [each["id"] for each in whole["residents"]] == [zhu]
    assert {
        each["record"] for page in (await ann.sync())["buckets"] for each in page["gone"]
    } == {
        wu,
        yu,
    }
    other = {**body, "residents": [wu]}
    assert told(await desk.post(path, "dispatcher", other, rev=1)) == (409, "already-exists")
    more = {**body, "id": new_id()}
    for residents, wrong in (
        ([zhu], ["/residents"]),
        ([zhu, wu], ["/residents/1"]),
        ([], ["/residents"]),
    ):
        refused = await desk.post(path, "dispatcher", more | {"residents": residents}, rev=1)
        assert pointers(refused) == wrong
    assert told(await desk.post(path, "dispatcher", more, rev=9)) == (
        412,
        "precondition-failed",
    )
    joined = {"household": home, "text": WHY}
    rev = await rev_of(desk, f"/v1/residents/{wu}")
    answer = await desk.post(f"/v1/residents/{wu}/move", "dispatcher", joined, rev=rev)
    assert (answer.status_code, answer.json()["household"]) == (200, home)
    elsewhere = {"household": fresh, "text": WHY}
    answer = await desk.post(f"/v1/residents/{wu}/move", "ann", elsewhere, rev=rev + 1)
    assert pointers(answer) == ["/household"]
    assert await differences(store) == []


async def test_who_may_not_move_whom_and_where_nobody_can(desk: Desk, world: World) -> None:
    home = world.households["G1"]
    path, body = f"/v1/households/{home}/move", {"dwelling": world.dwellings["G3"], "text": WHY}
    assert pointers(await desk.post(path, "ann", body, rev=1)) == ["/dwelling"]
    assert told(await desk.post(path, "analyst", body, rev=1)) == (403, "forbidden")
    assert told(await desk.post(path, "dispatcher", body)) == (428, "precondition-required")
    assert told(await desk.post(path, "dispatcher", body, rev=7)) == (
        412,
        "precondition-failed",
    )
    for wrong, pointer in (
        ({"text": ""}, "/text"),
        ({"moved_ms": now_ms() + DAY}, "/moved_ms"),
        ({"dwelling": home}, "/dwelling"),
        ({"extra": 1}, "/extra"),
    ):
        assert pointers(await desk.post(path, "dispatcher", body | wrong, rev=1)) == [pointer]
    hidden = f"/v1/households/{world.households['G3']}/move"
    assert told(await desk.post(hidden, "ann", body, rev=1)) == (404, "not-found")
    there = {"text": WHY, "dwelling": world.dwellings["G1"]}
    same = await desk.done(path, "dispatcher", there, rev=1)
    assert same["rev"] == 1
    shelved = f"/v1/records/{world.dwellings['G3']}/archive"
    await desk.done(shelved, "dispatcher", {"text": WHY}, rev=1)
    assert told(await desk.post(path, "dispatcher", body, rev=1)) == (409, "transition-refused")
