"""Merging two records: what is refused, erasing, and two incidents that are one."""

import pytest

from sync.lifecycle import MERGE
from sync.outcome import Code, Outcome
from sync.references import references
from sync.state import is_tombstone, merged_into
from tests.sync.backend import (
    DWELLING,
    HOUR,
    HOUSEHOLD,
    START,
    at,
    uid,
)
from tests.sync.casework import HERE
from tests.sync.twins import THIRD, TWIN, WHY, merge, twin


@pytest.mark.parametrize(
    ("into", "outcome", "code"),
    [
        (TWIN, Outcome.INVALID, Code.BAD_VALUE),
        (DWELLING, Outcome.INVALID, Code.KIND_MISMATCH),
        (uid("nobody"), Outcome.HELD, Code.UNKNOWN_PARENT),
    ],
)
def test_what_a_record_cannot_be_merged_into(backend, anna, office, into, outcome, code):
    twin(backend, anna)
    answer = merge(backend, office, TWIN, into)
    assert (answer.outcome, answer.code, answer.field) == (outcome, code, "into")
    assert merged_into(backend.record(TWIN)) is None


def test_merging_makes_no_circle(backend, anna, office):
    twin(backend, anna)
    merge(backend, office, TWIN, HOUSEHOLD)
    back = merge(backend, office, HOUSEHOLD, TWIN)
    assert (back.outcome, back.code, back.field) == (
        Outcome.INVALID,
        Code.BAD_VALUE,
        "into",
    )


def test_merging_into_what_was_erased_or_put_away_is_refused(backend, anna, office):
    twin(backend, anna)
    twin(backend, anna, THIRD)
    backend.do(office, HOUSEHOLD, "household", act="archive", args=WHY)
    away = merge(backend, office, TWIN, HOUSEHOLD)
    assert (away.outcome, away.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    backend.do(office, THIRD, "household", act="erase", args={"reason": "law"})
    erased = merge(backend, office, TWIN, THIRD)
    assert (erased.outcome, erased.code) == (Outcome.RECORDED, Code.ERASED)


def test_merging_again_changes_nothing_and_no_other_decision_is_taken(backend, anna, office):
    twin(backend, anna)
    twin(backend, anna, THIRD)
    merge(backend, office, TWIN, HOUSEHOLD)
    before = dict(backend.stored)
    again = merge(backend, office, TWIN, HOUSEHOLD)
    assert (again.outcome, again.ended_at) == (Outcome.UNCHANGED, HOUSEHOLD)
    for act, args in (
        (MERGE, {"into": THIRD, **WHY}),
        (MERGE, {"into": uid("nobody"), **WHY}),
        ("archive", WHY),
        ("restore", WHY),
        ("resolve", {"field": "door", "value": "1"}),
    ):
        answer = backend.do(office, TWIN, "household", act=act, args=args)
        assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.RECORD_MERGED)
    assert backend.stored == before


def test_a_phone_does_not_merge(backend, anna):
    twin(backend, anna)
    answer = merge(backend, anna, TWIN, HOUSEHOLD)
    assert (answer.outcome, answer.code) == (Outcome.INVALID, Code.NOT_ALLOWED)


@pytest.mark.parametrize("asked", [TWIN, HOUSEHOLD])
def test_erasing_either_of_two_that_are_one_erases_both(backend, anna, office, asked):
    twin(backend, anna, contact_phone="2")
    wu = uid("wu")
    backend.do(anna, wu, "resident", set={"household": TWIN, "name": "Wu"})
    merge(backend, office, TWIN, HOUSEHOLD)
    answer = backend.do(office, asked, "household", act="erase", args={"reason": "law"})
    assert answer.outcome is Outcome.APPLIED
    assert answer.ended_at == (HOUSEHOLD if asked == TWIN else None)
    assert all(is_tombstone(backend.record(each)) for each in (TWIN, HOUSEHOLD, wu))
    assert merged_into(backend.record(TWIN)) == HOUSEHOLD
    late = backend.do(anna, TWIN, "household", set={"door": "7"})
    assert (late.outcome, late.code) == (Outcome.RECORDED, Code.ERASED)
    visit = backend.do(anna, uid("v"), "visit", set={"household": TWIN, "outcome": "done"})
    assert (visit.outcome, visit.code) == (Outcome.RECORDED, Code.ERASED)


def report(case, name, *, hours, incident=None):
    values = {"class": "leak", "text": name}
    if incident is not None:
        values["incident"] = incident
    case.backend.do(
        case.worker,
        uid(name),
        "report",
        set=values,
        position=at(),
        located=HERE,
        at_ms=START + hours * HOUR,
        received_ms=START + 100 * HOUR,
    )
    return case.backend.state(uid(name))["incident"]


def test_a_duplicate_incident_hands_its_reports_over_and_the_earliest_time_is_kept(case):
    backend, office = case.backend, case.office
    twin_incident = report(case, "second", hours=30)
    merge(backend, office, case.incident, twin_incident, "incident")
    assert backend.state(case.incident)["status"] == "merged"
    state = backend.state(twin_incident)
    assert (state["status"], state["observed_at_ms"]) == ("reported", START + HOUR)
    late = report(case, "late", hours=40, incident=case.incident)
    assert late == twin_incident
    reports = [each for each in backend.records().values() if each.kind == "report"]
    assert {backend.state(each.id)["incident"] for each in reports} == {twin_incident}
    third = report(case, "third", hours=50)
    merge(backend, office, third, twin_incident, "incident")
    assert backend.state(twin_incident)["observed_at_ms"] == START + HOUR


def test_an_incident_that_is_worked_on_is_not_merged_and_none_into_one_that_is_over(
    dispatched,
):
    backend, office = dispatched.backend, dispatched.office
    other = report(dispatched, "second", hours=30)
    worked_on = merge(backend, office, dispatched.incident, other, "incident")
    assert (worked_on.outcome, worked_on.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    backend.do(office, other, "incident", act="reject")
    third = report(dispatched, "third", hours=31)
    over = merge(backend, office, third, other, "incident")
    assert (over.outcome, over.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    merge(backend, office, third, dispatched.incident, "incident")
    again = backend.do(office, third, "incident", act="reopen")
    assert (again.outcome, again.code) == (Outcome.RECORDED, Code.RECORD_MERGED)


def test_what_stands_for_a_merged_record_is_asked_for_and_nothing_else(backend, anna, office):
    twin(backend, anna)
    merge(backend, office, TWIN, HOUSEHOLD)
    visit = anna.mutation(uid("v"), "visit", set={"household": TWIN, "outcome": "done"})
    edit = anna.mutation(TWIN, "household", base=1, set={"door": "1"})
    back = office.mutation(THIRD, "household", act=MERGE, args={"into": TWIN, **WHY})
    for mutation in (visit, edit, back):
        known = {TWIN: backend.record(TWIN), mutation.record: backend.record(mutation.record)}
        known = {key: each for key, each in known.items() if each is not None}
        assert HOUSEHOLD not in references([mutation], {})
        assert HOUSEHOLD in references([mutation], known)
    alone = {HOUSEHOLD: backend.record(HOUSEHOLD)}
    plain = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"})
    assert references([plain], alone) == frozenset()
