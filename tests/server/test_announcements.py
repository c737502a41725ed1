"""Announcements: made for an area, received by everybody who works below it, until a date."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Announcement
from server.replication.refold import refold
from server.replication.reproject import compare
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held, outcomes
from tests.world import DAY_MS, World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PATH = "/v1/announcements"


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


@pytest.fixture
async def cat(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["cat"])


def said(area: str, **members: Any) -> dict[str, Any]:
    """What a dispatcher says."""
    return {
        "area": area,
        "title": "Water off",
        "text": "On Tuesday from nine to twelve.",
        "valid_until_ms": now_ms() + DAY_MS,
        **members,
    }


async def announced(desk: Desk, area: str, login: str = "dispatcher") -> dict[str, Any]:
    """Announce something in an area."""
    answer = await desk.post(PATH, login, said(area))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{PATH}/{body['id']}"
    return body


def areas_of(phone: RawPhone) -> set[str]:
    return {each for each in phone.cursors if each.startswith("area:")}


async def test_everybody_below_the_area_receives_it_and_nobody_else(
    desk: Desk, ann: RawPhone, cat: RawPhone, world: World
) -> None:
    """`ann` works in a grid of community N1, `cat` in one of N2; S is the street of both."""
    assert (await ann.sync())["scope"]["enter"]
    assert areas_of(ann) == set()
    near = await announced(desk, world.areas["N1"])
    wide = await announced(desk, world.areas["S"])
    reply = await ann.sync()
    assert set(reply["scope"]["enter"]) == {
        f"area:{world.areas['S']}",
        f"area:{world.areas['N1']}",
    }
    state = held(reply)[near["id"]]["state"]
    assert state == {
        "area": world.areas["N1"],
        "title": "Water off",
        "text": "On Tuesday from nine to twelve.",
        "valid_until_ms": near["valid_until_ms"],
    }
    assert set(held(await cat.sync())) & {near["id"], wide["id"]} == {wide["id"]}


async def test_an_announcement_of_one_grid_and_of_the_district(
    desk: Desk, ann: RawPhone, cat: RawPhone, world: World
) -> None:
    own = await announced(desk, world.areas["G1"])
    all_of_it = await announced(desk, world.areas["D"])
    assert {own["id"], all_of_it["id"]} <= held(await ann.sync()).keys()
    assert held(await cat.sync()).keys() & {own["id"], all_of_it["id"]} == {all_of_it["id"]}


async def test_a_withdrawn_one_leaves_the_phones_and_comes_back(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    one, two = [await announced(desk, world.areas["N1"]) for _ in range(2)]
    bucket = f"area:{world.areas['N1']}"
    await ann.sync()
    why = {"text": "It was repaired."}
    await desk.done(f"/v1/records/{one['id']}/archive", "dispatcher", why, rev=1)
    (page,) = [each for each in (await ann.sync())["buckets"] if each["id"] == bucket]
    assert page["gone"] == [{"record": one["id"], "why": "archived"}]
    await desk.done(f"/v1/records/{two['id']}/archive", "dispatcher", why, rev=1)
    assert (await ann.sync())["scope"]["leave"] == [bucket]
    await desk.done(f"/v1/records/{two['id']}/restore", "dispatcher", why, rev=2)
    reply = await ann.sync()
    assert reply["scope"]["enter"] == [bucket]
    assert two["id"] in held(reply)
    assert one["id"] not in held(reply)


async def test_what_is_over_leaves_by_itself(
    desk: Desk, ann: RawPhone, store: Store, world: World
) -> None:
    made = await announced(desk, world.areas["N1"])
    await ann.sync()
    over = update(Announcement).values(valid_until_ms=now_ms() - 1)
    await store.write(lambda db: db.execute(over))
    assert (await ann.sync())["scope"]["leave"] == [f"area:{world.areas['N1']}"]
    assert await desk.items(PATH, "dispatcher") == []
    (listed,) = await desk.items(PATH, "dispatcher", over=True)
    assert listed["id"] == made["id"]


async def test_a_change_reaches_the_phones_and_needs_the_revision(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    made = await announced(desk, world.areas["N1"])
    path = f"{PATH}/{made['id']}"
    await ann.sync()
    answer = await desk.patch(path, "dispatcher", {"title": "Water on"}, rev=1)
    assert (answer.status_code, answer.json()["rev"]) == (200, 2), answer.text
    assert held(await ann.sync())[made["id"]]["state"]["title"] == "Water on"
    stale = await desk.patch(path, "dispatcher", {"title": "Water?"}, rev=1)
    assert told(stale) == (412, "precondition-failed")
    for wrong in ({}, {"title": None}, {"area": world.areas["N2"]}, {"title": "x" * 121}):
        assert (await desk.patch(path, "dispatcher", wrong, rev=2)).status_code == 422
    late = await desk.patch(path, "dispatcher", {"valid_until_ms": now_ms() - 1}, rev=2)
    assert pointers(late) == ["/valid_until_ms"]


async def test_only_a_dispatcher_announces_and_only_inside_the_own_area(
    desk: Desk, world: World
) -> None:
    for login in ("ann", "analyst", "admin"):
        answer = await desk.post(PATH, login, said(world.areas["N1"]))
        assert told(answer) == (403, "forbidden")
    for area in (world.areas["N1"], world.areas["S"], new_id()):
        answer = await desk.post(PATH, "dispatcher-n2", said(area))
        assert (answer.status_code, pointers(answer)) == (422, ["/area"])
    made = await announced(desk, world.areas["N2"], "dispatcher-n2")
    assert made["area_code"] == "N2"
    above = await announced(desk, world.areas["S"])
    path = f"{PATH}/{above['id']}"
    assert (await desk.get(path, "dispatcher-n2")).status_code == 200
    refused = await desk.patch(path, "dispatcher-n2", {"title": "No"}, rev=1)
    assert told(refused) == (403, "forbidden")
    shelved = await desk.post(
        f"/v1/records/{above['id']}/archive", "dispatcher-n2", {"text": "No"}, rev=1
    )
    assert told(shelved) == (404, "not-found")


async def test_it_is_read_where_it_concerns_somebody(desk: Desk, world: World) -> None:
    one = await announced(desk, world.areas["N1"])
    two = await announced(desk, world.areas["S"])
    for login, ids in (
        ("ann", {one["id"], two["id"]}),
        ("cat", {two["id"]}),
        ("dispatcher-n2", {two["id"]}),
        ("analyst", {one["id"], two["id"]}),
    ):
        assert {each["id"] for each in await desk.items(PATH, login)} == ids
    (named,) = await desk.items(PATH, "dispatcher", area="N1")
    assert named == one
    assert await desk.items(PATH, "dispatcher", area=world.areas["S"]) == [two]
    hidden = await desk.get(f"{PATH}/{one['id']}", "cat")
    assert told(hidden) == (404, "not-found")


async def test_the_list_comes_in_pages(desk: Desk, world: World) -> None:
    made = {(await announced(desk, world.areas["N1"]))["id"] for _ in range(5)}
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = (await desk.get(PATH, "dispatcher", **query)).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert seen == sorted(made)


async def test_a_repeat_makes_no_second_one(desk: Desk, world: World) -> None:
    body = said(world.areas["N1"], id=new_id())
    assert (await desk.post(PATH, "dispatcher", body)).status_code == 201
    again = await desk.post(PATH, "dispatcher", body)
    assert (again.status_code, again.json()["rev"]) == (200, 1)
    other = await desk.post(PATH, "dispatcher", {**body, "title": "Something else"})
    assert told(other) == (409, "already-exists")
    taken = await desk.post(
        PATH, "dispatcher", {**body, "id": world.households["G1"], "title": "New"}
    )
    assert told(taken) == (409, "already-exists")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"text": "x" * 4_001}, "/text"),
        ({"valid_until_ms": 5}, "/valid_until_ms"),
        ({"valid_until_ms": 4_000_000_000_000}, "/valid_until_ms"),
        ({"valid_until_ms": "tomorrow"}, "/valid_until_ms"),
        ({"area": "N1"}, "/area"),
        ({"pinned": True}, "/pinned"),
    ],
)
async def test_what_is_wrong_is_named(
    desk: Desk, world: World, change: dict[str, Any], pointer: str
) -> None:
    answer = await desk.post(PATH, "dispatcher", said(world.areas["N1"]) | change)
    assert (answer.status_code, pointers(answer)) == (422, [pointer])


async def test_a_phone_cannot_write_one(desk: Desk, ann: RawPhone, world: World) -> None:
    made = await announced(desk, world.areas["N1"])
    new = ann.change(new_id(), "announcement", 0, set=said(world.areas["N1"]))
    edit = ann.change(made["id"], "announcement", 1, set={"title": "Mine"})
    reply = await ann.sync([new, edit])
    assert outcomes(reply) == {1: "invalid", 2: "invalid"}
    assert {each["code"] for each in reply["outcomes"]} == {"read-only-kind"}


async def test_the_log_and_the_tables_agree(
    desk: Desk, ann: RawPhone, store: Store, world: World
) -> None:
    made = await announced(desk, world.areas["N1"])
    await desk.patch(f"{PATH}/{made['id']}", "dispatcher", {"title": "Water on"}, rev=1)
    reply = await ann.sync()
    (page,) = [each for each in reply["buckets"] if each["id"].startswith("area:")]
    assert page["count"] == len(page["put"]) == 1
    assert await store.read(lambda db: list(refold(db))) == []
    assert await store.read(lambda db: list(compare(db))) == []
