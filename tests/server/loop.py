"""Steps of the closed loop that several tests take: report, dispatch, one step, read again."""

from typing import Any

from geo.datum import from_wgs84
from tests.server.desk import Desk
from tests.world import LAT, LON, STEP


def report_in(index: int, **more: Any) -> dict[str, Any]:
    lon, lat = from_wgs84(LON + (index + 0.5) * STEP, LAT + STEP / 2, "gcj02")
    position = {"lon": lon, "lat": lat, "datum": "gcj02", "accuracy_m": 8}
    return {"class": "0102", "text": "Bags at the corner", "position": position, **more}


async def reported(desk: Desk, index: int = 0) -> dict[str, Any]:
    """Take in a report by telephone and return its incident."""
    report = await desk.done("/v1/reports", "dispatcher", report_in(index))
    answer = await desk.get(f"/v1/incidents/{report['incident']}", "dispatcher")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def step(
    desk: Desk, thing: dict[str, Any], act: str, body: Any = None, login: str = "dispatcher"
) -> dict[str, Any]:
    """Take one step with an incident or a task at the revision it was read."""
    kind = "incidents" if "reports" in thing else "tasks"
    done: dict[str, Any] = await desk.done(
        f"/v1/{kind}/{thing['id']}/{act}", login, body, rev=thing["rev"]
    )
    return done


async def task_of(desk: Desk, incident: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (
        await desk.get(f"/v1/tasks/{incident['task']}", "dispatcher")
    ).json()
    return found


async def incident_again(desk: Desk, incident: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (
        await desk.get(f"/v1/incidents/{incident['id']}", "dispatcher")
    ).json()
    return found


async def dispatched(desk: Desk, login: str = "ann") -> dict[str, Any]:
    return await step(desk, await reported(desk), "dispatch", {"assignee": login})
