"""Publishing a boundary change: one transaction, and everything on moved ground follows."""

import asyncio
from typing import Any

import httpx
import pytest

from server.clock import new_id
from server.db.store import Store
from server.replication.reproject import compare
from server.replication.submit import Draft
from tests.server.desk import Desk, told
from tests.server.drafts import (
    CHANGES,
    ask,
    drawn,
    ground,
    halved,
    moved_border,
    publish,
    published,
    redraw,
    split,
)
from tests.server.loop import dispatched, incident_again, step, task_of
from tests.server.phones import RawPhone
from tests.world import E7, LAT, LON, STEP, World, done, draft, settle

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def grids(desk: Desk, **query: Any) -> dict[str, str]:
    answer = await desk.get("/v1/grids", "admin", **query)
    assert answer.status_code == 200, answer.text
    return {each["properties"]["code"]: each["id"] for each in answer.json()["features"]}


async def test_a_split_closes_one_grid_and_opens_two(
    store: Store, desk: Desk, world: World
) -> None:
    change = await published(desk, halved(desk))
    now = await grids(desk)
    assert set(now) == {"G1W", "G1E", "G2", "G3", "G4"}
    assert change["state"] == "published"
    assert change["result"] == {
        "opened": sorted([now["G1W"], now["G1E"]]),
        "redrawn": [],
        "closed": [world.grids["G1"]],
        "moved": {"dwellings": 1, "households": 1, "incidents": 0, "tasks": 0},
        "assignments": 4,
    }
    for login, households in (("analyst", None), ("dispatcher", 1)):
        seen = (await desk.get(f"{CHANGES}/{change['id']}", login)).json()
        moved = {**change["result"]["moved"], "households": households}
        assert seen["result"] == {**change["result"], "moved": moved}
    household = await desk.get(f"/v1/households/{world.households['G1']}", "dispatcher")
    assert household.json()["grid"] == now["G1E"]
    assert await store.read(lambda db: list(compare(db))) == []
    versions = f"/v1/grids/{now['G1E']}/versions"
    for login in ("admin", "analyst"):
        (told_of,) = (await desk.get(versions, login)).json()["lineage"]
        assert told_of["households"] is None
    history = (await desk.get(versions, "dispatcher")).json()
    (version,) = history["versions"]
    assert version["change"] == change["id"]
    (lineage,) = history["lineage"]
    assert (lineage["parent"], lineage["households"]) == (world.grids["G1"], 1)
    assert lineage["share_of_parent"] == pytest.approx(0.6, abs=1e-3)
    assert lineage["share_of_child"] == pytest.approx(1.0, abs=1e-3)


async def test_as_of_before_the_publishing_gives_the_old_set(desk: Desk, world: World) -> None:
    change = await drawn(desk, halved(desk), redraw(world.grids["G3"], ground(2, 3)))
    before = await grids(desk)
    path = f"/v1/grids/{world.grids['G1']}/versions"
    shown = (await desk.get("/v1/grids", "admin")).json()["features"]
    last = max(each["properties"]["valid_from"] for each in shown)
    await asyncio.sleep(0.002)
    assert (await publish(desk, change)).status_code == 200
    assert await grids(desk, as_of=last) == before
    closed = (await desk.get(path, "admin")).json()["versions"][0]["valid_to"]
    assert set(await grids(desk, as_of=closed)) == set(await grids(desk))


async def test_phones_get_what_moved_and_workers_keep_the_ground(
    client: httpx.AsyncClient, desk: Desk, world: World
) -> None:
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    await ann.sync()
    await published(desk, halved(desk))
    reply = await ann.sync()
    now = await grids(desk)
    pages = {each["id"]: each for each in reply["buckets"]}
    assert {f"grid:{now['G1W']}", f"grid:{now['G1E']}"} <= pages.keys()
    left = {each["record"]: each["to"] for each in pages[f"grid:{world.grids['G1']}"]["gone"]}
    moved = {world.dwellings["G1"], world.households["G1"]}
    assert left == dict.fromkeys(moved, f"grid:{now['G1E']}")
    kept = [item["record"] for item in pages[f"grid:{now['G1E']}"]["put"]]
    assert moved <= set(kept)
    (old,) = pages[f"grid:{world.grids['G1']}"]["put"]
    assert old["record"] == world.grids["G1"]


