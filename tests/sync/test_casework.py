"""From a report to a closed incident, and everything that can go another way."""

import pytest

from sync.codec import encode_record
from sync.ids import derived_id
from sync.lifecycle import INCIDENT, RANKS, RESOLVE, TASK, Act, acts_of
from sync.outcome import Code, Outcome
from sync.record import Record
from tests.sync.backend import (
    ALWAYS,
    DWELLING,
    GRID,
    HOUR,
    HOUSEHOLD,
    OTHER_GRID,
    START,
    Device,
    at,
    town,
    uid,
)
from tests.sync.casework import HERE, REPORT, TASK_ID


def test_a_report_makes_an_incident_at_its_place_and_time(case):
    report, incident = case.backend.state(REPORT), case.backend.state(case.incident)
    place = {"lon_e7": 11, "lat_e7": 22, "accuracy_cm": 800, "datum": "gcj02", "grid": GRID}
    assert place.items() <= report.items()
    assert place.items() <= incident.items()
    assert report["reporter"] == case.worker.account
    assert report["certain"] is False
    assert report["media"] == ["sha256:" + "0" * 64]
    assert report["observed_at_ms"] == incident["observed_at_ms"] == START + HOUR
    assert incident["status"] == "reported"
    assert incident["summary"] == "water on the road"
    stored = case.backend.record(case.incident)
    assert stored is not None
    assert stored.bucket == f"grid:{GRID}"


def test_the_closed_loop(dispatched):
    case = dispatched
    assert case.state == ("dispatched", 1)
    task = case.backend.state(TASK_ID)
    assert task["title"] == "water on the road"
    assert task["assignee"] == case.worker.account
    assert task["grid"] == GRID
    assert case.backend.state(case.incident)["case_no"] == "C-1"
    assert case.claim(case.worker, "accept", 2).outcome is Outcome.APPLIED
    assert case.state == ("in_progress", 1)
    photo = "sha256:" + "1" * 64
    done = case.claim(
        case.worker,
        "finish",
        3,
        args={"result": "valve closed", "media": [photo]},
        position=at(),
        located=HERE,
    )
    assert done.outcome is Outcome.APPLIED
    assert case.state == ("handled", 1)
    incident = case.backend.state(case.incident)
    assert incident["status_at_ms"] == START + 3 * HOUR
    assert incident["status_by"] == case.worker.account
    assert case.backend.state(TASK_ID)["result"] == "valve closed"
    kept = next(each for each in case.claims() if each["act"] == "finish")
    assert kept["media"] == [photo]
    assert kept["lon_e7"] == 11
    assert kept["counted"] is True
    assert case.decide("verify", result="pass").outcome is Outcome.APPLIED
    assert case.state == ("checking", 1)
    assert case.task_state == ("confirmed", 1)
    assert case.decide("close").outcome is Outcome.APPLIED
    assert case.state == ("closed", 1)


def test_accepting_and_starting_are_one_step_of_the_incident(dispatched):
    case = dispatched
    case.claim(case.worker, "accept", 2)
    case.claim(case.worker, "start", 3)
    assert case.task_state == ("in_progress", 1)
    assert case.backend.state(case.incident)["status_at_ms"] == START + 2 * HOUR


def test_a_failed_check_opens_a_new_epoch_and_counts_rework(dispatched):
    case = dispatched
    task = case.backend.record(TASK_ID)
    case.claim(case.worker, "finish", 2, args={"result": "done"})
    assert case.decide("verify", result="fail", text="still wet").outcome is Outcome.APPLIED
    assert case.state == ("dispatched", 2)
    assert case.task_state == ("assigned", 2)
    assert case.backend.state(case.incident)["rework"] == 1
    assert "result" not in case.backend.state(TASK_ID)
    reasons = [case.backend.state(each).get("result") for each in case.backend.stored]
    assert "still wet" in reasons
    late = case.claim(case.worker, "finish", 3, base=task.rev)
    assert (late.outcome, late.code) == (Outcome.RECORDED, Code.OTHER_EPOCH)
    assert case.task_state == ("assigned", 2)
    case.claim(case.worker, "finish", 4)
    assert case.state == ("handled", 2)
    case.decide("verify", result="pass")
    assert case.decide("verify", result="pass").code is Code.WRONG_STATE
    assert case.decide("verify", result="fail").outcome is Outcome.APPLIED
    assert case.backend.state(case.incident)["rework"] == 2
    assert case.task_state == ("assigned", 3)


