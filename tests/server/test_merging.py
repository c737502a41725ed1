"""Two households that are one, over HTTP: phones, lists, addresses, histories, erasing."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from server.clock import new_id, now_ms
from server.db.store import Store
from server.replication.examining import NOTHING_TOLD
from server.replication.repairing import repair
from server.replication.reproject import compare
from server.replication.submit import Draft
from tests.server.canaries import ASKED, Household, canaries, differences
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held, outcomes
from tests.walls import beyond
from tests.world import World, centre_e7, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]
WHY = "The same family, entered twice."


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


@pytest.fixture
async def bob(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["bob"])


async def entered_twice(phone: RawPhone, world: World, **values: Any) -> tuple[str, str]:
    """A second household at the dwelling of the first, with a resident, made by a phone."""
    twin, wu = new_id(), new_id()
    said = {"dwelling": world.dwellings["G1"], **values}
    made = [
        phone.change(twin, "household", 0, set=said, add={"languages": ["yue"]}),
        phone.change(wu, "resident", 0, set={"household": twin, "name": "Wu"}),
    ]
    assert outcomes(await phone.sync(made)) == {}
    return twin, wu


async def merged(desk: Desk, record: str, into: str, *, rev: int = 1, **more: Any) -> Any:
    body = {"into": into, "text": WHY, **more}
    return await desk.done(f"/v1/records/{record}/merge", "dispatcher", body, rev=rev)


def page_of(reply: Any, world: World) -> Any:
    bucket = f"grid:{world.grids['G1']}"
    return next(each for each in reply["buckets"] if each["id"] == bucket)


async def test_the_merged_household_leaves_the_phones_and_its_people_stay(
    desk: Desk, store: Store, world: World, ann: RawPhone
) -> None:
    home = world.households["G1"]
    twin, wu = await entered_twice(ann, world, door="7")
    body = await merged(desk, twin, home)
    assert body == {
        "id": twin,
        "kind": "household",
        "rev": 2,
        "merged_into": home,
        "dry_run": False,
        "conflicts": [],
        "follow": {"resident": 1},
    }
    reply = await ann.sync()
    gone = page_of(reply, world)["gone"]
    assert gone == [{"record": twin, "why": "archived", "merged_into": home}]
    assert held(reply)[home]["state"]["door"] == "7"
    assert held(reply)[home]["state"]["languages"] == ["yue"]
    assert held(reply)[wu]["state"]["household"] == home
    fresh = await RawPhone.enrol(desk.client, world.tokens["ann"])
    assert twin not in held(await fresh.sync())
    assert await differences(store) == []


async def test_what_phones_say_later_counts_where_it_was_merged_into(
    desk: Desk, store: Store, world: World, ann: RawPhone, bob: RawPhone
) -> None:
    home = world.households["G1"]
    twin, wu = await entered_twice(ann, world, contact_phone="2")
    await bob.sync()
    assert (await merged(desk, twin, home))["conflicts"] == ["contact_phone"]
    visit, yu = new_id(), new_id()
    said = [
        bob.change(twin, "household", 1, set={"door": "9", "dwelling": world.dwellings["G1"]}),
        bob.change(twin, "household", 1, set={"contact_phone": "3"}),
        bob.change(visit, "visit", 0, set={"household": twin, "outcome": "done"}),
        bob.change(yu, "resident", 0, set={"household": twin, "name": "Yu"}),
        bob.change(wu, "resident", 1, set={"household": twin, "phone": "4"}),
    ]
    reply = await bob.sync(said)
    assert outcomes(reply) == {1: "merged", 2: "conflict", 5: "merged"}
    first, second = reply["outcomes"][:2]
    assert (first["record"], first["code"], first["rev"]) == (home, "record-merged", 3)
    assert (second["record"], second["code"]) == (home, "values-differ")
    again = await bob.sync(said)
    replayed = {each["n"]: each for each in again["outcomes"]}
    assert replayed[1] == first | {"replayed": True}
    state = held(reply)[home]["state"]
    assert (state["door"], state["conflicts"]) == ("9", ["contact_phone"])
    for child in (visit, wu, yu):
        assert held(reply)[child]["state"]["household"] == home
    whole = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert {each["name"] for each in whole["residents"]} >= {"W*", "Y*"}
    assert whole["open_conflicts"] == ["contact_phone"]
    assert await differences(store) == []


async def test_the_conflict_is_closed_by_a_person_and_lists_every_value(
    desk: Desk, store: Store, world: World, ann: RawPhone, bob: RawPhone
) -> None:
    home = world.households["G1"]
    before = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()["contact_phone"]
    twin, _ = await entered_twice(ann, world, contact_phone="00002")
    await bob.sync([bob.change(twin, "household", 0, set={"contact_phone": "00003"})])
    assert [each["record"] for each in await desk.items("/v1/conflicts", "dispatcher")] == [
        twin
    ]
    await merged(desk, twin, home, rev=2)
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    assert conflict["record"] == home
    assert {each["value"] for each in conflict["values"]} == {before, "****02", "****03"}
    rev = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()["rev"]
    path = f"/v1/conflicts/{conflict['id']}/resolve"
    await desk.done(path, "dispatcher", {"value": "00003"}, rev=rev)
    assert await desk.items("/v1/conflicts", "dispatcher", status="open") == []
    whole = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert (whole["contact_phone"], whole["open_conflicts"]) == ("****03", [])
    assert await differences(store) == []


async def test_a_dry_run_says_the_same_and_changes_nothing(
    desk: Desk, store: Store, world: World, ann: RawPhone
) -> None:
    home = world.households["G1"]
    twin, _ = await entered_twice(ann, world, contact_phone="2")
    told_before = await merged(desk, twin, home, dry_run=True)
    assert (told_before["rev"], told_before["dry_run"]) == (1, True)
    assert (await ann.sync())["buckets"] == []
    done = await merged(desk, twin, home)
    for name in ("conflicts", "follow", "merged_into"):
        assert told_before[name] == done[name]
    assert done["conflicts"] == ["contact_phone"]
    assert await store.read(lambda db: list(compare(db))) == []


async def test_a_repeat_is_answered_and_merging_elsewhere_is_refused(
    desk: Desk, world: World, ann: RawPhone
) -> None:
    home = world.households["G1"]
    twin, _ = await entered_twice(ann, world)
    third, _ = await entered_twice(ann, world)
    await merged(desk, twin, home)
    again = await merged(desk, twin, home)
    assert (again["rev"], again["merged_into"], again["follow"]) == (2, home, {})
    body = {"into": third, "text": WHY}
    answer = await desk.post(f"/v1/records/{twin}/merge", "dispatcher", body, rev=2)
    assert told(answer) == (409, "record-merged")
    assert answer.json()["merged_into"] == home
    await merged(desk, home, third, rev=2)
    assert (await merged(desk, twin, home, rev=1))["merged_into"] == third


async def test_its_address_leads_on_and_lists_leave_it_out(
    desk: Desk, world: World, ann: RawPhone
) -> None:
    home = world.households["G1"]
    twin, wu = await entered_twice(ann, world)
    other, xu = await entered_twice(ann, world)
    await merged(desk, twin, home)
    await merged(desk, xu, wu)
    for path, there in (
        (f"/v1/households/{twin}", f"/v1/households/{home}"),
        (f"/v1/residents/{xu}", f"/v1/residents/{wu}"),
        (f"/v1/households/{twin}/residents", f"/v1/households/{home}/residents"),
        (f"/v1/households/{twin}/visits", f"/v1/households/{home}/visits"),
        (f"/v1/households/{twin}/visits?limit=1", f"/v1/households/{home}/visits?limit=1"),
    ):
        answer = await desk.get(path, "dispatcher")
        assert (answer.status_code, answer.headers["location"]) == (308, there)
        assert (await desk.get(there, "dispatcher")).status_code == 200
    listed = {each["id"] for each in await desk.items("/v1/households", "dispatcher")}
    assert {home, other} <= listed
    assert twin not in listed
    for answer in (
        await desk.patch(f"/v1/households/{twin}", "dispatcher", {"door": "1"}, rev=2),
        await desk.post(
            f"/v1/households/{twin}/residents", "dispatcher", {"name": "Zhu"}, rev=2
        ),
        await desk.post(f"/v1/records/{twin}/archive", "dispatcher", {"text": WHY}, rev=2),
        await desk.post(f"/v1/records/{twin}/erase", "dispatcher", ASKED, rev=2),
    ):
        assert told(answer) == (409, "record-merged")
        assert answer.json()["merged_into"] == home


async def test_both_histories_show_it(
    desk: Desk, world: World, ann: RawPhone, bob: RawPhone
) -> None:
    home = world.households["G1"]
    twin, _ = await entered_twice(ann, world, door="7")
    await merged(desk, twin, home)
    await bob.sync([bob.change(twin, "household", 1, set={"door": "9"})])
    own = await desk.items(f"/v1/records/{twin}/history", "dispatcher")
    told_ = [(each["record"], each["act"], each["ended_at"]) for each in own]
    assert told_ == [(twin, None, None), (twin, "merge_into", None), (twin, None, home)]
    whole = await desk.items(f"/v1/records/{home}/history", "dispatcher", values=True)
    assert [each["record"] for each in whole] == [home, twin, twin, twin]
    assert whole[2]["asked"] == {"args": {"into": home, "text": WHY}}


async def test_who_may_not_merge_and_what_cannot_be_merged(
    desk: Desk, store: Store, world: World, ann: RawPhone
) -> None:
    home = world.households["G1"]
    twin, wu = await entered_twice(ann, world)
    path, body = f"/v1/records/{twin}/merge", {"into": home, "text": WHY}
    assert told(await desk.post(path, "ann", body, rev=1)) == (403, "forbidden")
    assert told(await desk.post(path, "dispatcher", body, rev=9)) == (
        412,
        "precondition-failed",
    )
    assert told(await desk.post(path, "dispatcher", body)) == (428, "precondition-required")
    for into in (new_id(), twin, wu, "no id"):
        answer = await desk.post(path, "dispatcher", body | {"into": into}, rev=1)
        assert pointers(answer) == ["/into"]
        dry = await desk.post(path, "dispatcher", body | {"into": into, "dry_run": True}, rev=1)
        assert pointers(dry) == ["/into"]
    grid = f"/v1/records/{world.grids['G1']}/merge"
    assert told(await desk.post(grid, "dispatcher", body, rev=1)) == (404, "not-found")
    await desk.done(f"/v1/records/{home}/archive", "dispatcher", {"text": WHY}, rev=1)
    answer = await desk.post(path, "dispatcher", body, rev=1)
    assert told(answer) == (409, "transition-refused")
    assert answer.json()["code"] == "wrong-state"
    assert await differences(store) == []


async def test_a_duplicate_incident_hands_over_its_reports(
    desk: Desk, store: Store, ann: RawPhone
) -> None:
    reply = await ann.sync([ann.report(*centre_e7(0)), ann.report(*centre_e7(0))])
    first, second = sorted(
        each["record"] for each in held(reply).values() if each["kind"] == "incident"
    )
    body = await merged(desk, first, second)
    assert body["follow"] == {"report": 1}
    answer = await desk.get(f"/v1/incidents/{first}", "dispatcher")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/v1/incidents/{second}")
    await ann.sync([ann.report(*centre_e7(0), incident=first)])
    whole = (await desk.get(f"/v1/incidents/{second}", "dispatcher")).json()
    assert len(whole["reports"]) == 3
    listed = [each["id"] for each in await desk.items("/v1/incidents", "dispatcher")]
    assert listed == [second]
    closed = await desk.items("/v1/incidents", "dispatcher", archived=True, open=False)
    assert [(each["id"], each["state"]) for each in closed] == [(first, "merged")]
    answer = await desk.post(
        f"/v1/incidents/{first}/reopen", "dispatcher", {"text": "no"}, rev=2
    )
    assert told(answer) == (409, "record-merged")
    assert await differences(store) == []


async def test_a_household_of_another_grid_brings_its_people_along(
    desk: Desk, store: Store, client: httpx.AsyncClient, world: World, ann: RawPhone
) -> None:
    there = world.households["G3"]
    twin, wu = await entered_twice(ann, world)
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    await cat.sync()
    await merged(desk, twin, there)
    gone = {each["record"]: each for each in page_of(await ann.sync(), world)["gone"]}
    assert gone[twin] == {"record": twin, "why": "archived", "merged_into": there}
    assert gone[wu]["why"] == "moved"
    assert held(await cat.sync())[wu]["state"]["household"] == there
    reply = await ann.sync([ann.change(twin, "household", 1, set={"door": "7"})])
    assert reply["outcomes"][0]["record"] == there
    assert held(await cat.sync())[there]["state"]["door"] == "7"
    assert await differences(store) == []


async def test_erasing_the_one_that_stays_erases_what_the_other_said(
    desk: Desk, store: Store, world: World, ann: RawPhone, bob: RawPhone
) -> None:
    home = world.households["G1"]
    twin = Household(ann, world)
    await ann.sync(twin.mutations())
    await merged(desk, twin.id, home, rev=2)
    late = bob.change(twin.id, "household", 1, set={"contact_phone": "canary-late"})
    assert outcomes(await bob.sync([late])) == {1: "conflict"}
    assert {"late", "past", "name"} <= await canaries(store)
    rev = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()["rev"]
    body = await desk.done(f"/v1/records/{home}/erase", "dispatcher", ASKED, rev=rev)
    assert body["records"]["household"] == 2
    assert await canaries(store) == set()
    reply = await bob.sync([bob.change(twin.id, "household", 1, set={"door": "canary-more"})])
    assert reply["outcomes"][0]["code"] == "erased"
    assert await canaries(store) == set()
    assert await differences(store) == []
    answer = await desk.get(f"/v1/households/{twin.id}", "dispatcher")
    assert told(answer) == (404, "not-found")


@pytest.mark.parametrize(
    ("forgery", "found"),
    [
        ("DELETE FROM alias", {"alias"}),
        ("UPDATE alias SET into_id = :other", {"alias"}),
        ("UPDATE household SET archived = FALSE WHERE id = :twin", {"projection archived"}),
    ],
)
async def test_an_alias_that_does_not_follow_from_its_record_is_found(
    desk: Desk, store: Store, world: World, ann: RawPhone, forgery: str, found: set[str]
) -> None:
    twin, _ = await entered_twice(ann, world)
    await merged(desk, twin, world.households["G1"])
    values = {"twin": twin, "other": world.households["G3"]}

    def forge(db: Connection) -> None:
        named = {name: each for name, each in values.items() if f":{name}" in forgery}
        assert db.execute(text(forgery), named).rowcount == 1

    await store.write(beyond(forge))
    assert {each.what for each in await differences(store)} == found
    bucket = f"grid:{world.grids['G1']}"
    await store.write(lambda db: repair(db, bucket, NOTHING_TOLD, now_ms=now_ms()))
    assert await differences(store) == []


async def test_a_dwelling_that_was_merged_is_not_moved_by_a_redrawn_boundary(
    desk: Desk, store: Store, world: World, ann: RawPhone
) -> None:
    other, home = new_id(), new_id()
    lon_e7, lat_e7 = centre_e7(1)
    said = {"code": "again", "address": "Elm 1", "grid": world.grids["G1"]}
    made = Draft(
        record=other,
        kind="dwelling",
        base=0,
        set={**said, "lon_e7": lon_e7, "lat_e7": lat_e7},
    )
    await store.write(lambda db: done(db, world.importer, [made]))
    assert (
        outcomes(await ann.sync([ann.change(home, "household", 0, set={"dwelling": other})]))
        == {}
    )
    path = f"/v1/grids/{world.grids['G1']}/reassign?dry_run=true"
    assert (await desk.done(path, "admin"))["moved"] == 1
    body = await merged(desk, other, world.dwellings["G1"])
    assert (body["conflicts"], body["follow"]) == (["address", "code"], {"household": 1})
    assert (await desk.done(path, "admin"))["moved"] == 0
    whole = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert whole["dwelling"]["id"] == world.dwellings["G1"]
    assert await differences(store) == []
