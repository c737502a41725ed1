"""One edit: which field is at fault, how set elements meet, and where the record goes."""

import pytest

from sync.ids import derived_id
from sync.outcome import Code, Outcome
from sync.state import is_erased, live_value
from tests.sync.backend import (
    ALWAYS,
    DWELLING,
    GRID,
    HOUSEHOLD,
    OTHER_GRID,
    Device,
    grid_fields,
    uid,
)

REPORT = uid("report")
NOWHERE = uid("nowhere")


def told(settled):
    return settled.outcome, settled.code, settled.field


def add(backend, device, element, **rest):
    return backend.do(
        device, HOUSEHOLD, "household", add={"languages": (element,)}, **rest
    ).outcome


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"set": {"contact_phone": "1"}}, Code.MISSING_FIELD, "dwelling"),
        ({"set": {"dwelling": DWELLING, "grid": GRID}}, Code.IMMUTABLE_FIELD, "grid"),
    ],
)
def test_a_new_household_that_may_not_be_is_told_why(backend, anna, said, code, field):
    answer = backend.do(anna, uid("home"), "household", **said)
    assert told(answer) == (Outcome.INVALID, code, field)


def test_a_new_household_outside_the_authors_grids_waits(backend, anna):
    backend.authority = {f"grid:{GRID}": ALWAYS}
    backend.do(Device("office", console=True), DWELLING, "dwelling", set={"grid": OTHER_GRID})
    answer = backend.do(anna, uid("home"), "household", set={"dwelling": DWELLING})
    assert told(answer) == (Outcome.HELD, Code.NOT_IN_SCOPE, None)


def test_a_field_that_may_not_change_is_named(backend, anna):
    answer = backend.do(anna, HOUSEHOLD, "household", set={"dwelling": uid("other")})
    assert told(answer) == (Outcome.INVALID, Code.IMMUTABLE_FIELD, "dwelling")


@pytest.mark.parametrize(
    ("args", "code", "field"),
    [
        ({"field": "unheard_of", "value": "1"}, Code.UNKNOWN_FIELD, "field"),
        ({"field": "door", "value": 1}, Code.BAD_VALUE, "value"),
        ({"field": "dwelling", "value": None}, Code.BAD_VALUE, "value"),
    ],
)
def test_a_resolution_that_may_not_be_is_told_which_argument_is_wrong(
    backend, office, args, code, field
):
    answer = backend.do(office, HOUSEHOLD, "household", act="resolve", args=args)
    assert told(answer) == (Outcome.INVALID, code, field)


def test_a_merged_edit_of_what_is_not_put_away_has_no_code(backend, anna, bo):
    backend.do(bo, HOUSEHOLD, "household", base=1, set={"door": "7"})
    answer = backend.do(anna, HOUSEHOLD, "household", base=1, set={"contact_phone": "2"})
    assert told(answer) == (Outcome.MERGED, None, None)


def test_an_element_that_is_there_is_not_added_again(backend, anna):
    assert add(backend, anna, "yue") is Outcome.APPLIED
    assert add(backend, anna, "yue") is Outcome.UNCHANGED


def test_elements_of_a_set_stay_when_another_is_added_or_removed(backend, anna):
    add(backend, anna, "yue")
    add(backend, anna, "cmn")
    assert backend.state(HOUSEHOLD)["languages"] == ["cmn", "yue"]
    backend.do(anna, HOUSEHOLD, "household", remove={"languages": ("cmn",)})
    assert backend.state(HOUSEHOLD)["languages"] == ["yue"]


def test_an_element_added_by_one_who_did_not_know_it_was_removed_is_there(
    backend, anna, bo, office
):
    add(backend, anna, "yue")
    seen = backend.record(HOUSEHOLD).rev
    backend.do(anna, HOUSEHOLD, "household", remove={"languages": ("yue",)})
    backend.do(bo, HOUSEHOLD, "household", base=1, add={"languages": ("yue",)})
    assert backend.state(HOUSEHOLD)["languages"] == ["yue"]
    gone = {"remove": {"languages": ("yue",)}, "base": seen}
    backend.do(office, HOUSEHOLD, "household", **gone)
    assert backend.state(HOUSEHOLD)["languages"] == ["yue"]