def test_nobody_verifies_confirms_or_closes_their_own_work(dispatched):
    case = dispatched
    case.claim(case.worker, "finish", 2)
    same = Device("anna's desk", account=case.worker.account, console=True)
    for kind, record, act, args in (
        ("incident", case.incident, "verify", {"result": "pass"}),
        ("incident", case.incident, "close", {}),
        ("task", TASK_ID, "confirm", {}),
    ):
        answer = case.backend.do(same, record, kind, act=act, args=args)
        assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.OWN_WORK)
    assert case.state == ("handled", 1)
    assert case.on_task(case.office, "confirm").outcome is Outcome.APPLIED
    assert case.state == ("checking", 1)
    assert case.task_state == ("confirmed", 1)


def test_register_then_reject_is_too_late_and_reject_first_can_be_reopened(case):
    assert case.decide("reject", text="no leak").outcome is Outcome.APPLIED
    assert case.state == ("rejected", 1)
    assert case.decide("register").code is Code.WRONG_STATE
    assert case.decide("reopen").outcome is Outcome.APPLIED
    assert case.state == ("registered", 2)
    assert case.decide("reject").code is Code.WRONG_STATE


def test_registering_gives_number_and_due_time_which_dispatching_keeps(case):
    case.decide("register", case_no="C-7", due_at_ms=5)
    case.decide("dispatch", task=TASK_ID, case_no="C-8", due_at_ms=9)
    incident = case.backend.state(case.incident)
    assert (incident["case_no"], incident["due_at_ms"]) == ("C-7", 5)
    assert case.backend.state(TASK_ID)["due_at_ms"] == 9


def test_two_dispatchers_at_once_and_a_taken_task_id(case):
    assert case.decide("dispatch", task=HOUSEHOLD).code is Code.ALREADY_EXISTS
    case.decide("dispatch", task=TASK_ID)
    second = case.decide("dispatch", task=uid("another task"))
    assert (second.outcome, second.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    assert uid("another task") not in case.backend.stored


def test_closing_before_the_work_is_done_takes_a_reason_and_withdraws_the_task(dispatched):
    case = dispatched
    assert case.decide("close").code is Code.WRONG_STATE
    assert case.decide("close", text="a neighbour fixed it").outcome is Outcome.APPLIED
    assert case.task_state == ("withdrawn", 1)
    assert case.decide("close").code is Code.WRONG_STATE


def test_closing_without_a_check_confirms_the_work(dispatched):
    case = dispatched
    case.claim(case.worker, "finish", 2)
    assert case.decide("close").outcome is Outcome.APPLIED
    assert case.task_state == ("confirmed", 1)


def test_reopening_leaves_the_old_task_behind(dispatched):
    case = dispatched
    case.claim(case.worker, "finish", 2)
    case.decide("close")
    case.decide("reopen")
    assert case.state == ("registered", 2)
    assert "task" not in case.backend.state(case.incident)
    assert case.on_task(case.office, "rework").code is Code.WRONG_STATE
    assert case.decide("dispatch", task=uid("second task")).outcome is Outcome.APPLIED
    assert case.state == ("dispatched", 2)


def test_work_that_could_not_be_done_is_sent_back_without_counting_rework(dispatched):
    case = dispatched
    answer = case.claim(case.worker, "not_executable", 2, args={"result": "locked"})
    assert answer.outcome is Outcome.APPLIED
    assert case.task_state == ("not_executable", 1)
    assert case.state == ("dispatched", 1)
    assert case.backend.state(TASK_ID)["result"] == "locked"
    other = case.colleague.account
    assert case.on_task(case.office, "rework", assignee=other).outcome is Outcome.APPLIED
    assert case.task_state == ("assigned", 2)
    assert case.state == ("dispatched", 1)
    assert case.claim(case.colleague, "start", 3).outcome is Outcome.APPLIED
    case.claim(case.colleague, "not_executable", 4)
    case.on_task(case.office, "rework")
    assert case.state == ("dispatched", 2)
    assert "rework" not in case.backend.state(case.incident)


def test_sending_finished_work_back_counts_rework(dispatched):
    case = dispatched
    case.claim(case.worker, "finish", 2)
    case.on_task(case.office, "rework", text="wrong valve")
    assert case.state == ("dispatched", 2)
    assert case.backend.state(case.incident)["rework"] == 1


def test_a_withdrawn_task_frees_the_incident_for_another(dispatched):
    case = dispatched
    case.claim(case.worker, "start", 2)
    assert case.on_task(case.office, "withdraw").outcome is Outcome.APPLIED
    assert case.task_state == ("withdrawn", 1)
    assert case.state == ("registered", 2)
    late = case.claim(case.worker, "finish", 3)
    assert (late.outcome, late.code) == (Outcome.RECORDED, Code.TERMINAL)
    assert case.state == ("registered", 2)
    assert case.on_task(case.office, "withdraw").code is Code.WRONG_STATE


def test_a_claim_about_an_old_task_does_not_move_the_incident(dispatched):
    case = dispatched
    case.claim(case.worker, "finish", 2)
    case.decide("void")
    assert case.task_state == ("confirmed", 1)
    case.decide("reopen")
    case.decide("dispatch", task=uid("second task"))
    case.on_task(case.office, "confirm")
    assert case.state == ("dispatched", 2)


def test_assigning_again_to_the_same_person_is_nothing_new(dispatched):
    case = dispatched
    again = case.on_task(case.office, "assign", assignee=case.worker.account)
    assert again.outcome is Outcome.UNCHANGED
    changed = case.on_task(case.office, "assign", assignee=case.colleague.account)
    assert changed.outcome is Outcome.APPLIED
    assert case.backend.record(TASK_ID).bucket == f"grid:{GRID}"


def test_a_task_without_a_grid_lives_with_its_assignee():
    backend, office = town(), Device("office", console=True)
    incident = uid("incident nowhere")
    backend.do(office, incident, "incident", set={"class": "leak"})
    home = backend.record(incident)
    assert home is not None
    assert home.bucket == f"user:{office.account}"
    anna, bo = Device("anna").account, Device("bo").account
    args = {"task": TASK_ID, "assignee": anna}
    backend.do(office, incident, "incident", act="dispatch", args=args)
    assert backend.record(TASK_ID).bucket == f"user:{anna}"
    assert backend.state(TASK_ID)["title"] == "leak"
    backend.do(office, TASK_ID, "task", act="assign", args={"assignee": bo})
    assert backend.record(TASK_ID).bucket == f"user:{bo}"


def test_a_stranger_claims_in_vain_but_is_heard(dispatched):
    case = dispatched
    answer = case.claim(case.colleague, "finish", 2)
    assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.NOT_ASSIGNED)
    assert case.task_state == ("assigned", 1)
    (kept,) = case.claims()
    assert kept["counted"] is False
    assert kept["by"] == case.colleague.account


