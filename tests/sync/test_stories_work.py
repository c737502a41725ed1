"""What happens to work done by people who were offline: the domain's stories."""

import pytest

from sync.known import Located
from sync.mutation import Quality
from sync.outcome import Code, Outcome
from tests.sync.backend import (
    GRID,
    HOUR,
    HOUSEHOLD,
    START,
    Backend,
    Device,
    outcomes,
    uid,
)

INCIDENT, TASK = uid("story incident"), uid("story task")
HERE = Located(grid=GRID, lon_e7=1, lat_e7=2, certain=True)


def clock(hours: int, minutes: int = 0) -> int:
    return START + hours * HOUR + minutes * HOUR // 60


def dispatch(backend: Backend, office: Device, worker: Device) -> None:
    backend.do(office, INCIDENT, "incident", set={"class": "leak", "grid": GRID})
    args = {"task": TASK, "assignee": worker.account, "due_at_ms": clock(12)}
    backend.do(office, INCIDENT, "incident", act="dispatch", args=args, received_ms=clock(8))


def finish(device: Device, at_ms: int, *, base: int = 1):
    args = {"result": f"done by {device.name}"}
    return device.mutation(TASK, "task", act="finish", args=args, base=base, at_ms=at_ms)


def counted(backend: Backend) -> dict[str, bool]:
    """Who claimed to have finished the task, and whose claim counts."""
    states = (backend.state(each) for each in backend.stored)
    return {each["by"]: each["counted"] for each in states if each.get("act") == "finish"}


def test_finished_before_it_was_reassigned_counts_for_who_did_it(backend, anna, bo, office):
    """Story 6."""
    dispatch(backend, office, anna)
    done = finish(anna, clock(10, 40))
    args = {"assignee": bo.account}
    backend.do(office, TASK, "task", act="assign", args=args, received_ms=clock(11))
    plan = backend.push(anna, done, received_ms=clock(14))
    assert plan.answers[0].outcome is Outcome.MERGED
    assert plan.answers[0].quality is Quality.EXACT
    for record, state in ((TASK, "done"), (INCIDENT, "handled")):
        seen = backend.state(record)
        assert (seen["status"], seen["status_by"]) == (state, anna.account)
        assert seen["status_at_ms"] == clock(10, 40)


@pytest.mark.parametrize("first", ["anna", "bo"])
def test_both_worked_and_the_first_completion_is_credited(backend, anna, bo, office, first):
    """Story 7, in either order of upload."""
    dispatch(backend, office, anna)
    args = {"assignee": bo.account}
    backend.do(office, TASK, "task", act="assign", args=args, received_ms=clock(11))
    started = bo.mutation(TASK, "task", act="start", base=2, at_ms=clock(12))
    pushes = [
        (bo, [started, finish(bo, clock(13), base=2)]),
        (anna, [finish(anna, clock(10, 40))]),
    ]
    for device, batch in sorted(pushes, key=lambda each: each[0].name != first):
        backend.push(device, *batch, received_ms=clock(14))
    for record in (TASK, INCIDENT):
        seen = backend.state(record)
        assert (seen["status_by"], seen["status_at_ms"]) == (anna.account, clock(10, 40))
    assert backend.state(TASK)["result"] == "done by anna"
    assert counted(backend) == {anna.account: True, bo.account: False}
    assert "rework" not in backend.state(INCIDENT)


def test_work_done_on_a_voided_case_is_kept_and_changes_nothing(backend, anna, office):
    """Story 8."""
    dispatch(backend, office, anna)
    backend.do(office, INCIDENT, "incident", act="void", received_ms=clock(10))
    plan = backend.push(anna, finish(anna, clock(11)), received_ms=clock(12))
    assert (plan.answers[0].outcome, plan.answers[0].code) == (Outcome.RECORDED, Code.TERMINAL)
    assert backend.state(INCIDENT)["status"] == "voided"
    assert counted(backend) == {anna.account: False}


