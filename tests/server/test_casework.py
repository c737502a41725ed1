"""The closed loop over HTTP: report, incident, dispatch, work, check, close."""

from typing import Any

import httpx
import pytest

from server.clock import new_id
from tests.server.desk import Desk, pointers, told
from tests.server.loop import dispatched, incident_again, report_in, reported, step, task_of
from tests.server.phones import RawPhone, held
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def test_a_telephone_report_opens_an_incident_in_the_grid_of_its_place(
    desk: Desk, world: World
) -> None:
    body = report_in(0, id=new_id())
    first = await desk.post("/v1/reports", "dispatcher", body)
    again = await desk.post("/v1/reports", "dispatcher", body)
    assert (first.status_code, again.status_code) == (201, 200)
    report = first.json()
    assert again.json() == report
    assert report["grid"] == world.grids["G1"]
    assert (report["datum"], report["certain"]) == ("gcj02", True)
    lon_e7, lat_e7 = centre_e7(0)
    assert report["lon"] == pytest.approx(lon_e7 / E7, abs=2e-7)
    assert report["lat"] == pytest.approx(lat_e7 / E7, abs=2e-7)
    assert report["reporter"] == world.accounts["dispatcher"]
    incident = (await desk.get(f"/v1/incidents/{report['incident']}", "dispatcher")).json()
    assert (incident["state"], incident["class"]) == ("reported", "0102")
    assert incident["grid"] == world.grids["G1"]
    assert [each["id"] for each in incident["reports"]] == [report["id"]]
    assert await desk.items("/v1/reports", "dispatcher") == [report]
    other = await desk.post("/v1/reports", "dispatcher", body | {"text": "Else"})
    assert told(other) == (409, "already-exists")


async def test_a_second_report_can_join_an_incident(desk: Desk) -> None:
    incident = await reported(desk)
    joined = report_in(0, incident=incident["id"])
    assert (await desk.done("/v1/reports", "dispatcher", joined))["incident"] == incident["id"]
    assert len((await incident_again(desk, incident))["reports"]) == 2
    assert len(await desk.items("/v1/incidents", "dispatcher")) == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"class": "9999"}, "/class"),
        ({"class": None}, "/class"),
        ({"position": None}, ""),
        ({"position": {"lon": 1, "lat": 95}}, "/position/lat"),
        ({"position": {"lon": 1, "lat": 5}, "grid": "x"}, "/grid"),
        ({"channel": "worker"}, "/channel"),
        ({"text": "a\u0007b"}, "/text"),
        ({"text": "x" * 2_001}, "/text"),
        ({"incident": "018f0000-0000-7000-8000-000000000000"}, "/incident"),
        ({"media": ["x"]}, "/media/0"),
        ({"severity": 1}, "/severity"),
    ],
)
async def test_a_bad_report_is_refused_where_it_is_wrong(
    desk: Desk, change: dict[str, Any], pointer: str
) -> None:
    answer = await desk.post("/v1/reports", "dispatcher", report_in(0) | change)
    assert pointers(answer) == [pointer]
    assert await desk.items("/v1/reports", "dispatcher") == []


async def test_a_report_outside_the_callers_area_is_not_taken(desk: Desk) -> None:
    answer = await desk.post("/v1/reports", "dispatcher-n2", report_in(0))
    assert pointers(answer) == ["/position"]
    assert await desk.items("/v1/reports", "dispatcher") == []


