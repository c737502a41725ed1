"""People move: who goes along, what stands in the way, and what is kept of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.fold import fold
from sync.outcome import Code, Outcome
from sync.state import merged_into
from tests.sync.backend import (
    DWELLING,
    GRID,
    HOUR,
    HOUSEHOLD,
    OTHER_GRID,
    START,
    Device,
    town,
    uid,
    view,
)

AWAY, RESIDENT, VISIT, NOTE, TWIN = (
    uid(each) for each in ("away", "wu", "visit", "note", "twin")
)
PLACE = {"code": "a", "address": "Elm 2", "lon_e7": 1, "lat_e7": 1}


@pytest.fixture
def anna_at_home(backend, anna, office):
    """A dwelling in the other grid, and a household with all that may belong to one."""
    backend.do(office, AWAY, "dwelling", set={**PLACE, "grid": OTHER_GRID})
    made = (
        (RESIDENT, "resident", {"household": HOUSEHOLD, "name": "Wu"}),
        (NOTE, "note", {"parent": RESIDENT, "text": "!"}),
        (VISIT, "visit", {"household": HOUSEHOLD, "outcome": "not_home"}),
    )
    for record, kind, fields in made:
        assert backend.do(anna, record, kind, set=fields).outcome is Outcome.APPLIED
    return anna


def move(backend, office, record, kind, to, **rest):
    args = {"to": to, "text": "They said so.", **rest.pop("args", {})}
    return backend.do(office, record, kind, act="move", args=args, **rest)


def claims(backend):
    states = (
        backend.state(each.id) for each in backend.records().values() if each.kind == "claim"
    )
    return list(states)


@pytest.mark.usefixtures("anna_at_home")
def test_a_household_goes_to_another_grid_with_all_that_belongs_to_it(backend, office):
    before = len(claims(backend))
    answer = move(backend, office, HOUSEHOLD, "household", AWAY, args={"moved_ms": 5})
    assert (answer.outcome, answer.code) == (Outcome.APPLIED, None)
    assert backend.state(HOUSEHOLD)["dwelling"] == AWAY
    for each in (HOUSEHOLD, RESIDENT, NOTE, VISIT):
        assert backend.record(each).bucket == f"grid:{OTHER_GRID}"
        assert backend.state(each)["grid"] == OTHER_GRID
    (claim,) = claims(backend)[before:]
    kept = {name: claim[name] for name in ("act", "parent", "moved_from", "moved_ms", "result")}
    assert kept == {
        "act": "move",
        "parent": HOUSEHOLD,
        "moved_from": DWELLING,
        "moved_ms": 5,
        "result": "They said so.",
    }
    again = move(backend, office, HOUSEHOLD, "household", AWAY)
    assert again.outcome is Outcome.UNCHANGED


def test_a_resident_moves_to_another_household_and_a_phone_meets_it_in_another_field(
    backend, anna_at_home, office
):
    backend.do(anna_at_home, TWIN, "household", set={"dwelling": DWELLING})
    base = backend.record(RESIDENT).rev
    move(backend, office, RESIDENT, "resident", TWIN)
    answer = backend.do(anna_at_home, RESIDENT, "resident", base=base, set={"phone": "1"})
    assert answer.outcome is Outcome.MERGED
    state = backend.state(RESIDENT)
    assert (state["household"], state["phone"]) == (TWIN, "1")
    late = move(backend, office, RESIDENT, "resident", HOUSEHOLD, base=base)
    assert late.outcome is Outcome.MERGED


def test_who_had_moved_out_is_active_where_they_move_in(backend, anna_at_home, office):
    backend.do(anna_at_home, HOUSEHOLD, "household", set={"status": "moved_out"})
    move(backend, office, HOUSEHOLD, "household", AWAY)
    assert backend.state(HOUSEHOLD)["status"] == "active"


def test_what_stands_in_the_way(backend, anna_at_home, office):
    def told(to, *, record=HOUSEHOLD, kind="household", by=office, **args):
        answer = move(backend, by, record, kind, to, args=args)
        return answer.outcome, answer.code, answer.field

    assert told(uid("nobody")) == (Outcome.HELD, Code.UNKNOWN_PARENT, "to")
    assert told(RESIDENT) == (Outcome.INVALID, Code.KIND_MISMATCH, "to")
    assert told(AWAY, moved_ms=START + 10_000 * HOUR)[1:] == (Code.BAD_VALUE, "moved_ms")
    assert told(AWAY, by=anna_at_home)[:2] == (Outcome.INVALID, Code.NOT_ALLOWED)
    assert told(AWAY, record=NOTE, kind="note")[1] is Code.UNKNOWN_ACT
    backend.do(anna_at_home, TWIN, "household", set={"dwelling": DWELLING})
    backend.do(office, TWIN, "household", act="erase", args={"reason": "law"})
    assert told(TWIN, record=RESIDENT, kind="resident")[1] is Code.ERASED
    backend.do(office, AWAY, "dwelling", act="archive", args={"text": "!"})
    assert told(AWAY)[:2] == (Outcome.RECORDED, Code.WRONG_STATE)
    backend.do(office, AWAY, "dwelling", act="restore", args={"text": "!"})
    backend.do(office, HOUSEHOLD, "household", act="archive", args={"text": "!"})
    assert told(AWAY)[1] is Code.WRONG_STATE
    assert backend.record(HOUSEHOLD).bucket == f"grid:{GRID}"


@pytest.mark.usefixtures("anna_at_home")
def test_a_home_that_was_merged_is_the_one_that_stands_for_it(backend, office):
    again = uid("again")
    backend.do(office, again, "dwelling", set={**PLACE, "grid": GRID})
    backend.do(office, again, "dwelling", act="merge_into", args={"into": AWAY, "text": "!"})
    assert merged_into(backend.record(again)) == AWAY
    move(backend, office, HOUSEHOLD, "household", again)
    assert backend.state(HOUSEHOLD)["dwelling"] == AWAY
    assert backend.record(RESIDENT).bucket == f"grid:{OTHER_GRID}"


@pytest.mark.usefixtures("anna_at_home")
def test_a_move_inside_a_grid_changes_the_home_alone(backend, office):
    backend.do(office, AWAY, "dwelling", set={"grid": GRID})
    move(backend, office, HOUSEHOLD, "household", AWAY)
    assert backend.state(HOUSEHOLD)["grid"] == GRID
    assert backend.record(RESIDENT).rev == 1


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["done", "not_home", "refused"])),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_latest_visit_that_was_done_verifies_in_whatever_order(visits, merges, chance):
    """Also of two households that turn out to be one, before or after they are merged."""

    def run(order):
        backend, office = town(), Device("office", console=True)
        backend.do(Device("first"), TWIN, "household", set={"dwelling": DWELLING})
        steps = [*order, None] if merges else order
        if merges:
            chance.shuffle(steps)
        for step in steps:
            if step is None:
                args = {"into": HOUSEHOLD, "text": "!"}
                backend.do(office, TWIN, "household", act="merge_into", args=args)
                continue
            place, (hours, outcome) = step
            home = (HOUSEHOLD, TWIN)[place % 2] if merges else HOUSEHOLD
            said = {"household": home, "outcome": outcome}
            at_ms = START + hours * HOUR
            device = Device(f"phone {place}")
            backend.do(device, uid("visit", place), "visit", at_ms=at_ms, set=said)
        assert fold(backend.history) == backend.records()
        return backend

    numbered = list(enumerate(visits))
    first = run(numbered)
    done = [START + hours * HOUR for hours, outcome in visits if outcome == "done"]
    assert first.state(HOUSEHOLD).get("last_verified_ms") == max(done, default=None)
    chance.shuffle(numbered)
    assert view(run(numbered).records())[HOUSEHOLD] == view(first.records())[HOUSEHOLD]
