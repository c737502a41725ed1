"""Work that was done where nobody could hear of it: who did it, when, and does it count."""

import pytest

from clients.console import Refused
from tests.journeys.day import HOUR_MS, MINUTE_MS, Day, about, became, refusal, report

pytestmark = pytest.mark.db


def test_work_done_before_it_was_reassigned_is_credited_to_who_did_it(day: Day) -> None:
    """Story 6: done by A at 10:40, reassigned at 11:00, B not started: A's, handled at
    10:40.
    """
    case = day.case()
    ann, bob = day.phone("ann"), day.phone("bob")
    day.at(10, 40)
    ann.act(case.task, "finish", {"result": "Pipe replaced"})
    day.at(11)
    case.reassign("bob")
    assert bob.sync().up_to_date
    assert bob.shown(case.task).state["status"] == "assigned"
    day.at(14)
    assert ann.sync().up_to_date
    assert became(ann) == [("merged", None)]
    incident = case.incident
    assert (incident["state"], incident["state_at_ms"]) == (
        "handled",
        about(day.ms(10, 40)),
    )
    assert (case.work["state"], case.work["result"]) == ("done", "Pipe replaced")
    assert case.told("finish") == [("ann", True)]
    assert bob.sync().up_to_date
    assert bob.shown(case.task).state["status"] == "done"


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_when_two_worked_the_first_completion_counts_and_the_other_is_kept(
    day: Day, first: str
) -> None:
    """Story 7: handled at the first true completion, B's work kept, no rework counted."""
    case = day.case()
    phones = {"ann": day.phone("ann")}
    day.at(10, 40)
    phones["ann"].act(case.task, "finish", {"result": "Pipe replaced"})
    day.at(11)
    case.reassign("bob")
    phones["bob"] = day.phone("bob")
    day.at(12)
    phones["bob"].act(case.task, "start")
    day.at(13)
    phones["bob"].act(case.task, "finish", {"result": "Found it dry"})
    day.at(14)
    for login in sorted(phones, key=lambda each: each != first):
        assert phones[login].sync().up_to_date
    incident = case.incident
    assert (incident["state"], incident["rework"]) == ("handled", 0)
    assert incident["state_at_ms"] == about(day.ms(10, 40))
    assert case.told("finish") == [("ann", True), ("bob", False)]
    assert case.times("finish") == [about(day.ms(10, 40)), about(day.ms(13))]
    texts = {each["text"] for each in incident["timeline"] if each["act"] == "finish"}
    assert texts == {"Pipe replaced", "Found it dry"}
    assert case.work["result"] == "Pipe replaced"


def test_work_done_on_a_case_that_was_voided_is_kept_and_the_case_stays_voided(
    day: Day,
) -> None:
    """Story 8: stays voided; A's facts are recorded only, and the office sees them."""
    case = day.case()
    ann = day.phone("ann")
    day.at(9)
    case.decide("void", {"text": "A prank call"})
    day.at(10, 40)
    ann.act(case.task, "finish", {"result": "Pipe replaced"})
    day.at(14)
    assert ann.sync().up_to_date
    assert became(ann) == [("recorded", "terminal")]
    assert case.incident["state"] == "voided"
    assert case.told("finish") == [("ann", False)]
    assert case.times("finish") == [about(day.ms(10, 40))]


def test_work_done_after_a_citizen_closed_the_case_adds_evidence_only(day: Day) -> None:
    """Story 9: supplementary evidence; the state does not change and nothing counts twice."""
    case = day.case()
    ann = day.phone("ann")
    day.at(9)
    closed = case.decide("close", {"text": "The neighbours repaired it"})
    day.at(10)
    ann.act(case.task, "finish", {"result": "Checked, it is dry"})
    assert ann.sync().up_to_date
    assert became(ann) == [("recorded", "terminal")]
    incident = case.incident
    assert (incident["state"], incident["state_at_ms"]) == ("closed", closed["state_at_ms"])
    assert case.told("finish") == [("ann", False)]
    assert case.work["state"] == "withdrawn"


def test_a_double_tap_on_complete_counts_once(day: Day) -> None:
    """Story 10: two claims within two seconds: the first applies, the second is recorded."""
    case = day.case()
    ann = day.phone("ann")
    day.at(9)
    ann.act(case.task, "finish", {"result": "Done"})
    day.at(9, 2 / 60)
    ann.act(case.task, "finish", {"result": "Done"})
    assert ann.sync().up_to_date
    assert became(ann) == [("applied", None), ("recorded", "already-claimed")]
    assert case.told("finish") == [("ann", True), ("ann", False)]
    assert case.incident["state_at_ms"] == about(day.ms(9))


@pytest.mark.parametrize("minutes", [-30, 30])
def test_late_is_when_it_was_done_not_when_it_was_handed_in(day: Day, minutes: int) -> None:
    """Stories 11 and 12: due 12:00, in at 18:00; done 11:30 is on time, 12:30 is 30' late."""
    case = day.case(due_h=12)
    ann = day.phone("ann")
    day.at(12, minutes)
    ann.act(case.task, "finish", {"result": "Done"})
    day.at(18)
    assert ann.sync().up_to_date
    work = case.work
    late_ms = work["state_at_ms"] - work["due_at_ms"]
    assert late_ms == about(minutes * MINUTE_MS)
    (finished,) = [each for each in case.incident["timeline"] if each["act"] == "finish"]
    assert finished["quality"] == "exact"


