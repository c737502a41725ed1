"""Put away and brought back: a value like any other, which edits do not touch."""

import pytest

from sync.outcome import Code, Outcome
from sync.state import is_archived, open_conflicts
from tests.sync.backend import DWELLING, GRID, HOUR, HOUSEHOLD, START, Device, uid, view

WHY = {"text": "pulled down"}


def archive(backend, office, record=HOUSEHOLD, kind="household", act="archive", **rest):
    return backend.do(office, record, kind, act=act, args=WHY, **rest)


def test_an_edit_and_an_archive_end_the_same_whichever_comes_first(backend, anna, office):
    edit = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "7"})
    away = office.mutation(HOUSEHOLD, "household", base=1, act="archive", args=WHY)
    other = backend.copy()
    backend.push(anna, edit)
    backend.push(office, away)
    other.push(office, away)
    told = other.push(anna, edit).answers[0]
    assert view(backend.records()) == view(other.records())
    assert (told.outcome, told.code) == (Outcome.MERGED, Code.ARCHIVED)
    record = other.record(HOUSEHOLD)
    assert is_archived(record)
    assert other.state(HOUSEHOLD)["door"] == "7"


def test_phones_never_see_the_value_itself(backend, office):
    archive(backend, office)
    assert "archived" not in backend.state(HOUSEHOLD)


def test_restoring_shows_what_arrived_meanwhile(backend, anna, office):
    archive(backend, office)
    backend.do(anna, HOUSEHOLD, "household", base=1, set={"door": "7"})
    backend.do(anna, uid("v"), "visit", set={"household": HOUSEHOLD, "outcome": "moved"})
    assert is_archived(backend.record(HOUSEHOLD))
    assert archive(backend, office, act="restore").outcome is Outcome.APPLIED
    assert not is_archived(backend.record(HOUSEHOLD))
    assert backend.state(HOUSEHOLD)["door"] == "7"


def test_twice_is_once_and_the_reason_is_kept(backend, office):
    assert archive(backend, office).outcome is Outcome.APPLIED
    assert archive(backend, office).outcome is Outcome.UNCHANGED
    claims = [each for each in backend.records().values() if each.kind == "claim"]
    assert [each.fields["result"].heads[0].value for each in claims] == ["pulled down"]


def test_two_offices_that_have_not_seen_each_other_disagree_in_the_open(backend, office):
    archive(backend, office, at_ms=START + HOUR)
    archive(backend, office, act="restore", at_ms=START + 2 * HOUR)
    other = Device("another office", console=True)
    answer = archive(backend, other, base=2, at_ms=START + 3 * HOUR)
    assert answer.outcome is Outcome.UNCHANGED
    answer = archive(backend, other, base=1, at_ms=START + 3 * HOUR)
    assert (answer.outcome, answer.field) == (Outcome.CONFLICT, "archived")
    (found,) = open_conflicts(backend.record(HOUSEHOLD))
    settled = backend.do(
        office, HOUSEHOLD, "household", act="resolve", args={"field": "archived", "value": None}
    )
    assert found.field == "archived"
    assert settled.outcome is Outcome.APPLIED
    assert not is_archived(backend.record(HOUSEHOLD))


def test_work_in_progress_is_not_put_away(dispatched):
    case = dispatched
    answer = archive(case.backend, case.office, case.incident, "incident")
    assert (answer.outcome, answer.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    case.decide("void", text="by mistake")
    assert archive(case.backend, case.office, case.incident, "incident").outcome is (
        Outcome.APPLIED
    )


@pytest.mark.parametrize(("record", "kind"), [(GRID, "grid"), (uid("c"), "claim")])
def test_some_kinds_are_not_put_away(backend, office, record, kind):
    assert archive(backend, office, record, kind).code is Code.UNKNOWN_ACT


def test_putting_away_needs_a_reason_and_an_office(backend, anna, office):
    bare = backend.do(office, HOUSEHOLD, "household", act="archive", args={})
    assert (bare.code, bare.field) == (Code.MISSING_FIELD, "text")
    assert archive(backend, anna).code is Code.NOT_ALLOWED


def test_what_belongs_to_it_stays(backend, office):
    archive(backend, office, DWELLING, "dwelling")
    assert not is_archived(backend.record(HOUSEHOLD))
