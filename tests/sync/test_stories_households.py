"""What happens to households edited by people who were offline: the domain's stories."""

import pytest

from sync.known import Located
from sync.outcome import Code, Outcome
from sync.state import open_conflicts
from tests.sync.backend import (
    DWELLING,
    GRID,
    HOUR,
    HOUSEHOLD,
    START,
    Device,
    outcomes,
    uid,
)

INCIDENT, TASK = uid("story incident"), uid("story task")
HERE = Located(grid=GRID, lon_e7=1, lat_e7=2, certain=True)


def clock(hours: int, minutes: int = 0) -> int:
    return START + hours * HOUR + minutes * HOUR // 60


def test_an_update_before_its_creation_waits_for_it(backend, anna):
    """Story 5."""
    home = uid("new home")
    made = anna.mutation(home, "household", set={"dwelling": DWELLING})
    edit = anna.mutation(home, "household", set={"door": "2"})
    assert backend.push(anna, edit).answers[0].outcome is Outcome.RETRY
    assert outcomes(backend.push(anna, made, edit)) == [Outcome.APPLIED] * 2


def test_moved_out_and_a_new_phone_number_both_apply(backend, anna, bo):
    """Story 18."""
    moved = anna.mutation(HOUSEHOLD, "household", base=1, set={"status": "moved_out"})
    called = bo.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": "2"})
    assert outcomes(backend.push(bo, called)) == [Outcome.APPLIED]
    assert outcomes(backend.push(anna, moved)) == [Outcome.MERGED]
    state = backend.state(HOUSEHOLD)
    assert (state["status"], state["contact_phone"]) == ("moved_out", "2")
    assert "conflicts" not in state


def test_two_values_for_one_field_wait_for_a_person(backend, anna, bo, office):
    """Story 19, and resolving: the choice is shown, the conflict is over, history stays."""
    first = anna.mutation(
        HOUSEHOLD, "household", base=1, set={"status": "vacant"}, at_ms=clock(1)
    )
    second = bo.mutation(
        HOUSEHOLD, "household", base=1, set={"status": "moved_out"}, at_ms=clock(2)
    )
    backend.push(bo, second)
    plan = backend.push(anna, first)
    assert plan.answers[0].outcome is Outcome.CONFLICT
    assert plan.answers[0].code is Code.VALUES_DIFFER
    assert plan.answers[0].field == "status"
    state = backend.state(HOUSEHOLD)
    assert state["status"] == "vacant"
    assert state["conflicts"] == ["status"]
    (conflict,) = open_conflicts(backend.record(HOUSEHOLD))
    assert [each.value for each in conflict.values] == ["vacant", "moved_out"]
    choose = {"field": "status", "value": "moved_out"}
    resolved = backend.do(office, HOUSEHOLD, "household", act="resolve", args=choose)
    assert resolved.outcome is Outcome.APPLIED
    assert backend.state(HOUSEHOLD)["status"] == "moved_out"
    assert not open_conflicts(backend.record(HOUSEHOLD))
    assert len([each for each in backend.history if each.mutation.record == HOUSEHOLD]) == 4
    again = backend.do(office, HOUSEHOLD, "household", act="resolve", args=choose)
    assert again.outcome is Outcome.UNCHANGED
    other = backend.do(
        office,
        HOUSEHOLD,
        "household",
        act="resolve",
        args={"field": "status", "value": "active"},
    )
    assert (other.outcome, other.code) == (Outcome.RECORDED, Code.WRONG_STATE)


def test_resolving_to_the_value_that_is_shown_closes_the_conflict(backend, anna, bo, office):
    for device, value in ((anna, "2"), (bo, "3")):
        edit = device.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": value})
        backend.push(device, edit)
    live = backend.state(HOUSEHOLD)["contact_phone"]
    args = {"field": "contact_phone", "value": live}
    assert backend.do(office, HOUSEHOLD, "household", act="resolve", args=args).outcome is (
        Outcome.APPLIED
    )
    assert "conflicts" not in backend.state(HOUSEHOLD)


