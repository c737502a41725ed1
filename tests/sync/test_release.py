"""Releasing work that waited: with its own base and time, once, in any order."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync.fold import fold
from sync.mutation import Datum, Mutation
from sync.outcome import Code, Outcome
from sync.release import REFUSE, Why, without_outdated
from tests.sync.backend import (
    DWELLING,
    END,
    GRID,
    HOUR,
    HOUSEHOLD,
    OTHER_GRID,
    START,
    Backend,
    Device,
    at,
    fresh,
    town,
    uid,
    view,
)
from tests.sync.histories import PLACE, STRANGER, TASK, Step, busy_town, histories, replay

ELSE = uid("somebody else")


def waiting(step: Step) -> Step:
    """The same step by an actor nobody knows yet, so that it is held."""
    return replace(step, mutation=replace(step.mutation, actor=ELSE))


def release_all(backend: Backend, steps: list[Step]) -> None:
    office = Device("inbox", console=True)
    for each in steps:
        backend.rule(office, each.device, each.mutation.n, located=each.located)


def said_again(step: Step, history: list[Step]) -> bool:
    """Whether the device says something about the same fields of the record later."""
    own = [
        each.mutation
        for each in history
        if each.device is step.device
        and each.mutation.n > step.mutation.n
        and each.mutation.record == step.mutation.record
    ]
    return step.mutation.act is None and without_outdated(step.mutation, own) != step.mutation


@given(histories(), st.data())
def test_released_in_any_order_it_is_as_if_it_had_been_taken_at_once(history, data):
    history = [each for each in history if not each.device.console]
    free = [each for each in history if not said_again(each, history)]
    free = [each for each in free if each.device.name != STRANGER]
    assume(free)
    parked = data.draw(st.lists(st.sampled_from(free), unique_by=id, min_size=1))
    at_once = replay(history, busy_town())
    parted = [waiting(each) if any(each is one for one in parked) else each for each in history]
    later = replay(parted, busy_town())
    release_all(later, data.draw(st.permutations(parked)))
    assert view(later.records()) == view(at_once.records())


@given(histories(), st.data())
def test_the_fold_replays_every_ruling(history, data):
    parted = [
        waiting(each) if data.draw(st.booleans()) and not each.device.console else each
        for each in history
    ]
    backend = replay(parted, busy_town())
    office = Device("inbox", console=True)
    for owner, n in data.draw(st.permutations(sorted(backend.waiting))):
        device = next(each.device for each in history if each.device.id == owner)
        act = data.draw(st.sampled_from(["release", "release", REFUSE]))
        backend.rule(office, device, n, act=act)
        more = Device("another office", console=True)
        backend.rule(more, device, n)
    assert fold(backend.history) == backend.records()


@given(histories(), st.data())
def test_releasing_twice_changes_nothing(history, data):
    own = [each for each in history if not each.device.console]
    assume(own)
    one = data.draw(st.sampled_from(own))
    parted = [waiting(each) if each is one else each for each in history]
    backend = replay(parted, busy_town())
    office = Device("inbox", console=True)
    backend.rule(office, one.device, one.mutation.n)
    before = backend.records()
    again = backend.rule(office, one.device, one.mutation.n)
    if not backend.waiting[one.device.id, one.mutation.n].waits:
        assert (again.outcome, again.code) == (Outcome.RECORDED, Code.WRONG_STATE)
    assert backend.records() == before


def test_a_released_value_meets_what_was_written_meanwhile_like_any_late_one():
    ann, ben, office = Device("ann"), Device("ben"), Device("office", console=True)
    backend = town()
    first = ann.mutation(
        HOUSEHOLD, "household", at_ms=START, base=1, set={"contact_phone": "9"}
    )
    backend.push(ann, replace(first, actor=ELSE))
    backend.do(ben, HOUSEHOLD, "household", base=1, set={"contact_phone": "5"})
    ruled = backend.rule(office, ann, 1)
    assert (ruled.outcome, ruled.code) == (Outcome.CONFLICT, Code.VALUES_DIFFER)
    assert backend.state(HOUSEHOLD)["contact_phone"] == "5"
    assert set(backend.state(HOUSEHOLD)["conflicts"]) == {"contact_phone"}


def test_what_the_author_said_later_is_not_overwritten_by_what_waited():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    first = ann.mutation(
        HOUSEHOLD, "household", base=1, set={"door": "a", "contact_phone": "9"}
    )
    backend.push(ann, replace(first, actor=ELSE, add={"languages": ("yue", "wuu")}))
    backend.do(ann, HOUSEHOLD, "household", set={"door": "b"}, remove={"languages": ("yue",)})
    ruled = backend.rule(office, ann, 1)
    assert ruled.outcome in {Outcome.APPLIED, Outcome.MERGED}
    state = backend.state(HOUSEHOLD)
    assert (state["door"], state["contact_phone"]) == ("b", "9")
    assert state["languages"] == ["wuu"]


def test_two_that_waited_keep_their_order_whichever_is_released_first():
    for order in ((1, 2), (2, 1)):
        ann, office, backend = Device("ann"), Device("office", console=True), town()
        for door in ("a", "b"):
            made = ann.mutation(HOUSEHOLD, "household", base=1, set={"door": door})
            backend.push(ann, replace(made, actor=ELSE))
        for n in order:
            backend.rule(office, ann, n)
        assert backend.state(HOUSEHOLD)["door"] == "b"
        assert fold(backend.history) == backend.records()


@pytest.mark.parametrize("why", [Why.ARRIVED, Why.ACTOR])
def test_only_a_person_gives_the_authority_that_was_missing(why):
    dora, office = Device(STRANGER), Device("office", console=True)
    backend = busy_town()
    made = dora.mutation(uid("new"), "household", set={"dwelling": DWELLING})
    backend.push(dora, made)
    refused = backend.rule(office, dora, 1, why=why)
    assert (refused.outcome, refused.code) == (Outcome.HELD, Code.UNKNOWN_PARENT)
    assert backend.record(uid("new")) is None
    done = backend.rule(office, dora, 1)
    assert done.outcome is Outcome.APPLIED
    assert backend.state(uid("new"))["grid"] == GRID
    assert fold(backend.history) == backend.records()


def test_a_released_claim_is_still_judged_by_the_assignee():
    dora, office = Device(STRANGER), Device("office", console=True)
    backend = busy_town()
    backend.push(dora, dora.mutation(TASK, "task", base=1, act="finish", actor=ELSE))
    ruled = backend.rule(office, dora, 1)
    assert (ruled.outcome, ruled.code) == (Outcome.RECORDED, Code.NOT_ASSIGNED)
    assert backend.state(TASK)["status"] == "assigned"


def test_a_released_finish_is_credited_to_its_author_at_its_time():
    ann, office = Device("anna"), Device("office", console=True)
    backend = busy_town()
    made = ann.mutation(TASK, "task", at_ms=END - 3 * HOUR, base=9, act="finish")
    backend.push(ann, replace(made, actor=ELSE, base=1))
    ruled = backend.rule(office, ann, 1)
    assert ruled.outcome is Outcome.MERGED
    state = backend.state(TASK)
    assert (state["status"], state["status_by"]) == ("done", ann.account)
    assert state["status_at_ms"] == END - 3 * HOUR


def test_a_release_that_cannot_be_applied_leaves_it_waiting_with_the_new_code():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    unknown = uid("unknown household")
    backend.push(ann, ann.mutation(unknown, "household", base=3, set={"door": "1"}))
    assert backend.rule(office, ann, 1).code is Code.UNKNOWN_RECORD
    backend.do(office, unknown, "household", set={"dwelling": DWELLING})
    early = backend.rule(office, ann, 1)
    assert (early.outcome, early.code, early.rev) == (Outcome.HELD, Code.BASE_FROM_FUTURE, 1)
    done = backend.rule(office, ann, 1, base=1)
    assert (done.outcome, backend.state(unknown)["door"]) == (Outcome.APPLIED, "1")
    assert fold(backend.history) == backend.records()


def test_a_correction_replaces_members_and_leaves_author_and_time():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    made = ann.mutation(uid("visit"), "visit", at_ms=END - HOUR)
    backend.push(ann, replace(made, set={"household": uid("typo"), "outcome": "done"}))
    ruled = backend.rule(
        office,
        ann,
        1,
        text="The household is the one next door.",
        corrected={"set": {"household": HOUSEHOLD, "outcome": "done"}},
    )
    assert ruled.outcome is Outcome.APPLIED
    state = backend.state(uid("visit"))
    assert (state["visitor"], state["visited_at_ms"]) == (ann.account, END - HOUR)
    assert fold(backend.history) == backend.records()


def test_a_corrected_set_field_is_read_like_any_other():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    made = ann.mutation(HOUSEHOLD, "household", base=1, add={"languages": ("x" * 99,)})
    backend.push(ann, replace(made, actor=ELSE, add={"languages": ("yue",)}))
    backend.rule(office, ann, 1, corrected={"add": {"languages": ["cmn"]}})
    assert backend.state(HOUSEHOLD)["languages"] == ["cmn"]


def test_a_released_report_lies_where_it_is_located_now():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    made = ann.mutation(uid("report"), "report", set={"class": "leak"}, position=at())
    backend.push(ann, replace(made, actor=ELSE), located={1: PLACE})
    backend.rule(office, ann, 1, located=replace(PLACE, grid=OTHER_GRID))
    assert backend.state(uid("report"))["grid"] == OTHER_GRID
    assert fold(backend.history) == backend.records()


@given(histories(), st.data())
def test_what_is_in_doubt_changes_nothing_until_a_person_lets_it_go(history, data):
    backend = replay(history, busy_town())
    dora = Device("elsa")
    made = dora.mutation(uid("seen"), "report", set={"class": "leak"}, position=at())
    before = backend.records()
    plan = backend.push(dora, made, located={1: PLACE}, doubtful=frozenset({1}))
    (told,) = plan.answers
    assert (told.outcome, told.code, told.field, told.rev) == (
        Outcome.HELD,
        Code.DOUBTFUL_DATUM,
        "position",
        0,
    )
    assert backend.records() == before
    datum = data.draw(st.sampled_from([None, *Datum]))
    corrected = {} if datum is None else {"datum": datum.value}
    done = backend.rule(
        Device("desk", console=True), dora, 1, corrected=corrected, located=PLACE
    )
    assert done.outcome is Outcome.APPLIED
    assert backend.state(uid("seen"))["datum"] == (datum or Datum.GCJ02)
    assert fold(backend.history) == backend.records()


def test_what_is_in_doubt_and_cannot_count_is_told_why_it_cannot():
    ann, backend = Device("ann"), town()
    made = ann.mutation(uid("report"), "report", set={"class": 7}, position=at())
    told = backend.push(ann, made, located={1: PLACE}, doubtful=frozenset({1})).answers[0]
    assert (told.outcome, told.code) == (Outcome.INVALID, Code.BAD_VALUE)


def test_a_datum_is_corrected_where_there_is_a_position_only():
    ann, office, backend = Device("ann"), Device("office", console=True), town()
    made = ann.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"}, actor=ELSE)
    backend.push(ann, made)
    done = backend.rule(office, ann, 1, corrected={"datum": "bd09"})
    assert (done.outcome, backend.state(HOUSEHOLD)["door"]) == (Outcome.APPLIED, "1")


def test_what_a_revoked_device_sent_is_released_under_its_name():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    backend.devices[ann.id] = fresh(revoked=True)
    made = ann.mutation(uid("visit"), "visit", set={"household": HOUSEHOLD, "outcome": "done"})
    assert backend.push(ann, made).answers[0].outcome is Outcome.QUARANTINED
    assert backend.rule(office, ann, 1).outcome is Outcome.APPLIED
    assert backend.state(uid("visit"))["visitor"] == ann.account


def test_nobody_takes_the_credit_for_an_actor_who_is_no_worker():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    made: Mutation = ann.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"}, actor=ELSE)
    backend.push(ann, made)
    held = backend.waiting[ann.id, 1]
    backend.waiting[ann.id, 1] = replace(held, believed=False)
    ruled = backend.rule(office, ann, 1)
    assert (ruled.outcome, ruled.code, ruled.field) == (
        Outcome.HELD,
        Code.UNKNOWN_ACTOR,
        "actor",
    )


def test_a_ruling_about_nothing_is_recorded_only():
    ann, office = Device("ann"), Device("office", console=True)
    backend = town()
    backend.push(
        ann, ann.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"}, actor=ELSE)
    )
    del backend.waiting[ann.id, 1]
    made = office.mutation(
        HOUSEHOLD,
        "household",
        act="release",
        args={"device": ann.id, "n": 1, "why": "person"},
    )
    answer = backend.push(office, made).answers[0]
    assert (answer.outcome, answer.code, answer.rev) == (Outcome.RECORDED, Code.WRONG_STATE, 1)


def test_a_phone_cannot_rule():
    ann, ben = Device("ann"), Device("ben")
    backend = town()
    backend.push(
        ann, ann.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"}, actor=ELSE)
    )
    made = ben.mutation(
        HOUSEHOLD, "household", act="release", args={"device": ann.id, "n": 1, "why": "person"}
    )
    answer = backend.push(ben, made).answers[0]
    assert (answer.outcome, answer.code) == (Outcome.INVALID, Code.UNKNOWN_ACT)