@pytest.mark.parametrize(
    "said", [{"set": {"contact_phone": "9"}}, {"add": {"languages": ("yue",)}}]
)
def test_what_several_say_without_seeing_each_other_shows_nothing_new(backend, said):
    devices = [Device(name) for name in ("anna", "bo", "chen", "dora")]
    found = [backend.do(each, HOUSEHOLD, "household", base=1, **said) for each in devices]
    assert [each.outcome for each in found] == [Outcome.APPLIED] + [Outcome.UNCHANGED] * 3


def test_a_record_moved_to_two_grids_at_once_lies_where_it_is_shown_to_lie(backend):
    third = uid("grid", 3)
    backend.do(Device("office", console=True), third, "grid", set=grid_fields())
    for name, grid in (("north office", OTHER_GRID), ("south office", third)):
        desk = Device(name, console=True)
        backend.do(desk, HOUSEHOLD, "household", base=1, set={"grid": grid})
    record = backend.record(HOUSEHOLD)
    assert len(record.fields["grid"].heads) == 2
    assert record.bucket == f"grid:{live_value(record, 'grid')}"


def test_a_record_whose_grid_is_cleared_stays_where_it_is(backend, office):
    answer = backend.do(office, HOUSEHOLD, "household", set={"grid": None})
    assert answer.outcome is Outcome.APPLIED
    assert backend.record(HOUSEHOLD).bucket == f"grid:{GRID}"


def test_a_fact_that_names_a_grid_nobody_knows_lies_with_its_author_in_no_grid(backend, anna):
    backend.do(anna, REPORT, "report", set={"class": "leak", "grid": NOWHERE})
    assert backend.record(REPORT).bucket == anna.author.home_bucket
    assert "grid" not in backend.state(REPORT)


def test_a_report_makes_its_incident_under_an_id_that_follows_from_its_own(backend, anna):
    backend.do(anna, REPORT, "report", set={"class": "leak"})
    assert backend.state(REPORT)["incident"] == derived_id(REPORT, "incident")


def test_what_is_put_away_or_brought_back_is_kept_as_an_act_that_counts(backend, office):
    backend.do(office, HOUSEHOLD, "household", act="archive", args={"text": "gone"})
    kept = backend.state(derived_id(office.id, office.n, "claim"))
    assert kept["counted"] is True
    assert (kept["act"], kept["result"]) == ("archive", "gone")


def test_of_a_visit_to_people_who_were_erased_stays_that_it_took_place(backend, anna, office):
    person, visit = uid("person"), uid("late visit")
    erase = {"act": "erase", "args": {"reason": "person_asked"}}
    backend.do(office, person, "household", **erase)
    assert live_value(backend.record(person), "erased") is True
    said = {"household": person, "outcome": "done", "grid": OTHER_GRID, "text": "!"}
    answer = backend.do(anna, visit, "visit", set=said)
    assert told(answer) == (Outcome.RECORDED, Code.ERASED, None)
    record = backend.record(visit)
    assert is_erased(record)
    assert live_value(record, "erased") is True
    assert record.bucket == office.author.home_bucket
    assert live_value(record, "outcome") == "done"
    assert live_value(record, "grid") is None
    assert live_value(record, "text") is None


def test_nothing_but_a_visit_begins_under_people_who_were_erased(backend, anna, office):
    erase = {"act": "erase", "args": {"reason": "person_asked"}}
    backend.do(office, HOUSEHOLD, "household", **erase)
    said = {"household": HOUSEHOLD, "name": "Wu"}
    answer = backend.do(anna, uid("person"), "resident", set=said)
    assert told(answer) == (Outcome.RECORDED, Code.ERASED, None)
    assert backend.record(uid("person")) is None


def test_a_record_cannot_be_spoken_of_as_another_kind(backend, office):
    answer = backend.do(office, HOUSEHOLD, "dwelling", set={"code": "D2"})
    assert told(answer) == (Outcome.INVALID, Code.KIND_MISMATCH, "kind")


def test_a_task_is_only_made_by_dispatching(backend, office):
    answer = backend.do(office, uid("task"), "task", set={})
    assert told(answer) == (Outcome.INVALID, Code.NOT_ALLOWED, "kind")
