"""An open task is given to somebody else (转派) over HTTP, without a new round of the work."""

import httpx
import pytest

from server.clock import new_id
from tests.server.desk import Desk, pointers, told
from tests.server.loop import dispatched, incident_again, step, task_of
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def test_a_task_is_given_to_somebody_else_and_both_may_speak(
    desk: Desk, world: World
) -> None:
    incident = await dispatched(desk)
    task = await step(desk, await task_of(desk, incident), "accept", login="ann")
    order = {"assignee": "bob", "instruction": "Bring bags", "due_at_ms": 1_900_000_000_000}
    given = await step(desk, task, "assign", order)
    assert given["rev"] == task["rev"] + 1
    assert given["assignee"] == {"id": world.accounts["bob"], "login": "bob"}
    assert (given["instruction"], given["due_at_ms"]) == ("Bring bags", 1_900_000_000_000)
    assert (given["state"], given["epoch"]) == (task["state"], task["epoch"])
    history = (await incident_again(desk, incident))["timeline"]
    assert history[-1]["act"] == "assign"
    started = await step(desk, given, "start", login="bob")
    assert started["state"] == "in_progress"


async def test_what_the_order_leaves_out_stays(desk: Desk, world: World) -> None:
    task = await task_of(desk, await dispatched(desk))
    given = await step(desk, task, "assign", {"assignee": world.accounts["bob"]})
    assert given["assignee"]["login"] == "bob"
    assert (given["instruction"], given["due_at_ms"]) == (
        task["instruction"],
        task["due_at_ms"],
    )
    again = await step(desk, given, "assign", {"assignee": "bob"})
    assert again == given


@pytest.mark.parametrize("assignee", ["cat", "dispatcher", "nobody"])
async def test_only_a_worker_of_the_tasks_grid_gets_it(desk: Desk, assignee: str) -> None:
    task = await task_of(desk, await dispatched(desk))
    path = f"/v1/tasks/{task['id']}/assign"
    answer = await desk.post(path, "dispatcher", {"assignee": assignee}, rev=task["rev"])
    assert pointers(answer) == ["/assignee"]
    assert pointers(await desk.post(path, "dispatcher", {}, rev=task["rev"])) == ["/assignee"]
    assert (await desk.get(f"/v1/tasks/{task['id']}", "dispatcher")).json() == task


async def test_only_a_dispatcher_inside_assigns_an_open_task_as_it_stands(desk: Desk) -> None:
    task = await task_of(desk, await dispatched(desk))
    path, body = f"/v1/tasks/{task['id']}/assign", {"assignee": "bob"}
    answers = [
        await desk.post(path, "ann", body, rev=task["rev"]),
        await desk.post(path, "dispatcher-n2", body, rev=task["rev"]),
        await desk.post(f"/v1/tasks/{new_id()}/assign", "dispatcher", body, rev=1),
        await desk.post(path, "dispatcher", body),
        await desk.post(path, "dispatcher", body, rev=task["rev"] + 1),
    ]
    assert [told(each) for each in answers] == [
        (403, "forbidden"),
        (404, "not-found"),
        (404, "not-found"),
        (428, "precondition-required"),
        (412, "precondition-failed"),
    ]
    gone = await step(desk, task, "withdraw", {"text": "Not needed"})
    late = await desk.post(path, "dispatcher", body, rev=gone["rev"])
    assert told(late) == (409, "transition-refused")
    assert late.json()["code"] == "wrong-state"
