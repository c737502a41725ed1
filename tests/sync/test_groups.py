"""A group is decided together: all of it takes effect, or nothing but its facts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.groups import FAILS, GROUP_MAX, is_fact, parts, runs
from sync.mutation import Malformed, Mutation
from sync.outcome import Code, Outcome
from sync.push import Known, plan_push
from sync.wire_mutation import decode_mutation, group_of
from tests.sync.backend import (
    DWELLING,
    END,
    GRID,
    HOUSEHOLD,
    Backend,
    Device,
    fresh,
    outcomes,
    uid,
)
from tests.sync.histories import busy_town, histories

FAMILY, VISIT, NOTE = uid("family"), uid("visit"), uid("note")
NOWHERE = uid("nowhere")
named = st.lists(st.sampled_from([None, "a", "b"]), max_size=30)


def batch_of(names):
    return [Malformed(n=n, body=b"{}", group=name) for n, name in enumerate(names, start=1)]


@given(named, st.integers(1, 6))
def test_parts_hold_everything_in_order_and_cut_no_group(names, size):
    batch = batch_of(names)
    cut = parts(batch, size)
    assert [each for part in cut for each in part] == batch
    ends = {part[-1].n for part in cut[:-1]}
    assert all(run[-1].n in ends or not ends & {each.n for each in run} for run in runs(batch))
    assert all(len(part) <= size or len(runs(part)) == 1 for part in cut)


@given(histories(), st.data())
def test_a_group_is_its_members_one_by_one_or_its_facts_alone(history, data):
    name = data.draw(st.sampled_from(sorted({each.device.name for each in history})))
    lane = [each for each in history if each.device.name == name]
    wrong = data.draw(st.none() | st.integers(0, len(lane) - 1))
    if wrong is not None:
        lane[wrong] = replace(
            lane[wrong], mutation=replace(lane[wrong].mutation, kind="vehicle", act=None)
        )
    grouped = busy_town()
    plan = pushed(grouped, [replace(each.mutation, group="form") for each in lane], lane)
    failed = any(each.outcome in FAILS for each in plan.answers) and len(lane) > 1
    alone = busy_town()
    for each in lane:
        if not failed or is_fact(each.mutation):
            single(alone, each)
    assert grouped.stored == alone.stored
    if failed:
        for answer, each in zip(plan.answers, lane, strict=True):
            assert is_fact(each.mutation) or answer.outcome in FAILS


def pushed(backend, mutations, lane):
    located = {each.mutation.n: each.located for each in lane if each.located is not None}
    first = mutations[0].n
    backend.devices[lane[0].device.id] = fresh(settled_through=first - 1)
    return backend.push(lane[0].device, *mutations, located=located, received_ms=END)


def single(backend: Backend, step) -> None:
    before = backend.devices.get(step.device.id) or fresh()
    backend.devices[step.device.id] = replace(before, settled_through=step.mutation.n - 1)
    located = {} if step.located is None else {step.mutation.n: step.located}
    backend.push(step.device, step.mutation, located=located, received_ms=END)


def form(phone: Device, dwelling: str = DWELLING, group: str = "form") -> list[Mutation]:
    """A new family, the visit at which it was met, a note about it, and an edit elsewhere."""
    visit = {"household": FAMILY, "outcome": "done"}
    return [
        phone.mutation(FAMILY, "household", set={"dwelling": dwelling}, group=group),
        phone.mutation(VISIT, "visit", set=visit, group=group),
        phone.mutation(NOTE, "note", set={"parent": HOUSEHOLD, "text": "!"}, group=group),
        phone.mutation(HOUSEHOLD, "household", base=1, set={"door": "9"}, group=group),
    ]


def test_a_group_in_order_is_applied(backend, anna):
    assert outcomes(backend.push(anna, *form(anna))) == [Outcome.APPLIED] * 4


def test_a_family_that_is_refused_holds_what_belongs_to_it_and_keeps_the_facts(backend, anna):
    plan = backend.push(anna, *form(anna, dwelling=NOWHERE))
    assert [(each.outcome, each.code) for each in plan.answers] == [
        (Outcome.HELD, Code.UNKNOWN_PARENT),
        (Outcome.HELD, Code.GROUP_FAILED),
        (Outcome.APPLIED, None),
        (Outcome.HELD, Code.GROUP_FAILED),
    ]
    assert plan.answers[0].field == "dwelling"
    assert backend.record(NOTE) is not None
    assert backend.record(FAMILY) is None
    assert "door" not in backend.state(HOUSEHOLD)
    assert all(each.body for each in plan.settled)


def test_what_came_before_the_member_at_fault_is_taken_back(backend, anna):
    first = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "9"}, group="form")
    unreadable = Malformed(n=2, body=b"{}", group="form")
    anna.n += 1
    plan = backend.push(anna, first, unreadable)
    assert [each.code for each in plan.answers] == [Code.GROUP_FAILED, Code.MALFORMED]
    assert outcomes(plan) == [Outcome.HELD, Outcome.INVALID]
    assert not plan.writes


def test_a_failed_group_takes_nothing_else_along(backend, anna):
    before = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"})
    failing = form(anna, dwelling=NOWHERE)
    after = anna.mutation(HOUSEHOLD, "household", base=1, set={"contact_phone": "7"})
    plan = backend.push(anna, before, *failing, after)
    assert outcomes(plan)[0] is outcomes(plan)[-1] is Outcome.APPLIED
    assert backend.state(HOUSEHOLD)["door"] == "1"
    assert backend.state(HOUSEHOLD)["contact_phone"] == "7"


def test_two_groups_side_by_side_are_decided_apart(backend, anna):
    failing = form(anna, dwelling=NOWHERE)
    fine = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "5"}, group="another")
    assert outcomes(backend.push(anna, *failing, fine))[-1] is Outcome.APPLIED


def test_a_group_sent_again_is_answered_as_at_first(backend, anna):
    group = form(anna, dwelling=NOWHERE)
    first = backend.push(anna, *group)
    again = backend.push(anna, *group)
    assert all(each.replayed for each in again.answers)
    assert [each.code for each in again.answers] == [each.code for each in first.answers]
    assert not again.writes


@pytest.mark.parametrize("kept_back", [1, 3])
def test_what_continues_a_group_that_was_settled_is_held_but_for_facts(
    backend, anna, kept_back
):
    group = form(anna)
    backend.push(anna, *group[:kept_back])
    plan = backend.push(anna, *group)
    told = [each.code for each in plan.answers]
    assert told == [*[None] * 3, Code.GROUP_CUT]
    assert [each.replayed for each in plan.answers[:kept_back]] == [True] * kept_back


def test_a_name_may_be_used_again_after_something_else(backend, anna):
    first = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"}, group="form")
    between = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "2"})
    last = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "3"}, group="form")
    assert outcomes(backend.push(anna, first, between, last)) == [Outcome.APPLIED] * 3


def test_a_gap_inside_a_group_takes_nothing_of_it(backend, anna):
    group = form(anna)
    plan = backend.push(anna, group[0], group[1], group[3])
    assert outcomes(plan) == [Outcome.RETRY] * 3
    assert not plan.settled
    assert outcomes(backend.push(anna, *group)) == [Outcome.APPLIED] * 4


def test_a_gap_before_a_group_says_so(backend, anna):
    group = form(anna)
    plan = backend.push(anna, *group[1:])
    assert [each.code for each in plan.answers] == [Code.GAP, *[Code.AFTER_GAP] * 2]


def test_a_number_reused_inside_a_group_keeps_all_of_it_from_being_applied(backend, anna):
    before = anna.mutation(HOUSEHOLD, "household", base=1, set={"door": "1"})
    backend.push(anna, before)
    first, _, _, last = form(anna)
    reused = replace(before, group="form", body=b"another")
    plan = backend.push(anna, first, reused, replace(last, n=3))
    assert outcomes(plan) == [Outcome.HELD, Outcome.QUARANTINED, Outcome.QUARANTINED]
    assert not plan.writes


def test_a_group_beyond_the_limit_is_held_and_its_facts_are_kept(backend, anna):
    edits = [
        anna.mutation(HOUSEHOLD, "household", base=1, set={"door": str(each)}, group="form")
        for each in range(GROUP_MAX)
    ]
    note = anna.mutation(NOTE, "note", set={"parent": HOUSEHOLD, "text": "!"}, group="form")
    plan = backend.push(anna, *edits, note)
    assert {each.code for each in plan.answers[:-1]} == {Code.GROUP_TOO_LARGE}
    assert outcomes(plan)[:-1] == [Outcome.HELD] * GROUP_MAX
    assert outcomes(plan)[-1] is Outcome.APPLIED


@pytest.mark.parametrize(
    ("kind", "act", "fact"),
    [
        ("visit", None, True),
        ("household", None, False),
        ("vehicle", None, False),
        ("task", "finish", True),
        ("task", "confirm", False),
        ("task", "paint", False),
    ],
)
def test_facts_are_what_is_written_once_and_what_is_claimed(anna, kind, act, fact):
    assert is_fact(anna.mutation(GRID, kind, act=act)) is fact


def test_what_cannot_be_read_is_no_fact():
    assert not is_fact(Malformed(n=1, body=b"{}", kind="visit"))


@pytest.mark.parametrize(
    ("said", "group"),
    [("form", "form"), (None, None), (7, None), ("", None), ("x" * 65, None)],
)
def test_the_group_of_what_cannot_be_read_is_kept_if_it_is_one(said, group):
    read = decode_mutation({"n": 1, "record": "?", "group": said})
    assert isinstance(read, Malformed)
    assert read.group == group_of(read.body) == group


def test_what_could_not_be_stored_is_held_whole(anna):
    group = form(anna)
    plan = plan_push(
        Known(device=fresh(), faulty=frozenset(each.n for each in group)),
        group,
        author=anna.author,
        send=anna.clock(END),
        received_ms=END,
    )
    assert {each.code for each in plan.answers} == {Code.SERVER_FAULT}
