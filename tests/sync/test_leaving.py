"""What leaves the phones by date: what is over, with what belongs to it, not the registry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.kinds import KINDS
from sync.leaving import (
    DATED,
    FOLLOWING,
    in_feeds,
    is_over,
    may_have_left,
    over_since,
    stays_hidden,
)
from sync.outcome import Outcome
from sync.replica import is_past
from tests.sync.backend import DWELLING, END, HOUR, HOUSEHOLD, START, uid
from tests.sync.casework import TASK_ID

VISIT, NOTICE, AREA = uid("visit"), uid("notice"), uid("area of the notice")


def test_the_registry_never_leaves_and_everything_else_does_or_follows():
    registry = {"grid", "class", "dwelling", "household", "resident"}
    assert KINDS.keys() - registry == DATED | FOLLOWING


def test_a_visit_is_over_when_it_was_made(backend, anna):
    made = {"household": HOUSEHOLD, "outcome": "done"}
    backend.do(anna, VISIT, "visit", set=made, at_ms=START + HOUR)
    visit = backend.record(VISIT)
    assert over_since(visit) == START + HOUR
    assert may_have_left(visit)
    assert [is_over(visit, START + HOUR + more) for more in (-1, 0)] == [False, True]
    assert stays_hidden(visit, START + 9 * HOUR)
    for each in (HOUSEHOLD, DWELLING):
        assert over_since(backend.record(each)) is None
        assert not may_have_left(backend.record(each))


def test_casework_is_over_in_its_last_states_and_not_when_it_is_opened_anew(dispatched):
    backend, incident = dispatched.backend, dispatched.incident
    assert over_since(backend.record(incident)) is None
    assert not stays_hidden(backend.record(TASK_ID), END)
    assert dispatched.decide("close", text="nothing there").outcome is Outcome.APPLIED
    for each in (incident, TASK_ID):
        assert over_since(backend.record(each)) == backend.record(each).status.at_ms
        assert stays_hidden(backend.record(each), END)
    assert dispatched.decide("reopen", text="again").outcome is Outcome.APPLIED
    assert over_since(backend.record(incident)) is None
    assert not stays_hidden(backend.record(incident), END)
    assert may_have_left(backend.record(TASK_ID))


def test_a_claim_has_no_moment_of_its_own_and_follows(dispatched):
    dispatched.claim(dispatched.worker, "start", 3)
    claim = next(each for each in dispatched.backend.records().values() if each.kind == "claim")
    assert over_since(claim) is None
    assert may_have_left(claim)
    assert stays_hidden(claim, START)


@given(until_ms=st.integers(0, 10**13), now_ms=st.integers(0, 10**13))
def test_a_phone_and_the_server_agree_on_the_date_of_an_announcement(until_ms, now_ms):
    assert is_past("announcement", {"valid_until_ms": until_ms}, now_ms) == (until_ms <= now_ms)
    assert not is_past("announcement", {}, now_ms)
    assert not is_past("note", {"valid_until_ms": until_ms}, now_ms)


def test_an_announcement_is_over_at_its_date_and_not_if_that_is_moved(backend, office):
    said = {"area": AREA, "title": "Water off", "text": "!", "valid_until_ms": START + HOUR}
    backend.do(office, NOTICE, "announcement", set=said)
    assert over_since(backend.record(NOTICE)) == START + HOUR
    assert stays_hidden(backend.record(NOTICE), START + HOUR)
    backend.do(office, NOTICE, "announcement", set={"valid_until_ms": START + 3 * HOUR})
    assert not stays_hidden(backend.record(NOTICE), START + HOUR)


@pytest.mark.parametrize("act", ["archive", "erase"])
def test_what_was_put_away_or_erased_did_not_leave_by_date(backend, office, act):
    assert in_feeds(backend.record(HOUSEHOLD))
    args = {"text": "pulled down"} if act == "archive" else {"reason": "person_asked"}
    backend.do(office, HOUSEHOLD, "household", act=act, args=args)
    assert not in_feeds(backend.record(HOUSEHOLD))