async def test_open_work_moves_with_the_ground_and_closed_work_stays(
    desk: Desk, world: World
) -> None:
    open_one = await dispatched(desk)
    task = await step(desk, await task_of(desk, open_one), "accept", login="ann")
    change = await drawn(desk, halved(desk))
    preview = await ask(desk, change, "preview", "dispatcher")
    (flow,) = [each for each in preview["flows"] if each["incidents"]]
    assert (flow["incidents"], flow["tasks"]) == (1, 1)
    assert flow["from_workers"] == ["ann", "bob"]
    assert flow["to_workers"] == ["ann", "bob"]
    result = (await publish(desk, change)).json()["result"]
    assert result["moved"]["incidents"] == result["moved"]["tasks"] == 1
    after = await incident_again(desk, open_one)
    assert after["grid"] == flow["to_grid"]
    (moved,) = after["tasks"]
    assert (moved["id"], moved["grid"], moved["assignee"]) == (
        task["id"],
        flow["to_grid"],
        task["assignee"],
    )
    started = await step(desk, moved, "start", login="ann")
    assert started["state"] == "in_progress"
    assert after["reports"][0]["observed_grid"] == world.grids["G1"]


async def test_open_work_may_stay_where_its_grid_does(desk: Desk, world: World) -> None:
    place = {"lon": LON + 0.9 * STEP, "lat": LAT + STEP / 2}
    body = {"class": "0102", "text": "Rubbish", "position": place}
    report = await desk.done("/v1/reports", "dispatcher", body)
    path = f"/v1/incidents/{report['incident']}"
    await published(desk, *moved_border(desk), open_work="keep")
    assert (await desk.get(path, "dispatcher")).json()["grid"] == world.grids["G1"]
    await published(desk, *moved_border(desk))
    assert (await desk.get(path, "dispatcher")).json()["grid"] == world.grids["G2"]


async def test_work_without_a_place_goes_where_most_of_the_ground_went(desk: Desk) -> None:
    body = {"class": "0102", "text": "A call", "grid": desk.world.grids["G1"]}
    report = await desk.done("/v1/reports", "dispatcher", body)
    await published(desk, halved(desk))
    found = await desk.get(f"/v1/incidents/{report['incident']}", "dispatcher")
    assert found.json()["grid"] == (await grids(desk))["G1E"]


async def test_a_merger_takes_what_both_had(store: Store, desk: Desk, world: World) -> None:
    merger = {
        "edit": "merge",
        "grids": [world.grids["G3"], world.grids["G4"]],
        "into": {"code": "G34", "name": "Harbour"},
    }
    result = (await published(desk, merger))["result"]
    (made,) = result["opened"]
    assert result["moved"]["households"] == 2
    assert result["assignments"] == 1
    for code in ("G3", "G4"):
        found = await desk.get(f"/v1/households/{world.households[code]}", "dispatcher")
        assert found.json()["grid"] == made
    assert await store.read(lambda db: list(compare(db))) == []


async def test_a_grid_on_new_ground_takes_in_what_lies_there(desk: Desk, world: World) -> None:
    create = {
        "edit": "create",
        "community": "N2",
        "grid": {"code": "G5", "name": "Grid G5", "boundary": ground(4, 5)},
    }
    change = await drawn(desk, create)
    faults = (await ask(desk, change, "validate"))["faults"]
    assert {each["fault"] for each in faults} <= {"new-ground", "edges"}
    preview = await ask(desk, change, "preview")
    assert (preview["flows"], preview["publishable"]) == ([], True)
    result = (await publish(desk, change)).json()["result"]
    assert result["opened"] == [(await grids(desk))["G5"]]
    areas = await desk.items("/v1/areas", "admin", parent=world.areas["N2"])
    assert [each["code"] for each in areas] == ["G3", "G4", "G5"]


