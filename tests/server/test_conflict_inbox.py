"""The inbox of conflicts: an owner, both values, accept or take the other, and a note."""

import httpx
import pytest

from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, clock, held, outcomes
from tests.server.test_conflicts import contested
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.mark.parametrize(("act", "takes_live"), [("accept", True), ("take-other", False)])
async def test_one_of_two_values_is_chosen_without_typing_it(
    desk: Desk, client: httpx.AsyncClient, world: World, act: str, *, takes_live: bool
) -> None:
    conflict = await contested(desk, client, world)
    path = f"/v1/conflicts/{conflict['id']}"
    (shown,) = [each["value"] for each in conflict["values"] if each["live"]]
    (other,) = [each["value"] for each in conflict["values"] if not each["live"]]
    assert shown == conflict["live"]
    bare = await desk.post(f"{path}/{act}", "dispatcher", {})
    assert told(bare) == (428, "precondition-required")
    note = {"note": "Called the household."}
    done = await desk.done(f"{path}/{act}", "dispatcher", note, rev=conflict["rev"])
    assert done["chosen"] == (shown if takes_live else other)
    assert (done["status"], done["closed_by"]) == ("resolved", "dispatcher")
    assert done["note"] == "Called the household."
    again = await desk.post(f"{path}/{act}", "dispatcher", {}, rev=done["rev"])
    assert told(again) == (409, "transition-refused")


async def test_the_other_of_three_values_has_to_be_named(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    await contested(desk, client, world)
    third = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]
    await third.sync([third.change(home, "household", 1, set={"contact_phone": "000-0003"})])
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    path = f"/v1/conflicts/{conflict['id']}"
    refused = await desk.post(f"{path}/take-other", "dispatcher", {}, rev=conflict["rev"])
    assert told(refused) == (409, "needs-person")
    done = await desk.done(
        f"{path}/resolve", "dispatcher", {"value": "000-0001"}, rev=conflict["rev"]
    )
    assert (done["chosen"], done["note"]) == ("****01", None)


async def test_a_conflict_is_given_to_a_dispatcher_of_the_area(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    conflict = await contested(desk, client, world)
    path = f"/v1/conflicts/{conflict['id']}/assign"
    assert conflict["owner"] is None
    by_id = await desk.done(path, "dispatcher", {"account": world.accounts["dispatcher"]})
    done = await desk.done(path, "dispatcher", {"account": "dispatcher"})
    assert by_id == done
    assert done["owner"] == "dispatcher"
    mine = {"owner": world.accounts["dispatcher"], "status": "open"}
    assert await desk.items("/v1/conflicts", "dispatcher", **mine) == [done]
    for named in ("dispatcher-n2", "ann", "nobody"):
        answer = await desk.post(path, "dispatcher", {"account": named})
        assert pointers(answer) == ["/account"]
    assert told(await desk.post(path, "dispatcher-n2", {"account": None})) == (404, "not-found")
    assert told(await desk.post(path, "admin", {"account": None})) == (403, "forbidden")
    assert (await desk.done(path, "dispatcher", {"account": None}))["owner"] is None
    assert await desk.items("/v1/conflicts", "dispatcher", **mine) == []
    read = await desk.done(
        f"/v1/conflicts/{conflict['id']}/accept", "dispatcher", {}, rev=conflict["rev"]
    )
    late = await desk.post(path, "dispatcher", {"account": "dispatcher"})
    assert told(late) == (409, "transition-refused")
    assert read["status"] == "resolved"


async def test_the_phone_whose_value_lost_learns_it_from_the_feed(
    client: httpx.AsyncClient, world: World
) -> None:
    home = world.households["G1"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    await ann.sync()
    first = ann.change(home, "household", 1, set={"contact_phone": "1"})
    assert outcomes(await ann.sync([first])) == {}
    later = clock(2_000_000)
    second = bob.change(home, "household", 1, set={"contact_phone": "2"}, clock=later)
    assert outcomes(await bob.sync([second])) == {1: "conflict"}
    state = held(await ann.sync())[home]["state"]
    assert state["conflicts"] == ["contact_phone"]
    assert state["contact_phone"] == "2"


async def test_who_moved_out_stays_until_a_person_has_looked_at_both(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    home = world.households["G1"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    await bob.sync([bob.change(home, "household", 1, set={"contact_phone": "2"})])
    moved = ann.change(home, "household", 1, set={"status": "moved_out"})
    assert outcomes(await ann.sync([moved])) == {1: "merged"}
    vacant = bob.change(home, "household", 1, set={"status": "vacant"})
    assert outcomes(await bob.sync([vacant])) == {2: "conflict"}
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    assert {(each["value"], each["by"]) for each in conflict["values"]} == {
        ("moved_out", "ann"),
        ("vacant", "bob"),
    }


async def test_the_author_of_a_value_is_the_worker_who_acted(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    home, bob_id = world.households["G1"], world.accounts["bob"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    await desk.done(f"/v1/devices/{ann.id}/actors", "bob")
    other = await RawPhone.enrol(client, world.tokens["ann"])
    await ann.sync(
        [ann.change(home, "household", 1, set={"contact_phone": "00001"}, actor=bob_id)]
    )
    await other.sync([other.change(home, "household", 1, set={"contact_phone": "00002"})])
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    assert {(each["value"], each["by"]) for each in conflict["values"]} == {
        ("****01", "bob"),
        ("****02", "ann"),
    }


async def test_what_a_release_ends_was_not_resolved_by_the_one_who_released(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    home = world.households["G1"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    await bob.sync([bob.change(home, "household", 1, set={"door": "2"})])
    later = clock(2_000_000)
    await ann.sync([ann.change(home, "household", 1, set={"door": "1"}, clock=later)])
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    assert conflict["live"] == "1"
    seen = {"set": {"door": "3"}, "actor": world.accounts["ann"]}
    after = bob.change(home, "household", conflict["rev"], clock=later, **seen)
    assert outcomes(await bob.sync([after])) == {2: "held"}
    done = await desk.done(f"/v1/held/{bob.id}/2/release", "dispatcher", {}, rev=1)
    assert done["became"] == "applied"
    (ended,) = await desk.items("/v1/conflicts", "dispatcher")
    assert (ended["status"], ended["chosen"]) == ("settled", "3")
