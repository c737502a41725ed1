"""Merging two records, case by case: values, children, and what is said later."""

from sync.known import Interval
from sync.outcome import Code, Outcome
from sync.state import is_away, merged_into, open_conflicts
from tests.sync.backend import (
    DWELLING,
    GRID,
    HOUR,
    HOUSEHOLD,
    OTHER_GRID,
    START,
    uid,
)
from tests.sync.twins import OTHER_DWELLING, THIRD, TWIN, WHY, contested, dwell, merge, twin


def test_what_differs_is_contested_what_is_equal_is_not_and_what_is_missing_comes(
    backend, anna, bo, office
):
    twin(backend, anna, contact_phone="2", door="7", size_band="1")
    backend.do(bo, HOUSEHOLD, "household", set={"size_band": "1"}, add={"languages": ("wuu",)})
    answer = merge(backend, office, TWIN, HOUSEHOLD)
    assert (answer.outcome, answer.code, answer.field, answer.rev) == (
        Outcome.CONFLICT,
        Code.VALUES_DIFFER,
        "contact_phone",
        2,
    )
    assert contested(backend, HOUSEHOLD) == {"contact_phone": {"1", "2"}}
    state = backend.state(HOUSEHOLD)
    assert (state["door"], state["size_band"]) == ("7", "1")
    assert state["languages"] == ["wuu", "yue"]
    backend.do(
        office,
        HOUSEHOLD,
        "household",
        act="resolve",
        args={"field": "contact_phone", "value": "2"},
    )
    assert contested(backend, HOUSEHOLD) == {}
    assert backend.state(HOUSEHOLD)["contact_phone"] == "2"


def test_the_merged_record_stays_with_its_id_and_its_values_but_nobody_holds_it(
    backend, anna, office
):
    twin(backend, anna, contact_phone="2")
    merge(backend, office, TWIN, HOUSEHOLD)
    record = backend.record(TWIN)
    assert merged_into(record) == HOUSEHOLD
    assert is_away(record)
    assert not is_away(backend.record(HOUSEHOLD))
    assert backend.state(TWIN)["contact_phone"] == "2"
    assert open_conflicts(record) == ()
    why = [each for each in backend.records().values() if each.kind == "claim"]
    assert [backend.state(each.id)["result"] for each in why] == [WHY["text"]]
    assert [backend.state(each.id)["parent"] for each in why] == [HOUSEHOLD]


def test_a_conflict_of_the_merged_record_goes_on_where_it_was_merged_into(
    backend, anna, bo, office
):
    twin(backend, anna)
    backend.do(anna, TWIN, "household", base=1, set={"door": "1"})
    backend.do(bo, TWIN, "household", base=1, set={"door": "2"}, at_ms=START + HOUR)
    chen = type(bo)("chen")
    backend.do(chen, TWIN, "household", base=3, set={"door": "3"})
    assert contested(backend, TWIN) == {"door": {"2", "3"}}
    merge(backend, office, TWIN, HOUSEHOLD)
    assert contested(backend, TWIN) == {}
    assert contested(backend, HOUSEHOLD) == {"door": {"2", "3"}}


def test_one_phone_that_wrote_both_is_asked_which_it_is(backend, anna, office):
    twin(backend, anna, contact_phone="2")
    backend.do(anna, HOUSEHOLD, "household", set={"contact_phone": "3"})
    merge(backend, office, TWIN, HOUSEHOLD)
    assert contested(backend, HOUSEHOLD) == {"contact_phone": {"2", "3"}}
    backend.do(anna, HOUSEHOLD, "household", base=1, set={"contact_phone": "4"})
    assert contested(backend, HOUSEHOLD) == {"contact_phone": {"2", "4"}}
    backend.do(anna, HOUSEHOLD, "household", set={"contact_phone": "5"})
    assert contested(backend, HOUSEHOLD) == {"contact_phone": {"2", "5"}}


def test_a_later_edit_of_the_merged_record_ends_at_the_survivor(backend, anna, bo, office):
    twin(backend, anna, contact_phone="1")
    merge(backend, office, TWIN, HOUSEHOLD)
    answer = backend.do(bo, TWIN, "household", base=1, set={"door": "7"})
    assert (answer.outcome, answer.code) == (Outcome.MERGED, Code.RECORD_MERGED)
    assert (answer.record, answer.ended_at) == (TWIN, HOUSEHOLD)
    assert answer.rev == backend.record(HOUSEHOLD).rev
    assert backend.state(HOUSEHOLD)["door"] == "7"
    assert backend.record(TWIN).rev == 2