async def test_a_grid_with_homes_is_not_retired_and_an_empty_one_is(
    store: Store, desk: Desk, world: World
) -> None:
    retire = {"edit": "retire", "grid": world.grids["G4"]}
    change = await drawn(desk, retire)
    preview = await ask(desk, change, "preview")
    assert (preview["publishable"], preview["orphans"]) == (False, 1)
    assert preview["orphans_first"] == [world.dwellings["G4"]]
    assert preview["flows"][0]["to_grid"] is None
    refused = await publish(desk, change)
    assert told(refused) == (409, "boundary-change-refused")
    assert refused.json()["orphans"] == 1
    assert set(await grids(desk)) == {"G1", "G2", "G3", "G4"}
    away = Draft(
        record=world.dwellings["G4"], kind="dwelling", base=1, set={"grid": world.grids["G3"]}
    )
    await store.write(lambda db: done(db, world.importer, [away]))
    assert (await publish(desk, change)).status_code == 200
    assert set(await grids(desk)) == {"G1", "G2", "G3"}


async def test_faults_refuse_the_publishing(desk: Desk, world: World) -> None:
    change = await drawn(desk, redraw(world.grids["G1"], ground(0, 1.2)))
    refused = await publish(desk, change)
    assert told(refused) == (409, "boundary-change-refused")
    assert refused.json()["faults"] == 1
    tolerant = await drawn(
        desk, redraw(world.grids["G2"], ground(1, 1.9999)), tolerance_m2=100.0
    )
    assert (await publish(desk, tolerant)).status_code == 200


async def test_publishing_again_answers_the_same_and_moves_nothing(
    desk: Desk, world: World
) -> None:
    change = await drawn(desk, halved(desk))
    first, second = await publish(desk, change), await publish(desk, change)
    assert first.json() == second.json()
    history = await desk.get(f"/v1/grids/{world.grids['G1']}/versions", "admin")
    assert len(history.json()["versions"]) == 1


async def test_two_at_once_publish_once(desk: Desk) -> None:
    change = await drawn(desk, halved(desk))
    answers = await asyncio.gather(*(publish(desk, change) for _ in range(3)))
    codes = sorted(each.status_code for each in answers)
    assert codes[0] == 200
    # Who came second either sees it published, or is told that it is a draft no more.
    assert set(codes) <= {200, 409, 412}
    assert len(await grids(desk)) == 5


async def test_a_draft_on_boundaries_of_yesterday_is_refused(desk: Desk, world: World) -> None:
    first = await drawn(desk, *moved_border(desk))
    second = await drawn(desk, halved(desk))
    assert (await publish(desk, first)).status_code == 200
    for path in ("publish", "validate", "preview"):
        answer = await desk.post(
            f"{CHANGES}/{second['id']}/{path}", "dispatcher", rev=second["rev"]
        )
        assert told(answer) == (409, "stale-boundary")
        assert answer.json()["grids"] == [world.grids["G1"]]


async def test_of_two_drafts_with_one_code_the_second_is_stale(
    desk: Desk, world: World
) -> None:
    def half(code: str, west: int, new: str) -> dict[str, Any]:
        pieces = {"NEW": ground(west, west + 0.5), new: ground(west + 0.5, west + 1)}
        return split(world.grids[code], **pieces)

    first, second = await drawn(desk, half("G1", 0, "P")), await drawn(desk, half("G4", 3, "Q"))
    assert (await publish(desk, first)).status_code == 200
    answer = await publish(desk, second)
    assert told(answer) == (409, "stale-boundary")
    assert answer.json()["grids"] == [(await grids(desk))["NEW"]]