async def test_the_whole_loop_from_report_to_closure(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    incident = await reported(desk)
    incident = await step(desk, incident, "register")
    assert incident["state"] == "registered"
    assert incident["case_no"].isdigit()
    assert incident["due_at_ms"] > incident["created_ms"]
    order = {"assignee": "ann", "instruction": "Clear it away"}
    incident = await step(desk, incident, "dispatch", order)
    task = await task_of(desk, incident)
    assert (incident["state"], task["state"]) == ("dispatched", "assigned")
    assert task["assignee"] == {"id": world.accounts["ann"], "login": "ann"}
    assert (task["instruction"], task["title"]) == ("Clear it away", "Exposed rubbish")
    assert task["due_at_ms"] == incident["due_at_ms"]

    phone = await RawPhone.enrol(client, world.tokens["ann"])
    item = held(await phone.sync())[task["id"]]
    accept = phone.change(task["id"], "task", item["rev"], act="accept", args={})
    await phone.sync([accept])
    assert (await incident_again(desk, incident))["state"] == "in_progress"
    finish = phone.change(
        task["id"], "task", item["rev"], act="finish", args={"result": "Cleared"}
    )
    await phone.sync([finish])
    incident = await incident_again(desk, incident)
    assert incident["state"] == "handled"
    assert (await task_of(desk, incident))["result"] == "Cleared"

    incident = await step(desk, incident, "verify", {"result": "pass"})
    assert incident["state"] == "checking"
    assert (await task_of(desk, incident))["state"] == "confirmed"
    incident = await step(desk, incident, "close")
    assert incident["state"] == "closed"
    acts = [(each["what"], each["act"], each["by"]) for each in incident["timeline"]]
    assert set(acts) >= {
        ("report", "report", "dispatcher"),
        ("decision", "register", "dispatcher"),
        ("decision", "dispatch", "dispatcher"),
        ("claim", "accept", "ann"),
        ("claim", "finish", "ann"),
        ("decision", "verify", "dispatcher"),
        ("decision", "close", "dispatcher"),
    }
    times = [each["at_ms"] for each in incident["timeline"]]
    assert times == sorted(times)


async def test_dispatch_files_an_incident_that_was_only_reported(desk: Desk) -> None:
    incident = await dispatched(desk)
    assert incident["state"] == "dispatched"
    assert incident["case_no"] is not None


async def test_case_numbers_are_unique_and_a_refused_step_uses_none(desk: Desk) -> None:
    first = await step(desk, await reported(desk), "register")
    refused = await desk.post(
        f"/v1/incidents/{first['id']}/register", "dispatcher", rev=first["rev"]
    )
    assert told(refused) == (409, "transition-refused")
    assert refused.json()["code"] == "wrong-state"
    second = await step(desk, await reported(desk), "register")
    assert int(second["case_no"]) == int(first["case_no"]) + 1


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("verify", {"result": "pass"}),
        ("close", None),
        ("reopen", {"text": "Again"}),
    ],
)
async def test_a_step_the_state_does_not_allow_changes_nothing(
    desk: Desk, act: str, body: Any
) -> None:
    incident = await reported(desk)
    answer = await desk.post(
        f"/v1/incidents/{incident['id']}/{act}", "dispatcher", body, rev=incident["rev"]
    )
    assert told(answer) == (409, "transition-refused")
    assert await incident_again(desk, incident) == incident


async def test_reject_void_and_reopen_need_a_reason_and_keep_it(desk: Desk) -> None:
    incident = await reported(desk)
    for act in ("reject", "void", "reopen"):
        path = f"/v1/incidents/{incident['id']}/{act}"
        bare = await desk.post(path, "dispatcher", {}, rev=incident["rev"])
        assert pointers(bare) == ["/text"]
    rejected = await step(desk, incident, "reject", {"text": "Private ground"})
    assert rejected["state"] == "rejected"
    again = await step(desk, rejected, "reopen", {"text": "It is public"})
    assert (again["state"], again["epoch"]) == ("registered", rejected["epoch"] + 1)
    texts = [each["text"] for each in again["timeline"] if each["what"] == "decision"]
    assert texts == ["Private ground", "It is public"]


async def test_void_withdraws_the_task(desk: Desk) -> None:
    incident = await dispatched(desk)
    voided = await step(desk, incident, "void", {"text": "Wrong place"})
    assert voided["state"] == "voided"
    assert (await task_of(desk, voided))["state"] == "withdrawn"


@pytest.mark.parametrize("assignee", ["cat", "dispatcher", "nobody"])
async def test_only_a_worker_of_the_grid_gets_the_task(desk: Desk, assignee: str) -> None:
    incident = await reported(desk)
    answer = await desk.post(
        f"/v1/incidents/{incident['id']}/dispatch",
        "dispatcher",
        {"assignee": assignee},
        rev=incident["rev"],
    )
    assert pointers(answer) == ["/assignee"]
    assert await incident_again(desk, incident) == incident


async def test_a_worker_can_be_named_by_id(desk: Desk, world: World) -> None:
    incident = await dispatched(desk, world.accounts["bob"])
    assert (await task_of(desk, incident))["assignee"]["login"] == "bob"