def test_a_later_edit_that_says_what_stands_there_changes_nothing(backend, anna, bo, office):
    twin(backend, anna, door="7")
    backend.do(bo, HOUSEHOLD, "household", set={"contact_phone": "9"})
    merge(backend, office, TWIN, HOUSEHOLD)
    asked = backend.do(bo, TWIN, "household", base=1, set={"door": "7"})
    assert (asked.outcome, asked.ended_at) == (Outcome.UNCHANGED, HOUSEHOLD)
    same = backend.do(bo, TWIN, "household", base=1, set={"contact_phone": "9"})
    assert (same.outcome, same.code, same.ended_at) == (Outcome.UNCHANGED, None, HOUSEHOLD)
    assert contested(backend, HOUSEHOLD) == {}


def test_a_later_edit_that_differs_is_contested(backend, anna, bo, office):
    twin(backend, anna, contact_phone="1")
    merge(backend, office, TWIN, HOUSEHOLD)
    answer = backend.do(bo, TWIN, "household", base=1, set={"contact_phone": "9"})
    assert (answer.outcome, answer.code, answer.field) == (
        Outcome.CONFLICT,
        Code.VALUES_DIFFER,
        "contact_phone",
    )
    assert contested(backend, HOUSEHOLD) == {"contact_phone": {"1", "9"}}


def test_a_correction_of_the_merged_record_takes_its_old_value_back(backend, anna, office):
    twin(backend, anna, door="7")
    merge(backend, office, TWIN, HOUSEHOLD)
    backend.do(
        anna, TWIN, "household", base=1, set={"door": "8"}, remove={"languages": ("yue",)}
    )
    assert backend.state(HOUSEHOLD)["door"] == "8"
    assert "languages" not in backend.state(HOUSEHOLD)
    assert contested(backend, HOUSEHOLD) == {}


def test_what_a_person_resolved_is_not_brought_back_by_a_value_that_was_known(
    backend, anna, bo, office
):
    twin(backend, anna, contact_phone="2")
    merge(backend, office, TWIN, HOUSEHOLD)
    act = {"act": "resolve", "args": {"field": "contact_phone", "value": "1"}}
    backend.do(office, HOUSEHOLD, "household", **act)
    backend.do(bo, TWIN, "household", base=1, set={"door": "7"})
    assert contested(backend, HOUSEHOLD) == {}
    backend.do(bo, TWIN, "household", base=1, set={"contact_phone": "3"})
    assert contested(backend, HOUSEHOLD) == {"contact_phone": {"1", "3"}}


def test_authority_is_judged_where_the_author_saw_the_record(backend, anna, bo, office):
    dwell(backend, office)
    backend.do(anna, TWIN, "household", set={"dwelling": OTHER_DWELLING})
    merge(backend, office, TWIN, HOUSEHOLD)
    backend.authority = {f"grid:{OTHER_GRID}": (Interval(lo_ms=0, hi_ms=None),)}
    assert (
        backend.do(bo, TWIN, "household", base=1, set={"door": "7"}).outcome is Outcome.MERGED
    )
    made = backend.do(bo, uid("wu"), "resident", set={"household": TWIN, "name": "Wu"})
    assert made.outcome is Outcome.APPLIED
    assert backend.record(uid("wu")).bucket == f"grid:{GRID}"
    backend.authority = {}
    chen = type(bo)("chen")
    backend.strangers = frozenset({chen.account})
    held = backend.do(chen, TWIN, "household", base=1, set={"door": "9"})
    assert (held.outcome, held.code) == (Outcome.HELD, Code.UNKNOWN_RECORD)
    late = backend.do(chen, uid("yu"), "resident", set={"household": TWIN, "name": "Yu"})
    assert (late.outcome, late.code) == (Outcome.HELD, Code.UNKNOWN_PARENT)


