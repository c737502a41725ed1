"""Boundaries that are redrawn while people work: whose is a place, before and afterwards."""

from typing import Any

import pytest

from tests.journeys.day import Day, became, report
from tests.server.drafts import CHANGES, border, halves

pytestmark = pytest.mark.db


def publish(day: Day, *edits: dict[str, Any], **more: Any) -> Any:
    """An analyst draws, a dispatcher of the district publishes."""
    body = {"reason": "Too many homes for one", "edits": list(edits), **more}
    change = day.console("analyst").post(CHANGES, body)
    return day.decide(f"{CHANGES}/{change['id']}", "publish")["result"]


def test_a_grid_is_split_while_its_worker_is_out_of_reach(day: Day) -> None:
    """Story 13: the report keeps the grid of its time, its owner is the grid of now, the task
    stays with A.
    """
    case = day.case(grid=0)
    ann = day.phone("ann")
    assert ann.shown(case.task).state["assignee"] == day.world.accounts["ann"]
    day.at(9)
    before = report(ann, east_m=10)
    day.at(10)
    result = publish(day, halves(day.world))
    day.at(11)
    after = report(ann, east_m=12)
    ann.act(case.task, "finish", {"result": "Pipe replaced"})
    ann.edit(day.world.households["G1"], set={"door": "7"})
    day.at(14)
    assert ann.sync().up_to_date
    assert not {outcome for outcome, _ in became(ann)} & {"held", "quarantined", "invalid"}
    grids = {each["properties"]["code"]: each["id"] for each in features(day)}
    seen = {each: day.read(f"/v1/reports/{each}") for each in (before, after)}
    assert seen[before]["observed_grid"] == day.world.grids["G1"]
    assert seen[after]["observed_grid"] == grids["G1E"]
    assert {each["grid"] for each in seen.values()} == {grids["G1E"]}
    assert (case.work["grid"], case.work["state"]) == (grids["G1E"], "done")
    assert case.work["assignee"]["login"] == "ann"
    assert case.told("finish") == [("ann", True)]
    home = day.read(f"/v1/households/{day.world.households['G1']}")
    assert (home["grid"], home["door"]) == (grids["G1E"], "7")
    assert result["closed"] == [day.world.grids["G1"]]
    assert ann.shown(day.world.households["G1"]).state["door"] == "7"


def features(day: Day) -> list[Any]:
    """The grids in force."""
    found: list[Any] = day.read("/v1/grids")["features"]
    return found


def test_a_boundary_that_moves_under_an_open_case_leaves_it_if_asked_to(day: Day) -> None:
    """Story 14: the owner stays until the case is closed, or until somebody attributes it anew;
    both versions are there.
    """
    case = day.case(grid=0)
    day.at(10)
    publish(day, *border(day.world, 0.3), open_work="keep")
    here, there = day.world.grids["G1"], day.world.grids["G2"]
    assert (case.incident["grid"], case.work["grid"]) == (here, here)
    (said,) = case.incident["reports"]
    assert (said["grid"], said["observed_grid"]) == (here, here)
    versions = day.read(f"/v1/grids/{here}/versions")["versions"]
    assert [each["valid_to"] is None for each in versions] == [True, False]
    day.at(11)
    publish(day, *border(day.world, 0.3))
    assert (case.incident["grid"], case.work["grid"]) == (there, there)
    (said,) = case.incident["reports"]
    assert (said["grid"], said["observed_grid"]) == (there, here)
