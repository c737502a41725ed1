"""What waits for a person, over HTTP: who sees it, who rules on it, and what becomes of it."""

import asyncio
from typing import Any

import httpx
import pytest

from server.clock import new_id
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, clock, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


async def parked(phone: RawPhone, world: World, **members: Any) -> str:
    """Ann was never assigned to G3: a new household there is held; returns its id."""
    home = new_id()
    fields = {"dwelling": world.dwellings["G3"], "door": "7", **members}
    reply = await phone.sync([phone.change(home, "household", 0, set=fields)])
    assert outcomes(reply) == {phone.last_n: "held"}
    return home


def path(phone: RawPhone, n: int = 1, act: str = "") -> str:
    return f"/v1/held/{phone.id}/{n}{act}"


async def test_what_waits_is_listed_with_who_when_what_for_and_no_values(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = await parked(ann, world)
    (found,) = await desk.items("/v1/held", "dispatcher", status="open", limit=1)
    assert (found["device"], found["n"], found["record"]) == (ann.id, 1, home)
    assert found["account"] == {"id": world.accounts["ann"], "login": "ann"}
    assert (found["outcome"], found["code"], found["field"]) == (
        "held",
        "unknown-parent",
        "dwelling",
    )
    assert found["summary"] == "household: new; set door, dwelling"
    assert (found["area"], found["status"], found["version"]) == ("G3", "open", 1)
    assert found["at_ms"] <= found["held_ms"]
    assert (found["arrived"], found["orphan"], found["before_loss"]) == (False, False, None)
    assert "7" not in found["summary"]
    assert "body" not in found


async def test_a_release_lets_it_count_under_its_own_author_and_time(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = await parked(ann, world)
    read = await desk.get(path(ann), "dispatcher")
    assert read.headers["etag"] == '"1"'
    assert read.json()["body"]["set"]["door"] == "7"
    done = await desk.done(path(ann, act="/release"), "dispatcher", {"text": "Seen."}, rev=1)
    assert (done["status"], done["became"], done["why"]) == ("released", "applied", "person")
    assert (done["decided_by"], done["note"], done["version"]) == ("dispatcher", "Seen.", 2)
    made = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert (made["door"], made["rev"]) == ("7", 1)
    assert await desk.items("/v1/held", "dispatcher", status="open") == []
    phone = await RawPhone.enrol(desk.client, world.tokens["cat"])
    assert held(await phone.sync())[home]["state"]["door"] == "7"


async def test_a_conflict_of_released_work_names_its_author(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = world.households["G1"]
    first = ann.change(home, "household", 1, set={"contact_phone": "1"}, actor=new_id())
    assert outcomes(await ann.sync([first])) == {1: "held"}
    bob = await RawPhone.enrol(desk.client, world.tokens["bob"])
    await bob.sync([bob.change(home, "household", 1, set={"contact_phone": "00002"})])
    refused = await desk.post(path(ann, act="/release"), "dispatcher", {}, rev=1)
    assert told(refused) == (409, "needs-person")
    assert refused.json()["code"] == "unknown-actor"
    own = ann.change(
        home, "household", 1, set={"contact_phone": "00003"}, actor=world.accounts["cat"]
    )
    assert outcomes(await ann.sync([own])) == {2: "held"}
    done = await desk.done(path(ann, 2, "/release"), "dispatcher", {}, rev=1)
    assert (done["became"], done["became_code"]) == ("conflict", "values-differ")
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    assert {each["value"] for each in conflict["values"]} == {"****02", "****03"}


async def test_a_phone_that_repeats_it_gets_its_first_outcome_and_what_became_of_it(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = new_id()
    fields = {"dwelling": world.dwellings["G3"]}
    made = ann.change(home, "household", 0, set=fields)
    await ann.sync([made])
    (waits,) = (await ann.sync([made]))["outcomes"]
    assert (waits["outcome"], waits["replayed"]) == ("held", True)
    assert "became" not in waits
    await desk.done(path(ann, act="/release"), "dispatcher", {}, rev=1)
    (done,) = (await ann.sync([made]))["outcomes"]
    assert (done["outcome"], done["code"], done["replayed"]) == ("held", "unknown-parent", True)
    assert done["became"] == "applied"


async def test_what_was_refused_says_so_and_never_counts(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = new_id()
    made = ann.change(home, "household", 0, set={"dwelling": world.dwellings["G3"]})
    await ann.sync([made])
    assert pointers(await desk.post(path(ann, act="/refuse"), "dispatcher", {}, rev=1)) == [
        "/text"
    ]
    done = await desk.done(path(ann, act="/refuse"), "dispatcher", {"text": "No."}, rev=1)
    assert (done["status"], done["became"], done["note"]) == ("refused", None, "No.")
    assert told(await desk.get(f"/v1/households/{home}", "dispatcher")) == (404, "not-found")
    (again,) = (await ann.sync([made]))["outcomes"]
    assert (again["outcome"], again["became"]) == ("held", "refused")


async def test_it_is_ruled_on_once_and_only_by_who_has_seen_it_last(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await parked(ann, world)
    bare = await desk.post(path(ann, act="/release"), "dispatcher", {})
    assert told(bare) == (428, "precondition-required")
    stale = await desk.post(path(ann, act="/release"), "dispatcher", {}, rev=9)
    assert told(stale) == (412, "precondition-failed")
    answers = await asyncio.gather(
        desk.post(path(ann, act="/release"), "dispatcher", {}, rev=1),
        desk.post(path(ann, act="/refuse"), "dispatcher-n2", {"text": "No."}, rev=1),
    )
    assert sorted(each.status_code for each in answers) in ([200, 409], [200, 412])
    (found,) = await desk.items("/v1/held", "dispatcher")
    for act in ("/release", "/refuse"):
        again = await desk.post(
            path(ann, act=act), "dispatcher", {"text": "Again."}, rev=found["version"]
        )
        assert told(again) == (409, "transition-refused")
    assert (await desk.items("/v1/held", "dispatcher")) == [found]


async def test_what_still_cannot_be_applied_stays_open_with_the_new_code(
    desk: Desk, ann: RawPhone
) -> None:
    reply = await ann.sync([ann.change(new_id(), "household", 3, set={"door": "1"})])
    assert outcomes(reply) == {1: "held"}
    refused = await desk.post(path(ann, act="/release"), "dispatcher", {}, rev=1)
    assert told(refused) == (409, "needs-person")
    assert refused.json()["code"] == "unknown-record"
    (found,) = await desk.items("/v1/held", "dispatcher", code="unknown-record")
    assert (found["status"], found["version"]) == ("open", 2)


async def test_a_correction_counts_instead_and_the_author_stays(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    visit = new_id()
    fields = {"household": new_id(), "outcome": "done"}
    await ann.sync([ann.change(visit, "visit", 0, set=fields)])
    wrong = {"correction": {"set": {"household": world.households["G1"], "outcome": "?"}}}
    refused = await desk.post(path(ann, act="/release"), "dispatcher", wrong, rev=1)
    assert pointers(refused) == ["/correction"]
    right = {"correction": {"set": {**fields, "household": world.households["G1"]}}}
    done = await desk.done(path(ann, act="/release"), "dispatcher", right, rev=1)
    assert (done["became"], done["body"]["set"]) == ("applied", fields)
    (seen,) = await desk.items(f"/v1/households/{world.households['G1']}/visits", "dispatcher")
    assert (seen["id"], seen["visitor"]) == (visit, world.accounts["ann"])


async def test_a_correction_has_the_form_of_what_it_corrects(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await parked(ann, world)
    task = ann.change(new_id(), "task", 1, act="finish", args={"result": "x"})
    await ann.sync([task])
    for n, correction, where in (
        (1, {"args": {"result": "y"}}, ["/correction/args"]),
        (2, {"set": {"result": "y"}}, ["/correction/set"]),
        (1, {}, ["/correction"]),
        (1, {"set": {"door": 1.5}}, None),
        (1, {"set": {"DOOR;": "1"}}, None),
    ):
        answer = await desk.post(
            path(ann, n, "/release"), "dispatcher", {"correction": correction}, rev=1
        )
        assert answer.status_code == 422
        assert where is None or pointers(answer) == where


async def test_the_inbox_is_for_those_who_answer_for_the_area(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = world.households["G1"]
    await ann.sync(
        [ann.change(home, "household", 1, set={"door": "1"}, actor=world.accounts["bob"])]
    )
    for login in ("ann", "analyst"):
        assert told(await desk.get("/v1/held", login)) == (403, "forbidden")
        assert told(await desk.get(path(ann), login)) == (403, "forbidden")
    assert await desk.items("/v1/held", "dispatcher-n2") == []
    outside = [
        await desk.get(path(ann), "dispatcher-n2"),
        await desk.post(path(ann, act="/release"), "dispatcher-n2", {}, rev=1),
        await desk.post(path(ann, act="/refuse"), "dispatcher-n2", {"text": "No."}, rev=1),
    ]
    assert {told(each) for each in outside} == {(404, "not-found")}
    many = await desk.done("/v1/held/release", "dispatcher-n2", {"device": ann.id})
    assert many == {"dry_run": False, "items": [], "more": False}
    (found,) = await desk.items("/v1/held", "dispatcher")
    assert found["status"] == "open"


async def test_an_administrator_rules_without_reading_what_it_says(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await parked(ann, world)
    read = (await desk.get(path(ann), "admin")).json()
    assert read["body"] is None
    assert read["summary"] == "household: new; set door, dwelling"
    corrected = {"correction": {"set": {"door": "8"}}}
    refused = await desk.post(path(ann, act="/release"), "admin", corrected, rev=1)
    assert told(refused) == (403, "forbidden")
    done = await desk.done(path(ann, act="/release"), "admin", {}, rev=1)
    assert (done["status"], done["body"]) == ("released", None)


async def test_filters(desk: Desk, ann: RawPhone, world: World) -> None:
    await parked(ann, world)
    await parked(ann, world)
    found = await desk.items("/v1/held", "dispatcher", limit=1)
    assert [each["n"] for each in found] == [2, 1]
    matching = {
        "area": "G3",
        "account": world.accounts["ann"],
        "device": ann.id,
        "code": "unknown-parent",
        "outcome": "held",
        "status": "open",
    }
    assert await desk.items("/v1/held", "dispatcher", **matching) == found
    for other in (
        {"area": "G1"},
        {"account": world.accounts["bob"]},
        {"device": new_id()},
        {"code": "not-in-scope"},
        {"outcome": "quarantined"},
        {"status": "refused"},
    ):
        assert await desk.items("/v1/held", "dispatcher", **{**matching, **other}) == []
    bad = await desk.get("/v1/held", "dispatcher", status="ended")
    assert bad.json()["parameter"] == "status"
    assert told(await desk.get(path(ann, 99), "dispatcher")) == (404, "not-found")
    assert told(await desk.get("/v1/held/no-id/1", "dispatcher")) == (404, "not-found")


async def test_members_nobody_declared_are_not_repeated_in_the_summary(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    body = {"Name and number": "1", "door": "1"}
    household = world.households["G1"]
    made = ann.change(household, "household", 1, set=body, actor=world.accounts["bob"])
    revoked = await desk.post(f"/v1/devices/{ann.id}/revoke", "admin")
    assert revoked.status_code == 204
    await ann.sync([made])
    (found,) = await desk.items("/v1/held", "dispatcher")
    assert found["summary"] == "household: change; set door"
    invalid = await desk.post(path(ann, act="/release"), "dispatcher", {}, rev=1)
    assert (told(invalid), invalid.json()["code"]) == ((409, "needs-person"), "unknown-field")


async def test_own_later_words_are_not_overwritten_by_a_release(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home = world.households["G1"]
    early = {"door": "old", "size_band": "1"}
    await ann.sync(
        [
            ann.change(home, "household", 1, set=early, actor=world.accounts["bob"]),
            ann.change(home, "household", 1, set={"door": "new"}, clock=clock(1_500_000)),
        ]
    )
    await desk.done(path(ann, act="/release"), "dispatcher", {}, rev=1)
    read = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert (read["door"], read["size_band"]) == ("new", "1")
    assert read["open_conflicts"] == []


async def test_a_release_beside_a_push_never_beats_the_authors_later_word(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home, bob = world.households["G1"], world.accounts["bob"]
    for turn in range(5):
        first = ann.change(home, "household", 1, set={"door": "old"}, actor=bob)
        assert outcomes(await ann.sync([first])) == {ann.last_n: "held"}
        later = ann.change(home, "household", 1, set={"door": f"new {turn}"})
        released, pushed = await asyncio.gather(
            desk.post(path(ann, first["n"], "/release"), "dispatcher", {}, rev=1),
            ann.sync([later]),
        )
        assert released.status_code == 200, released.text
        assert set(outcomes(pushed).values()) <= {"merged"}
        read = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
        assert (read["door"], read["open_conflicts"]) == (f"new {turn}", [])


async def test_everything_that_a_phone_is_refused_can_be_released_and_ends_once(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    """Released in the wrong order and twice: the last word of the author is what counts."""
    home, bob = world.households["G1"], world.accounts["bob"]
    doors = ["a", "b", "c", "d"]
    batch = [ann.change(home, "household", 1, set={"door": each}, actor=bob) for each in doors]
    assert set(outcomes(await ann.sync(batch)).values()) == {"held"}
    for n in (3, 1, 4, 2):
        await desk.done(path(ann, n, "/release"), "dispatcher", {}, rev=1)
        again = await desk.post(path(ann, n, "/release"), "dispatcher", {}, rev=2)
        assert told(again) == (409, "transition-refused")
    read = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert (read["door"], read["open_conflicts"]) == ("d", [])
    became = {each["n"]: each["became"] for each in await desk.items("/v1/held", "dispatcher")}
    assert became == {1: "unchanged", 2: "unchanged", 3: "applied", 4: "applied"}