async def test_what_the_preview_tells_is_what_is_done(
    store: Store, desk: Desk, world: World
) -> None:
    await store.write(lambda db: settle(db, world, "G2", 4))
    await dispatched(desk)
    merger = {
        "edit": "merge",
        "grids": [world.grids["G3"], world.grids["G4"]],
        "into": {"code": "G34", "name": "Harbour"},
    }
    change = await drawn(desk, merger, *moved_border(desk, 1.6))
    preview = await ask(desk, change, "preview", "dispatcher")
    before = {each["code"]: each["households_after"] for each in preview["grids"]}
    told_of = {
        what: sum(each[what] for each in preview["flows"])
        for what in ("dwellings", "households", "incidents", "tasks")
    }
    assert (await publish(desk, change)).json()["result"]["moved"] == told_of
    now = await grids(desk)
    for code, count in before.items():
        if code in now:
            path = f"/v1/households?grid={now[code]}"
            assert len(await desk.items(path, "dispatcher")) == count, code


async def test_what_changes_while_it_is_published_is_looked_at_again(
    store: Store, desk: Desk, world: World
) -> None:
    change = await drawn(desk, halved(desk))
    renamed = Draft(record=world.grids["G4"], kind="grid", base=1, set={"name": "Harbour"})
    home = {"code": "W9", "address": "Elm", "grid": world.grids["G1"]}
    place = {"lon_e7": round((LON + 0.1 * STEP) * E7), "lat_e7": round((LAT + STEP / 2) * E7)}
    built = draft(new_id(), "dwelling", home | place)
    answer, *_ = await asyncio.gather(
        publish(desk, change),
        store.write(lambda db: done(db, world.importer, [renamed])),
        store.write(lambda db: done(db, world.importer, [built])),
    )
    assert answer.status_code == 200, answer.text
    assert set(await grids(desk)) == {"G1W", "G1E", "G2", "G3", "G4"}
    assert await store.read(lambda db: list(compare(db))) == []
    moved = (answer.json())["result"]["moved"]["dwellings"]
    assert moved in {1, 2}


async def test_who_drew_it_and_who_is_below_the_street_do_not_publish(desk: Desk) -> None:
    own = await drawn(desk, *moved_border(desk), login="dispatcher")
    assert told(await publish(desk, own)) == (403, "forbidden")
    assert told(await publish(desk, own, "analyst")) == (403, "forbidden")
    low = await drawn(desk, redraw(desk.world.grids["G3"], ground(2, 3)))
    assert told(await publish(desk, low, "dispatcher-n2")) == (403, "forbidden")
    assert told(await publish(desk, own, "dispatcher-n2")) == (404, "not-found")
    assert (await publish(desk, own, "admin")).status_code == 200


async def test_only_the_draft_you_read_is_published(desk: Desk) -> None:
    change = await drawn(desk, halved(desk))
    path = f"{CHANGES}/{change['id']}/publish"
    assert told(await desk.post(path, "dispatcher")) == (428, "precondition-required")
    assert told(await desk.post(path, "dispatcher", rev=7)) == (412, "precondition-failed")
    await desk.done(f"{CHANGES}/{change['id']}/discard", "analyst", rev=1)
    assert told(await desk.post(path, "dispatcher", rev=2)) == (409, "transition-refused")


async def test_a_worker_holds_what_a_phone_holds(
    client: httpx.AsyncClient, desk: Desk, world: World
) -> None:
    await published(desk, halved(desk))
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    reply = await bob.sync()
    now = await grids(desk)
    buckets = {each["id"] for each in reply["buckets"]}
    assert {f"grid:{now[code]}" for code in ("G1W", "G1E", "G2")} <= buckets
    listed = await desk.items("/v1/assignments", "dispatcher", worker="bob")
    ends = {each["area_code"]: each["until_ms"] for each in listed}
    assert ends["G1"] is not None
    assert (ends["G1W"], ends["G1E"], ends["G2"]) == (None, None, None)