def test_what_belongs_to_it_belongs_to_the_survivor_and_lives_with_it(backend, anna, office):
    dwell(backend, office)
    backend.do(anna, TWIN, "household", set={"dwelling": OTHER_DWELLING})
    wu, visit, note = uid("wu"), uid("visit"), uid("note")
    backend.do(anna, wu, "resident", set={"household": TWIN, "name": "Wu"})
    backend.do(anna, visit, "visit", set={"household": TWIN, "outcome": "done"})
    backend.do(anna, note, "note", set={"parent": wu, "text": "!"})
    gone = uid("gone")
    backend.do(anna, gone, "resident", set={"household": TWIN, "name": "Xu"})
    backend.do(office, gone, "resident", act="erase", args={"reason": "law"})
    merge(backend, office, TWIN, HOUSEHOLD)
    for record in (wu, visit, note):
        assert backend.record(record).bucket == f"grid:{GRID}"
        assert backend.state(record)["grid"] == GRID
    assert backend.state(wu)["household"] == backend.state(visit)["household"] == HOUSEHOLD
    assert backend.record(gone).rev == 2
    assert backend.record(TWIN).bucket == f"grid:{OTHER_GRID}"
    said = backend.do(anna, wu, "resident", base=1, set={"household": TWIN, "phone": "7"})
    assert said.outcome is Outcome.MERGED
    assert backend.state(wu)["household"] == HOUSEHOLD
    other = backend.do(anna, wu, "resident", set={"household": THIRD})
    assert (other.outcome, other.code) == (Outcome.INVALID, Code.IMMUTABLE_FIELD)


def test_a_child_that_lives_elsewhere_only_changes_its_parent(backend, anna, office):
    twin(backend, anna)
    wu = uid("wu")
    backend.do(anna, wu, "resident", set={"household": TWIN, "name": "Wu"})
    backend.do(office, wu, "resident", set={"grid": OTHER_GRID})
    merge(backend, office, TWIN, HOUSEHOLD)
    assert backend.record(wu).bucket == f"grid:{OTHER_GRID}"
    assert backend.state(wu)["household"] == HOUSEHOLD


def test_a_child_goes_into_the_bucket_of_a_worker_where_the_survivor_lives(case):
    backend, office, worker = case.backend, case.office, case.worker
    nowhere = uid("nowhere")
    backend.do(worker, nowhere, "report", set={"class": "leak"})
    homeless = backend.state(nowhere)["incident"]
    merge(backend, office, case.incident, homeless, "incident")
    reports = [each for each in backend.records().values() if each.kind == "report"]
    assert {each.bucket for each in reports} == {f"user:{worker.account}"}
    assert {backend.state(each.id)["incident"] for each in reports} == {homeless}


def test_two_dwellings_keep_the_place_of_the_survivor(backend, anna, office):
    dwell(backend, office)
    merge(backend, office, OTHER_DWELLING, DWELLING, "dwelling")
    state = backend.state(DWELLING)
    assert (state["lon_e7"], state["lat_e7"], state["grid"]) == (0, 0, GRID)
    assert contested(backend, DWELLING) == {
        "code": {"D1", "D2"},
        "address": {"Elm 1", "Elm 2"},
    }
    made = backend.do(anna, TWIN, "household", set={"dwelling": OTHER_DWELLING})
    assert made.outcome is Outcome.APPLIED
    assert backend.state(TWIN)["dwelling"] == DWELLING
    assert backend.record(TWIN).bucket == f"grid:{GRID}"
    moved = backend.do(office, OTHER_DWELLING, "dwelling", set={"lon_e7": 9, "code": "D9"})
    assert moved.outcome is Outcome.CONFLICT
    assert backend.state(DWELLING)["lon_e7"] == 0
    place = backend.do(office, OTHER_DWELLING, "dwelling", set={"lon_e7": 9})
    assert (place.outcome, place.ended_at) == (Outcome.UNCHANGED, DWELLING)


def test_a_chain_is_short_and_ends_where_the_last_one_stands(backend, anna, bo, office):
    twin(backend, anna, door="7")
    twin(backend, anna, THIRD)
    merge(backend, office, TWIN, HOUSEHOLD)
    merge(backend, office, HOUSEHOLD, THIRD)
    assert merged_into(backend.record(TWIN)) == THIRD
    answer = backend.do(bo, TWIN, "household", base=1, set={"door": "8"})
    assert answer.ended_at == THIRD
    assert backend.state(THIRD)["door"] == "8"
    assert "door" not in contested(backend, THIRD)
    other = uid("fourth")
    twin(backend, anna, other)
    merge(backend, office, other, TWIN)
    assert merged_into(backend.record(other)) == THIRD


def test_a_survivor_that_moves_takes_the_merged_one_along_once(backend, anna, office):
    twin(backend, anna)
    wu = uid("wu")
    backend.do(anna, wu, "resident", set={"household": TWIN, "name": "Wu"})
    merge(backend, office, TWIN, HOUSEHOLD)
    rev = backend.record(wu).rev
    backend.do(office, HOUSEHOLD, "household", set={"grid": OTHER_GRID})
    assert {backend.record(each).bucket for each in (TWIN, HOUSEHOLD, wu)} == {
        f"grid:{OTHER_GRID}"
    }
    assert backend.record(wu).rev == rev + 1
