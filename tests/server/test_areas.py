"""The place tree over HTTP: order, filters, pages, scope."""

import httpx
import pytest

from tests.server.desk import Desk
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def test_areas_come_with_parents_before_their_children(desk: Desk, world: World) -> None:
    items = await desk.items("/v1/areas", "admin")
    assert [each["code"] for each in items] == [
        "C", "D", "S", "N1", "G1", "G2", "N2", "G3", "G4",
    ]  # fmt: skip
    assert items[0]["parent"] is None
    assert items[3] == {
        "id": world.areas["N1"],
        "code": "N1",
        "name": "Area N1",
        "level": 4,
        "parent": world.areas["S"],
    }


async def test_pages_join_to_the_whole_list(desk: Desk) -> None:
    whole = await desk.items("/v1/areas", "admin")
    assert await desk.items("/v1/areas", "admin", limit=2) == whole
    assert await desk.items("/v1/areas", "admin", limit=len(whole)) == whole


async def test_filters_narrow_and_all_must_hold(desk: Desk, world: World) -> None:
    grids = await desk.items("/v1/areas", "admin", level=5, parent=world.areas["N2"])
    assert [each["code"] for each in grids] == ["G3", "G4"]
    assert [each["id"] for each in await desk.items("/v1/areas", "admin", code="S")] == [
        world.areas["S"]
    ]


@pytest.mark.parametrize(
    ("login", "codes"),
    [
        ("dispatcher-n2", ["N2", "G3", "G4"]),
        ("ann", ["G1"]),
        ("bob", ["G1", "G2"]),
        ("analyst", ["C", "D", "S", "N1", "G1", "G2", "N2", "G3", "G4"]),
    ],
)
async def test_everyone_sees_their_own_part(desk: Desk, login: str, codes: list[str]) -> None:
    assert [each["code"] for each in await desk.items("/v1/areas", login)] == codes


async def test_an_area_outside_is_not_found(desk: Desk, world: World) -> None:
    seen = await desk.get(f"/v1/areas/{world.areas['G3']}", "dispatcher-n2")
    assert seen.json()["code"] == "G3"
    for outside in (world.areas["G1"], world.areas["C"], "not-an-id", world.accounts["ann"]):
        answer = await desk.get(f"/v1/areas/{outside}", "dispatcher-n2")
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=WyJhIl0", "cursor"),
        ("cursor=WzFdCg%3D%3D%00", "cursor"),
        ("cursor=WzFlOTldCg", "cursor"),
        ("level=6", "level"),
        ("parent=x", "parent"),
        ("page=2", "page"),
    ],
)
async def test_a_bad_parameter_is_named(desk: Desk, query: str, parameter: str) -> None:
    answer = await desk.get(f"/v1/areas?{query}", "admin")
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid-parameter"
    assert answer.json()["parameter"] == parameter


async def test_without_a_token_nothing_is_told(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"/v1/areas/{world.areas['C']}")
    assert answer.status_code == 401
