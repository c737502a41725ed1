"""How requests about one's own data go on: pure rules."""

from hypothesis import given
from hypothesis import strategies as st

from server.privacy.catalogue import table_entries
from server.subjects.copying import PLACES, held_in
from server.subjects.rules import (
    DAY_MS,
    DEEDS,
    OPEN,
    Refused,
    due_at,
    is_overdue,
    may_answer,
    may_erase,
    may_lift,
    may_work,
    state_after,
)
from sync.fields import DataClass

STATES = ("received", "in_progress", "answered", "refused")
ACTS = ("begun", "answered", "refused", "copied", "anything")


@given(acts=st.lists(st.sampled_from(ACTS), max_size=12))
def test_a_request_is_closed_once_and_answered_only_after_it_was_begun(acts: list[str]) -> None:
    state, taken = "received", []
    for act in acts:
        after = state_after(state, act)
        if isinstance(after, Refused):
            assert after.code == "wrong-state"
            continue
        assert state in OPEN
        state = after
        taken.append(act)
    assert len(taken) <= 2
    assert sum(act in {"answered", "refused"} for act in taken) <= 1
    assert state != "answered" or taken[0] == "begun"
    assert state == "received" or taken


@given(
    state=st.sampled_from(STATES),
    received=st.integers(0, 2**45),
    days=st.integers(1, 365),
    later=st.integers(-(2**45), 2**45),
)
def test_only_what_is_open_is_overdue_and_only_after_its_days(
    state: str, received: int, days: int, later: int
) -> None:
    due = due_at(received, days)
    assert due - received == days * DAY_MS
    assert is_overdue(state, due, due + later) == (state in OPEN and later > 0)


@given(asked=st.sampled_from(sorted(DEEDS)), wanted=st.sampled_from(sorted(DEEDS)))
def test_work_is_done_for_what_was_asked_while_somebody_works_on_it(
    asked: str, wanted: str
) -> None:
    codes = {state: may_work(state, asked, wanted) for state in STATES}
    if asked != wanted:
        assert set(codes.values()) == {Refused(code="other-request")}
        return
    assert codes.pop("in_progress") is None
    assert set(codes.values()) == {Refused(code="wrong-state")}


@given(
    asked=st.sampled_from(sorted(DEEDS)),
    acts=st.frozensets(st.sampled_from([*ACTS, "counted", "corrected", "erased"])),
)
def test_nothing_is_called_answered_that_was_not_done(asked: str, acts: frozenset[str]) -> None:
    assert may_answer(asked, acts | DEEDS[asked]) is None
    assert may_answer(asked, acts - DEEDS[asked]) == Refused(code="nothing-done")


@given(rev=st.integers(1, 99), counted=st.none() | st.integers(1, 99))
def test_only_what_was_counted_as_it_stands_is_erased(rev: int, counted: int | None) -> None:
    assert (may_erase(counted, rev) is None) == (counted == rev)


@given(acts=st.lists(st.sampled_from(["begun", "restricted", "lifted", "answered"])))
def test_only_a_restriction_that_stands_is_lifted(acts: list[str]) -> None:
    said = [each for each in acts if each in {"restricted", "lifted"}]
    allowed = may_lift("restriction", acts) is None
    assert allowed == (said[-1:] == ["restricted"])
    assert may_lift("erasure", acts) == Refused(code="other-request")


def test_a_copy_says_of_every_table_with_personal_data_where_it_shows_it() -> None:
    personal = {
        each.place
        for each in table_entries()
        if each.holding is not None and each.holding.data_class is not DataClass.P0
    }
    assert set(PLACES) == personal
    assert [each["table"] for each in held_in()] == sorted(personal)
    assert all(each["purposes"] and each["retention"] for each in held_in())