def test_a_task_for_nobody_in_particular_is_anybodys_of_the_area(case):
    case.decide("dispatch", task=TASK_ID)
    case.backend.authority = {}
    assert case.claim(case.colleague, "start", 2).code is Code.NOT_ASSIGNED
    case.backend.authority = town().authority
    assert case.claim(case.colleague, "start", 3).outcome is Outcome.APPLIED


def test_a_task_for_nobody_is_not_everybodys(case):
    case.decide("dispatch", task=TASK_ID)
    case.backend.authority = {f"grid:{OTHER_GRID}": ALWAYS}
    assert case.claim(case.colleague, "start", 2).code is Code.NOT_ASSIGNED
    case.backend.authority = {f"grid:{GRID}": ALWAYS}
    assert case.claim(case.colleague, "start", 3).outcome is Outcome.APPLIED


def test_a_console_may_claim_for_a_worker_without_a_phone(dispatched):
    case = dispatched
    assert case.on_task(case.office, "finish").outcome is Outcome.APPLIED
    assert case.state == ("handled", 1)


def test_an_act_on_a_record_without_a_status_changes_nothing(case):
    record = case.backend.record(case.incident)
    bare = Record(
        id=record.id, kind=record.kind, bucket=record.bucket, rev=1, fields=record.fields
    )
    case.backend.stored[bare.id] = (bare.id, bare.kind, bare.bucket, 1, encode_record(bare))
    answer = case.decide("register")
    assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.WRONG_STATE)


def test_a_report_joins_the_incident_it_names_if_that_is_known(case):
    joined, strayed = uid("second report"), uid("third report")
    fields = {"class": "leak", "incident": case.incident}
    case.backend.do(case.colleague, joined, "report", set=fields)
    assert case.backend.state(joined)["incident"] == case.incident
    fields = {"class": "leak", "incident": uid("nobody knows")}
    case.backend.do(case.colleague, strayed, "report", set=fields)
    other = case.backend.state(strayed)["incident"]
    assert other not in {case.incident, uid("nobody knows")}
    assert case.backend.state(other)["status"] == "reported"


def test_an_incident_id_that_somebody_took_is_not_overwritten():
    backend, anna = town(), Device("anna")
    taken = derived_id(REPORT, "incident")
    backend.do(anna, taken, "note", set={"parent": DWELLING, "text": "mine"})
    backend.do(anna, REPORT, "report", set={"class": "leak"})
    assert backend.state(taken)["text"] == "mine"
    assert backend.state(backend.state(REPORT)["incident"])["status"] == "reported"


@pytest.mark.parametrize("kind", [INCIDENT, TASK])
def test_every_act_is_from_and_to_states_that_exist(kind):
    for name, act in acts_of(kind).items():
        assert isinstance(act, Act)
        assert act.from_states <= RANKS[kind].keys(), name
        assert act.claims is None or act.claims in RANKS[kind]


def test_of_a_kind_nobody_declared_only_contested_values_can_be_settled():
    assert acts_of("unheard of").keys() == {RESOLVE}