def test_a_conflict_somebody_did_not_see_stays_open_after_an_edit(backend, anna, bo):
    for device, value in ((anna, "2"), (bo, "3")):
        edit = device.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": value})
        backend.push(device, edit)
    chen = Device("chen")
    answer = backend.do(chen, HOUSEHOLD, "household", set={"contact_phone": "4"})
    assert answer.outcome is Outcome.CONFLICT
    (conflict,) = open_conflicts(backend.record(HOUSEHOLD))
    assert conflict.live == "4"
    assert len({each.value for each in conflict.values}) == 2


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"field": "nothing", "value": 1}, Code.UNKNOWN_FIELD),
        ({"field": "status", "value": "flying"}, Code.BAD_VALUE),
        ({"field": "dwelling", "value": None}, Code.BAD_VALUE),
    ],
)
def test_a_resolution_must_name_a_field_and_a_value_it_may_hold(backend, office, args, code):
    answer = backend.do(office, HOUSEHOLD, "household", act="resolve", args=args)
    assert (answer.outcome, answer.code) == (Outcome.INVALID, code)


def test_clearing_a_field_that_was_never_set_is_nothing_to_resolve(backend, office):
    args = {"field": "door", "value": None}
    answer = backend.do(office, HOUSEHOLD, "household", act="resolve", args=args)
    assert answer.outcome is Outcome.UNCHANGED


def test_a_household_made_offline_with_its_visit_and_a_report_lands_in_one_batch(backend, anna):
    """Story 21."""
    home, visit, note = uid("new home"), uid("visit"), uid("note")
    plan = backend.push(
        anna,
        anna.mutation(home, "household", set={"dwelling": DWELLING}, at_ms=clock(1)),
        anna.mutation(
            visit, "visit", set={"household": home, "outcome": "done"}, at_ms=clock(2)
        ),
        anna.mutation(note, "note", set={"parent": visit, "text": "kind"}, at_ms=clock(3)),
    )
    assert outcomes(plan) == [Outcome.APPLIED] * 3
    assert backend.state(visit) == {
        "household": home,
        "grid": GRID,
        "outcome": "done",
        "visited_at_ms": clock(2),
        "visitor": anna.account,
    }
    assert backend.state(note)["author"] == anna.account
    assert backend.state(note)["written_at_ms"] == clock(3)
    assert {backend.record(each).bucket for each in (home, visit, note)} == {f"grid:{GRID}"}


def test_when_a_household_cannot_be_made_its_visit_waits_for_a_person(backend, anna):
    """Story 21, the failure."""
    home = uid("new home")
    plan = backend.push(
        anna,
        anna.mutation(home, "household", set={"dwelling": uid("no dwelling")}),
        anna.mutation(uid("visit"), "visit", set={"household": home, "outcome": "done"}),
    )
    assert [each.code for each in plan.answers] == [Code.UNKNOWN_PARENT] * 2
    assert [each.field for each in plan.answers] == ["dwelling", "household"]
    assert outcomes(plan) == [Outcome.HELD] * 2


def test_a_parent_of_another_kind_is_unknown(backend, anna):
    answer = backend.do(anna, uid("home"), "household", set={"dwelling": HOUSEHOLD})
    assert (answer.outcome, answer.code) == (Outcome.HELD, Code.UNKNOWN_PARENT)


def test_a_chain_of_own_edits_applies_without_a_mark(backend, anna):
    """Scenarios 1, 4 and 10."""
    chain = [
        anna.mutation(HOUSEHOLD, "household", base=1, set={"door": each}) for each in "abc"
    ]
    plan = backend.push(anna, *chain)
    assert outcomes(plan) == [Outcome.APPLIED] * 3
    assert [each.rev for each in plan.answers] == [2, 3, 4]
    assert "conflicts" not in backend.state(HOUSEHOLD)