def test_work_done_after_a_citizen_closed_the_case_is_supplementary(backend, anna, office):
    """Story 9."""
    dispatch(backend, office, anna)
    args = {"text": "solved by the neighbours"}
    backend.do(office, INCIDENT, "incident", act="close", args=args, received_ms=clock(9))
    plan = backend.push(anna, finish(anna, clock(11)), received_ms=clock(12))
    assert plan.answers[0].outcome is Outcome.RECORDED
    assert backend.state(INCIDENT)["status"] == "closed"
    assert counted(backend) == {anna.account: False}


def test_a_double_tap_on_complete_counts_once(backend, anna, office):
    """Story 10."""
    dispatch(backend, office, anna)
    plan = backend.push(anna, finish(anna, clock(9)), finish(anna, clock(9) + 2_000))
    assert outcomes(plan) == [Outcome.APPLIED, Outcome.RECORDED]
    assert plan.answers[1].code is Code.ALREADY_CLAIMED
    claims = [each for each in backend.stored if backend.state(each).get("act") == "finish"]
    assert len(claims) == 2
    assert sorted(backend.state(each)["counted"] for each in claims) == [False, True]


@pytest.mark.parametrize("minutes", [-30, 30])
def test_late_is_measured_from_when_it_was_done_not_from_when_it_arrived(
    backend, anna, office, minutes
):
    """Stories 11 and 12: due at 12:00, uploaded at 18:00."""
    dispatch(backend, office, anna)
    backend.push(anna, finish(anna, clock(12, minutes)), received_ms=clock(18))
    state = backend.state(TASK)
    assert state["status_at_ms"] - state["due_at_ms"] == minutes * 60_000


def test_a_lower_claim_that_comes_late_is_recorded(backend, anna, office):
    dispatch(backend, office, anna)
    begun = anna.mutation(TASK, "task", act="start", base=1, at_ms=clock(9))
    other = Device("anna's other phone", account=anna.account)
    plan = backend.push(other, finish(other, clock(10)), received_ms=clock(11))
    assert outcomes(plan) == [Outcome.APPLIED]
    plan = backend.push(anna, begun, received_ms=clock(12))
    assert (plan.answers[0].outcome, plan.answers[0].code) == (
        Outcome.RECORDED,
        Code.LATER_STATE,
    )
    assert backend.state(TASK)["status"] == "done"


def test_priority_raised_during_an_offline_start_both_apply(backend, anna, office):
    """Story 39."""
    dispatch(backend, office, anna)
    begun = anna.mutation(TASK, "task", act="start", base=1, at_ms=clock(9))
    backend.do(office, INCIDENT, "incident", set={"priority": "high"}, received_ms=clock(10))
    backend.push(anna, begun, received_ms=clock(11))
    state = backend.state(INCIDENT)
    assert (state["priority"], state["status"]) == ("high", "in_progress")


def test_a_phone_three_days_ahead_reports_the_true_time(backend):
    """Story 24."""
    anna = Device("anna", wall_offset_ms=72 * HOUR)
    report = uid("report")
    made = anna.mutation(report, "report", set={"class": "leak"}, at_ms=clock(5))
    backend.push(anna, made, received_ms=clock(6))
    assert backend.state(report)["observed_at_ms"] == clock(5)


def test_a_clock_set_back_during_the_shift_does_not_reorder_work(backend, anna):
    """Story 25."""
    first = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "a"}, at_ms=clock(5))
    anna.wall_offset_ms = -2 * HOUR
    second = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "b"}, at_ms=clock(6))
    plan = backend.push(anna, first, second, received_ms=clock(7))
    assert [each.at_ms for each in plan.answers] == [clock(5), clock(6)]
    assert backend.state(HOUSEHOLD)["door"] == "b"


def test_a_restart_with_a_wrong_clock_is_estimated(backend):
    """Story 26."""
    anna = Device("anna", wall_offset_ms=-9 * HOUR)
    made = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "a"}, at_ms=clock(5))
    anna.boot = "after the restart"
    plan = backend.push(anna, made, received_ms=clock(7))
    assert plan.answers[0].quality is Quality.ESTIMATED
    assert plan.answers[0].at_ms == clock(5)
