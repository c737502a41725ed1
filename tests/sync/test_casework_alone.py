"""Decisions and claims go on when a record that would follow is no longer there."""

import pytest

from sync.outcome import Code, Outcome
from tests.sync.backend import (
    HOUR,
    START,
    Backend,
    uid,
)
from tests.sync.casework import TASK_ID


def test_a_task_goes_on_when_its_incident_is_no_longer_there(dispatched):
    case = dispatched
    del case.backend.stored[case.incident]
    assert case.claim(case.worker, "finish", 2).outcome is Outcome.APPLIED
    assert case.on_task(case.office, "rework").code is Code.WRONG_STATE
    assert case.on_task(case.office, "confirm").outcome is Outcome.APPLIED
    assert case.task_state == ("confirmed", 1)


def test_a_task_without_its_incident_can_be_withdrawn(dispatched):
    case = dispatched
    del case.backend.stored[case.incident]
    assert case.on_task(case.office, "withdraw").outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("result", "state"), [("pass", ("checking", 1)), ("fail", ("dispatched", 2))]
)
def test_an_incident_is_decided_when_its_task_is_no_longer_there(dispatched, result, state):
    case = dispatched
    case.claim(case.worker, "finish", 2)
    del case.backend.stored[TASK_ID]
    assert case.decide("verify", result=result).outcome is Outcome.APPLIED
    assert case.state == state


def test_an_incident_that_never_had_a_task_is_voided(case):
    assert case.decide("void").outcome is Outcome.APPLIED
    assert case.state == ("voided", 1)


def test_work_on_a_task_that_was_away_does_not_move_an_incident_that_has_another(dispatched):
    case = dispatched
    away = case.backend.stored.pop(TASK_ID)
    case.decide("close", text="a neighbour fixed it")
    case.backend.stored[TASK_ID] = away
    assert case.claim(case.worker, "start", 2).outcome is Outcome.APPLIED
    assert case.state == ("closed", 1)
    case.decide("reopen")
    case.decide("dispatch", task=uid("second task"))
    before = case.backend.record(case.incident)
    assert case.claim(case.worker, "finish", 3).outcome is Outcome.APPLIED
    assert case.backend.record(case.incident) == before


def test_credit_moves_even_when_the_other_claim_is_no_longer_there(dispatched):
    case = dispatched
    early = case.worker.mutation(TASK_ID, "task", act="finish", base=1, at_ms=START + 2 * HOUR)
    case.on_task(case.office, "finish")
    (kept,) = (each for each in case.backend.stored if is_claim(case.backend, each))
    del case.backend.stored[kept]
    plan = case.backend.push(case.worker, early, received_ms=START + 3 * HOUR)
    assert plan.answers[0].outcome is Outcome.MERGED
    assert case.backend.state(TASK_ID)["status_by"] == case.worker.account


def is_claim(backend: Backend, record_id: str) -> bool:
    return backend.state(record_id).get("act") == "finish"