def test_a_priority_that_is_raised_during_an_offline_start_stands_beside_it(day: Day) -> None:
    """Story 39: D raises the priority while A starts offline: different fields, both apply."""
    case = day.case()
    ann = day.phone("ann")
    day.at(9)
    ann.act(case.task, "start")
    day.at(10)
    console = day.console("dispatcher")
    console.patch(case.path, {"priority": "high"}, rev=case.incident["rev"])
    day.at(11)
    assert ann.sync().up_to_date
    assert became(ann)[0][0] in {"applied", "merged"}
    incident = case.incident
    assert (incident["priority"], incident["state"]) == ("high", "in_progress")
    assert case.times("start") == [about(day.ms(9))]


def test_what_was_asked_before_it_was_due_keeps_the_time_of_asking(day: Day) -> None:
    """Story 40: an extension asked for at 11:30, due 12:00, handed in 15:00: asked in time."""
    case = day.case(due_h=12)
    ann, bob = day.phone("ann"), day.phone("bob")
    day.at(11, 30)
    asked = ann.create("note", set={"parent": case.task, "text": "Needs a part: one more day"})
    day.at(15)
    assert ann.sync().up_to_date
    assert bob.sync().up_to_date
    note, work = bob.shown(asked).state, case.work
    assert note["written_at_ms"] == about(day.ms(11, 30))
    assert note["written_at_ms"] < work["due_at_ms"]


def test_a_complaint_after_a_pass_reopens_once_and_both_stay_visible(day: Day) -> None:
    """Story 41: passed 15:00, complaint 15:30: reopened after closing, both are in the
    history.
    """
    case = day.case()
    ann = day.phone("ann")
    day.at(11)
    ann.act(case.task, "finish", {"result": "Done"})
    assert ann.sync().up_to_date
    day.at(15)
    case.decide("verify", {"result": "pass"})
    case.decide("close")
    day.at(15, 30)
    said = {"class": "0402", "channel": "public", "text": "It still leaks"}
    complaint = day.console("dispatcher").post(
        "/v1/reports", {**said, "incident": case.path.rsplit("/", 1)[1]}
    )
    assert case.incident["state"] == "closed"
    case.decide("reopen", {"text": "It still leaks"})
    with pytest.raises(Refused) as twice:
        case.decide("reopen", {"text": "It still leaks"})
    assert refusal(twice) == (409, "transition-refused")
    incident = case.incident
    assert (incident["state"], incident["epoch"]) == ("registered", 2)
    assert complaint["id"] in {each["id"] for each in incident["reports"]}
    assert case.times("verify") == [about(day.ms(15))]
    assert case.times("reopen") == [about(day.ms(15, 30))]


def test_an_urgent_report_is_with_the_office_before_any_photo_of_it(day: Day) -> None:
    """Story 42: what is dangerous does not wait behind the photos, and keeps its true time."""
    ann = day.phone("ann")
    day.at(9)
    photos = [ann.keep_photo(bytes([n]) * 50_000, "image/jpeg") for n in range(5)]
    smell = report(ann, text="Smell of gas in the stairwell")
    ann.create("note", set={"parent": smell, "text": "Door 4 is open"})
    day.at(9, 20)
    assert ann.sync().up_to_date
    assert len(ann.kept_photos()) == len(photos)
    seen = day.read(f"/v1/reports/{smell}")
    assert (seen["text"], seen["observed_at_ms"]) == (
        "Smell of gas in the stairwell",
        about(day.ms(9)),
    )
    incident = f"/v1/incidents/{seen['incident']}"
    rev = day.read(incident)["rev"]
    raised = day.console("dispatcher").patch(incident, {"priority": "emergency"}, rev=rev)
    assert raised["priority"] == "emergency"
    assert ann.sync().up_to_date
    assert ann.shown(seen["incident"]).state["priority"] == "emergency"


def test_of_two_dispatchers_the_second_is_told_and_nothing_is_overwritten(day: Day) -> None:
    """Story 43: both assign at once: the second is refused (412) and reads what holds now."""
    case = day.case("cat", grid=2)
    path, seen = f"/v1/tasks/{case.task}", case.work["rev"]
    street, community = day.console("dispatcher"), day.console("dispatcher-n2")
    order = {"assignee": "cat"}
    street.post(f"{path}/assign", {**order, "instruction": "Close the valve"}, rev=seen)
    with pytest.raises(Refused) as late:
        community.post(f"{path}/assign", {**order, "instruction": "Only look"}, rev=seen)
    assert refusal(late) == (412, "precondition-failed")
    now = community.get(path)
    assert (now["instruction"], now["rev"]) == ("Close the valve", seen + 1)
    community.post(f"{path}/assign", {**order, "instruction": "Both"}, rev=now["rev"])
    assert case.work["instruction"] == "Both"


def test_a_check_in_on_site_without_network_counts_at_its_true_time(day: Day) -> None:
    """Story 44: on site at 9:10, network at 11:00: the answer time is that of the check-in."""
    case = day.case()
    ann = day.phone("ann")
    day.at(9, 10)
    ann.act(case.task, "start", {"result": "On site"})
    day.at(11)
    assert ann.sync().up_to_date
    assert case.told("start") == [("ann", True)]
    answered_ms = case.times("start")[0] - case.incident["created_ms"]
    assert answered_ms == about(HOUR_MS + 10 * MINUTE_MS)
    assert case.work["state_at_ms"] == case.times("start")[0]