def test_an_edit_of_somebody_else_between_marks_the_rest_as_merged(backend, anna, bo):
    """Scenarios 2, 3 and 8."""
    chain = [
        anna.mutation(HOUSEHOLD, "household", base=1, set={"door": each}) for each in "abc"
    ]
    backend.push(anna, *chain[:2])
    backend.do(bo, HOUSEHOLD, "household", set={"contact_phone": "5"})
    assert outcomes(backend.push(anna, chain[2])) == [Outcome.MERGED]
    chen = Device("chen")
    stale = [
        chen.mutation(HOUSEHOLD, "household", base=3, set={"size_band": each})
        for each in ("1", "2")
    ]
    assert outcomes(backend.push(chen, *stale)) == [Outcome.MERGED] * 2


def test_a_resolved_conflict_stays_resolved_until_a_new_blind_edit(backend, anna, bo, office):
    """Scenarios 9, 24 and 25."""
    edits = [
        device.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": value})
        for device, value in ((anna, "2"), (bo, "3"))
    ]
    backend.push(anna, edits[0])
    backend.push(bo, edits[1])
    args = {"field": "contact_phone", "value": "2"}
    backend.do(office, HOUSEHOLD, "household", act="resolve", args=args)
    assert backend.push(bo, edits[1]).answers[0].replayed
    assert not open_conflicts(backend.record(HOUSEHOLD))
    blind = Device("chen").mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": "9"})
    plan = backend.push(Device("chen"), blind)
    assert plan.answers[0].outcome is Outcome.CONFLICT


def test_creating_what_exists_shows_where_the_two_differ(backend, anna, bo):
    """Scenario 11."""
    home = uid("home")
    made = {"dwelling": DWELLING, "door": "1"}
    backend.do(anna, home, "household", set={**made, "contact_phone": "1"}, base=0)
    second = backend.do(bo, home, "household", set={**made, "contact_phone": "2"}, base=0)
    assert (second.outcome, second.field) == (Outcome.CONFLICT, "contact_phone")
    assert backend.state(home)["conflicts"] == ["contact_phone"]


def test_saying_what_was_seen_changes_nothing_even_beside_another_edit(backend, anna, bo):
    same = anna.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": "1"})
    backend.do(bo, HOUSEHOLD, "household", set={"contact_phone": "2"})
    plan = backend.push(anna, same)
    assert plan.answers[0].outcome is Outcome.UNCHANGED
    assert plan.answers[0].rev == 2
    assert not plan.writes
    assert backend.state(HOUSEHOLD)["contact_phone"] == "2"


def test_the_same_new_value_from_two_is_unchanged_for_the_second(backend, anna, bo):
    said = {
        "set": {"contact_phone": "2"},
        "add": {"languages": ("yue",)},
        "remove": {"languages": ("cmn",)},
    }
    edits = [device.mutation(HOUSEHOLD, "household", base=1, **said) for device in (anna, bo)]
    assert outcomes(backend.push(anna, edits[0])) == [Outcome.APPLIED]
    assert outcomes(backend.push(bo, edits[1])) == [Outcome.UNCHANGED]
    assert backend.state(HOUSEHOLD)["languages"] == ["yue"]


def test_an_edit_that_ends_a_difference_is_a_change(backend, anna, bo):
    for device, value in ((anna, "2"), (bo, "3")):
        edit = device.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": value})
        backend.push(device, edit)
    agreed = anna.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": "3"})
    plan = backend.push(anna, agreed)
    assert plan.answers[0].outcome is Outcome.MERGED
    assert "conflicts" not in backend.state(HOUSEHOLD)


def test_what_is_missing_or_in_the_future_waits_for_a_person(backend, anna):
    for record, kind, rest, code in (
        (HOUSEHOLD, "household", {"base": 9, "set": {"door": "a"}}, Code.BASE_FROM_FUTURE),
        (uid("?"), "household", {"base": 3, "set": {"door": "a"}}, Code.UNKNOWN_RECORD),
        (uid("?"), "task", {"base": 0, "act": "finish"}, Code.UNKNOWN_RECORD),
    ):
        answer = backend.do(anna, record, kind, **rest)
        assert (answer.outcome, answer.code) == (Outcome.HELD, code)
