"""Who answers for which area, from when until when, and what a phone makes of it."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select

from geo.areas import Span, child_span
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Area
from sync.exchange import GRIDS_MAX
from tests.server.desk import Desk, pointers, told
from tests.server.people import add_area
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
HOUR_MS = 3_600_000


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def made(desk: Desk, **wanted: Any) -> Any:
    body = {"worker": "ann", "area": "G2", **wanted}
    return await desk.done("/v1/assignments", "dispatcher", body)


async def test_a_worker_who_is_assigned_holds_the_area_from_then_on(desk: Desk) -> None:
    phone = await RawPhone.enrol(desk.client, desk.world.tokens["ann"])
    grid = f"grid:{desk.world.grids['G2']}"
    assert grid not in {page["id"] for page in (await phone.sync())["buckets"]}
    await made(desk)
    reply = await phone.sync()
    assert reply["scope"]["enter"] == [grid]
    assert desk.world.households["G2"] in held(reply)


async def test_an_assignment_that_ended_is_dropped_and_what_was_done_before_counts(
    desk: Desk,
) -> None:
    phone = await RawPhone.enrol(desk.client, desk.world.tokens["ann"])
    assignment = await made(desk)
    await phone.sync()
    household = desk.world.households["G2"]
    morning = phone.change(household, "household", 1, set={"door": "7"})
    ended = await desk.done(f"/v1/assignments/{assignment['id']}/end", "dispatcher", {})
    assert ended["until_ms"] is not None
    reply = await phone.sync([morning])
    assert reply["scope"]["leave"] == [f"grid:{desk.world.grids['G2']}"]
    assert outcomes(reply).get(1, "applied") == "applied"


async def test_an_assignment_for_later_counts_from_then(desk: Desk) -> None:
    later = now_ms() + HOUR_MS
    assignment = await made(desk, from_ms=later, until_ms=later + HOUR_MS)
    assert (assignment["from_ms"], assignment["until_ms"]) == (later, later + HOUR_MS)
    listed = await desk.items("/v1/assignments", "dispatcher", worker="ann", at_ms=now_ms())
    assert assignment["id"] not in {each["id"] for each in listed}
    listed = await desk.items("/v1/assignments", "dispatcher", worker="ann", at_ms=later)
    assert assignment["id"] in {each["id"] for each in listed}


async def test_a_repeated_call_answers_what_it_made(desk: Desk) -> None:
    known = new_id()
    first = await made(desk, id=known)
    assert await made(desk, id=known, from_ms=first["from_ms"]) == first
    answer = await desk.post(
        "/v1/assignments", "dispatcher", {"id": known, "worker": "ann", "area": "G3"}
    )
    assert told(answer) == (409, "already-exists")


async def test_nobody_holds_the_same_area_twice_at_one_time(desk: Desk) -> None:
    first = await made(desk)
    answer = await desk.post("/v1/assignments", "dispatcher", {"worker": "ann", "area": "G2"})
    assert told(answer) == (409, "already-exists")
    later = now_ms() + HOUR_MS
    await desk.done(f"/v1/assignments/{first['id']}/end", "dispatcher", {"at_ms": later})
    before = {"worker": "ann", "area": "G2", "until_ms": later + 1}
    assert told(await desk.post("/v1/assignments", "dispatcher", before))[0] == 409
    assert (await made(desk, from_ms=later))["from_ms"] == later


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"from_ms": 1}, "/from_ms"),
        ({"until_ms": 1}, "/until_ms"),
        ({"worker": "dispatcher"}, "/worker"),
        ({"worker": "nobody"}, "/worker"),
        ({"area": "nowhere"}, "/area"),
        ({"surprise": 1}, "/surprise"),
    ],
)
async def test_what_cannot_be_assigned_is_refused_by_name(
    desk: Desk, wanted: dict[str, Any], pointer: str
) -> None:
    body = {"worker": "ann", "area": "G2", **wanted}
    assert pointers(await desk.post("/v1/assignments", "dispatcher", body)) == [pointer]


async def test_people_and_places_of_another_area_are_not_there(desk: Desk) -> None:
    """`dispatcher-n2` answers for the community N2: G3 and G4, and the worker cat."""
    for body, pointer in (
        ({"worker": "ann", "area": "G3"}, "/worker"),
        ({"worker": "cat", "area": "G1"}, "/area"),
    ):
        answer = await desk.post("/v1/assignments", "dispatcher-n2", body)
        assert pointers(answer) == [pointer]
    theirs = await made(desk)
    answer = await desk.post(f"/v1/assignments/{theirs['id']}/end", "dispatcher-n2", {})
    assert told(answer) == (404, "not-found")
    listed = await desk.items("/v1/assignments", "dispatcher-n2")
    assert {each["worker"] for each in listed} == {"cat"}


async def test_workers_see_their_own_assignments_and_make_none(desk: Desk) -> None:
    listed = await desk.items("/v1/assignments", "ann")
    assert [(each["worker"], each["area_code"]) for each in listed] == [("ann", "G1")]
    answer = await desk.post("/v1/assignments", "ann", {"worker": "ann", "area": "G2"})
    assert told(answer) == (403, "forbidden")
    answer = await desk.post(f"/v1/assignments/{listed[0]['id']}/end", "ann", {})
    assert told(answer) == (403, "forbidden")
    assert told(await desk.get("/v1/assignments", "analyst")) == (403, "forbidden")


async def test_an_end_is_set_once(desk: Desk) -> None:
    assignment = await made(desk, from_ms=now_ms() + HOUR_MS)
    path = f"/v1/assignments/{assignment['id']}/end"
    for at_ms in (1, now_ms() + HOUR_MS // 2):
        assert pointers(await desk.post(path, "dispatcher", {"at_ms": at_ms})) == ["/at_ms"]
    at_ms = assignment["from_ms"] + HOUR_MS
    ended = await desk.done(path, "dispatcher", {"at_ms": at_ms})
    assert await desk.done(path, "dispatcher", {}) == ended
    assert await desk.done(path, "dispatcher", {"at_ms": at_ms}) == ended
    answer = await desk.post(path, "dispatcher", {"at_ms": at_ms + 1})
    assert told(answer) == (409, "transition-refused")
    answer = await desk.post(f"/v1/assignments/{new_id()}/end", "dispatcher", {})
    assert told(answer) == (404, "not-found")


async def test_lists_come_in_pages_and_by_area(desk: Desk) -> None:
    for area in ("G2", "G3", "G4"):
        await made(desk, area=area)
    everything = await desk.items("/v1/assignments", "dispatcher")
    assert await desk.items("/v1/assignments", "dispatcher", limit=2) == everything
    below = await desk.items("/v1/assignments", "dispatcher", area="N2", worker="ann")
    assert {each["area_code"] for each in below} == {"G3", "G4"}


async def test_more_grids_than_a_phone_holds_are_refused(desk: Desk, store: Store) -> None:
    parent = desk.world.areas["N2"]

    def grow(db: Connection) -> None:
        community = Area.__table__
        row = db.execute(select(community).where(community.c.id == parent)).one()
        for ordinal in range(3, GRIDS_MAX + 4):
            code = f"X{ordinal}"
            add_area(db, code, 5, parent, child_span(Span(row.lo, row.hi), 5, ordinal))

    await store.write(grow)
    answer = await desk.post("/v1/assignments", "dispatcher", {"worker": "ann", "area": "N2"})
    assert pointers(answer) == ["/area"]
    listed = await desk.items("/v1/assignments", "dispatcher", worker="ann")
    assert {each["area_code"] for each in listed} == {"G1"}