async def test_every_step_needs_the_revision_it_rests_on(desk: Desk) -> None:
    incident = await reported(desk)
    path = f"/v1/incidents/{incident['id']}/register"
    assert told(await desk.post(path, "dispatcher")) == (428, "precondition-required")
    await desk.done(path, "dispatcher", rev=incident["rev"])
    stale = await desk.post(path, "dispatcher", rev=incident["rev"])
    assert told(stale) == (412, "precondition-failed")
    assert stale.json()["current_rev"] == incident["rev"] + 1


async def test_failed_check_sends_the_work_back(desk: Desk) -> None:
    incident = await dispatched(desk)
    task = await task_of(desk, incident)
    await step(desk, task, "finish", {"result": "Done"}, login="ann")
    handled = await incident_again(desk, incident)
    assert handled["state"] == "handled"
    again = await step(desk, handled, "verify", {"result": "fail", "text": "Still there"})
    assert (again["state"], again["rework"]) == ("dispatched", 1)
    assert (await task_of(desk, again))["state"] == "assigned"


async def test_nobody_checks_their_own_work(desk: Desk) -> None:
    incident = await dispatched(desk)
    task = await task_of(desk, incident)
    await step(desk, task, "finish", {"result": "I did it"})
    handled = await incident_again(desk, incident)
    answer = await desk.post(
        f"/v1/incidents/{incident['id']}/verify",
        "dispatcher",
        {"result": "pass"},
        rev=handled["rev"],
    )
    assert told(answer) == (409, "transition-refused")
    assert answer.json()["code"] == "own-work"
    assert await incident_again(desk, incident) == handled


async def test_workers_speak_for_their_own_tasks_only(desk: Desk) -> None:
    task = await task_of(desk, await dispatched(desk))
    path = f"/v1/tasks/{task['id']}"
    other = await desk.post(f"{path}/accept", "bob", rev=task["rev"])
    assert told(other) == (403, "forbidden")
    assert told(await desk.get(path, "cat")) == (404, "not-found")
    assert told(await desk.post(f"{path}/accept", "cat", rev=task["rev"]))[0] == 404
    accepted = await step(desk, task, "accept", login="ann")
    started = await step(desk, accepted, "start", login="ann")
    stopped = await step(desk, started, "not_executable", {"result": "Locked"}, login="ann")
    assert [each["state"] for each in (accepted, started, stopped)] == [
        "accepted",
        "in_progress",
        "not_executable",
    ]


async def test_only_dispatchers_decide_and_only_inside(desk: Desk, world: World) -> None:
    incident = await reported(desk)
    path = f"/v1/incidents/{incident['id']}"
    for login, status in (("ann", 403), ("analyst", 403), ("admin", 403)):
        answer = await desk.post(f"{path}/register", login, rev=incident["rev"])
        assert answer.status_code == status
    for answer in (
        await desk.get(path, "dispatcher-n2"),
        await desk.post(f"{path}/register", "dispatcher-n2", rev=incident["rev"]),
        await desk.patch(path, "dispatcher-n2", {"summary": "x"}, rev=incident["rev"]),
        await desk.get(f"/v1/reports/{incident['reports'][0]['id']}", "dispatcher-n2"),
        await desk.get(f"/v1/incidents/{world.grids['G1']}", "dispatcher"),
    ):
        assert told(answer) == (404, "not-found")


async def test_no_list_tells_of_another_area(desk: Desk, world: World) -> None:
    incident = await dispatched(desk)
    private = {incident["id"], incident["task"], incident["reports"][0]["id"]}
    private |= {world.grids["G1"], world.dwellings["G1"], world.households["G1"]}
    lists = "areas grids dwellings households reports incidents tasks conflicts layers/grids "
    for name in (lists + "layers/incidents layers/tasks").split():
        here = await desk.get(f"/v1/{name}", "dispatcher")
        there = await desk.get(f"/v1/{name}", "dispatcher-n2")
        assert (here.status_code, there.status_code) == (200, 200)
        assert not any(each in there.text for each in private), name
    own = await desk.get("/v1/incidents", "dispatcher")
    assert incident["id"] in own.text


async def test_a_withdrawn_task_cannot_be_withdrawn_again(desk: Desk) -> None:
    task = await task_of(desk, await dispatched(desk))
    gone = await step(desk, task, "withdraw", {"text": "Not needed"})
    assert gone["state"] == "withdrawn"
    again = await desk.post(f"/v1/tasks/{task['id']}/withdraw", "dispatcher", rev=gone["rev"])
    assert told(again) == (409, "transition-refused")
