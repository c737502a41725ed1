"""What a decision answers, what it writes beside itself, what it takes from an incident."""

import pytest

from sync.codec import encode_record
from sync.ids import derived_id
from sync.outcome import Code, Outcome
from sync.record import Record
from tests.sync.backend import HOUR, START, Backend, Device, town, uid
from tests.sync.casework import TASK_ID, Case


def rev(backend: Backend, record_id: str) -> int:
    record = backend.record(record_id)
    assert record is not None
    return record.rev


def test_a_decision_in_the_wrong_state_names_the_revision_that_stands(case):
    before = rev(case.backend, case.incident)
    answer = case.decide("verify", result="pass")
    assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    assert answer.rev == rev(case.backend, case.incident) == before


def test_a_decision_answers_with_the_revision_it_made(case):
    before = rev(case.backend, case.incident)
    answer = case.decide("register")
    assert answer.rev == rev(case.backend, case.incident) == before + 1


def test_a_decision_that_changes_nothing_answers_with_the_revision_that_stands(dispatched):
    case = dispatched
    answer = case.on_task(case.office, "assign", assignee=case.worker.account)
    assert answer.outcome is Outcome.UNCHANGED
    assert answer.rev == rev(case.backend, TASK_ID)


def test_the_words_of_a_decision_are_kept_and_count(case):
    case.decide("reject", text="no leak")
    kept = case.backend.state(derived_id(case.office.id, case.office.n, "claim"))
    assert kept["counted"] is True
    assert (kept["act"], kept["result"]) == ("reject", "no leak")
    assert (kept["parent"], kept["by"]) == (case.incident, case.office.account)


@pytest.mark.parametrize(
    ("between", "outcome"), [("same", Outcome.APPLIED), ("other", Outcome.MERGED)]
)
def test_a_decision_is_merged_if_it_met_what_somebody_else_did(case, between, outcome):
    seen = rev(case.backend, case.incident)
    authors = {"same": case.office, "other": Device("another office", console=True)}
    case.backend.do(authors[between], case.incident, "incident", act="register")
    case.backend.do(
        case.office, case.incident, "incident", act="close", args={"text": "x"}, base=seen
    )
    decided = case.backend.answers[case.office.id, case.office.n]
    assert decided.outcome is outcome
    assert case.state == ("closed", 1)


def test_dispatching_gives_the_incident_the_due_time_it_did_not_have(dispatched):
    incident = dispatched.backend.state(dispatched.incident)
    assert incident["due_at_ms"] == START + 9 * HOUR


def test_a_task_lies_where_its_incident_lies(dispatched):
    task = dispatched.backend.state(TASK_ID)
    assert (task["lon_e7"], task["lat_e7"]) == (11, 22)


def test_a_task_has_the_title_it_was_given(case):
    case.decide("dispatch", task=TASK_ID, title="close the valve")
    assert case.backend.state(TASK_ID)["title"] == "close the valve"


def test_a_task_is_titled_with_as_much_of_the_summary_as_a_title_may_hold():
    case = Case(town(), Device("anna"), Device("bo"), Device("office", console=True))
    case.incident = uid("incident")
    said = {"class": "leak", "summary": "w" * 300}
    case.backend.do(case.office, case.incident, "incident", set=said)
    case.decide("dispatch", task=TASK_ID)
    assert case.backend.state(TASK_ID)["title"] == "w" * 200


def test_sending_back_what_was_never_done_leaves_the_count_of_rework_alone(dispatched):
    case = dispatched
    case.claim(case.worker, "start", 2)
    case.claim(case.worker, "not_executable", 3)
    assert case.on_task(case.office, "rework").outcome is Outcome.APPLIED
    assert case.state == ("dispatched", 2)
    assert "rework" not in case.backend.state(case.incident)


def test_an_incident_whose_task_was_withdrawn_has_no_task(dispatched):
    case = dispatched
    assert case.on_task(case.office, "withdraw").outcome is Outcome.APPLIED
    assert "task" not in case.backend.state(case.incident)


def test_an_incident_that_lost_its_status_begins_again_in_its_first_epoch(dispatched):
    case = dispatched
    whole = case.backend.record(case.incident)
    bare = Record(
        id=whole.id, kind=whole.kind, bucket=whole.bucket, rev=whole.rev, fields=whole.fields
    )
    row = (bare.id, bare.kind, bare.bucket, bare.rev, encode_record(bare))
    case.backend.stored[bare.id] = row
    assert case.on_task(case.office, "withdraw").outcome is Outcome.APPLIED
    assert case.state == ("registered", 1)
