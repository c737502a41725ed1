"""The batch itself: sequence, repeats, reused numbers, devices in doubt, junk."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.kinds import KINDS
from sync.known import Located
from sync.mutation import EMPTY, ClockReading, Datum, Malformed, Mutation, Position, Quality
from sync.outcome import Code, Outcome
from sync.push import Known, plan_push, references
from tests.sync.backend import (
    END,
    GRID,
    HOUR,
    HOUSEHOLD,
    START,
    Device,
    fresh,
    outcomes,
    town,
    uid,
)


def edits(phone: Device, count: int) -> list[Mutation]:
    return [
        phone.mutation(HOUSEHOLD, "household", base=1, set={"door": str(each)})
        for each in range(count)
    ]


def test_a_gap_stops_processing_and_what_follows_waits():
    backend, phone = town(), Device("anna")
    first, second, third, fourth = edits(phone, 4)
    plan = backend.push(phone, first, third, fourth)
    assert [each.code for each in plan.answers] == [None, Code.GAP, Code.AFTER_GAP]
    assert outcomes(plan)[1:] == [Outcome.RETRY, Outcome.RETRY]
    assert plan.settled_through == 1
    plan = backend.push(phone, second, third, fourth)
    assert outcomes(plan) == [Outcome.APPLIED] * 3
    assert backend.state(HOUSEHOLD)["door"] == "3"


def test_a_batch_sent_again_after_a_cut_is_answered_and_not_applied_again():
    backend, phone = town(), Device("anna")
    batch = edits(phone, 40)
    backend.push(phone, *batch[:17])
    plan = backend.push(phone, *batch[14:])
    assert [each.replayed for each in plan.answers] == [True] * 3 + [False] * 23
    record = backend.record(HOUSEHOLD)
    assert record is not None
    assert record.rev == 41
    again = backend.push(phone, *batch)
    assert all(each.replayed for each in again.answers)
    assert not again.writes


def test_the_same_mutation_twice_in_one_batch_is_applied_once():
    backend, phone = town(), Device("anna")
    (edit,) = edits(phone, 1)
    plan = backend.push(phone, edit, edit)
    assert [each.replayed for each in plan.answers] == [False, True]
    assert len(plan.settled) == 1


def test_a_reused_n_flags_the_device_and_nothing_more_is_applied():
    backend, phone = town(), Device("anna")
    first, second = edits(phone, 2)
    backend.push(phone, first)
    plan = backend.push(phone, replace(first, body=b"another"), second)
    assert [each.code for each in plan.answers] == [Code.REUSED_N, Code.REUSED_N]
    assert outcomes(plan) == [Outcome.QUARANTINED] * 2
    assert plan.flagged
    assert not plan.writes
    assert [each.n for each in plan.settled] == [2]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"revoked": True}, Code.DEVICE_REVOKED), ({"flagged": True}, Code.STALE_LEASE)],
)
def test_a_device_in_doubt_has_its_bodies_kept_and_nothing_applied(changes, code):
    backend, phone = town(), Device("anna")
    backend.devices[phone.id] = fresh(**changes)
    (edit,) = edits(phone, 1)
    plan = backend.push(phone, edit)
    assert plan.answers[0].outcome is Outcome.QUARANTINED
    assert plan.answers[0].code is code
    assert plan.settled[0].body == edit.body
    assert not plan.writes


def test_a_malformed_mutation_takes_its_place_and_the_rest_goes_on():
    backend, phone = town(), Device("anna")
    before, after = edits(phone, 2)
    after = replace(after, n=3)
    plan = backend.push(phone, before, Malformed(n=2, body=b"{", field="set"), after)
    assert outcomes(plan) == [Outcome.APPLIED, Outcome.INVALID, Outcome.APPLIED]
    assert (plan.answers[1].code, plan.answers[1].field) == (Code.MALFORMED, "set")
    assert plan.answers[1].record is None
    assert plan.answers[2].quality is Quality.EXACT


def test_a_settled_n_that_was_not_loaded_is_asked_for_again():
    (edit,) = edits(Device("anna"), 1)
    known = Known(device=fresh(settled_through=5))
    plan = plan_push(known, [edit], author=Device("anna").author, send=None, received_ms=END)
    assert plan.answers[0].outcome is Outcome.RETRY
    assert not plan.settled


def test_a_fault_of_ours_holds_one_mutation_and_the_queue_goes_on():
    phone = Device("anna")
    (edit,) = edits(phone, 1)
    weird = replace(edit, n=1, kind=["household"])
    fine = replace(edit, n=2)
    plan = plan_push(
        Known(device=fresh()),
        [weird, fine],
        author=phone.author,
        send=phone.clock(END),
        received_ms=END,
    )
    assert [each.code for each in plan.answers] == [Code.SERVER_FAULT, Code.UNKNOWN_RECORD]
    assert outcomes(plan) == [Outcome.HELD] * 2


def test_time_is_exact_whatever_the_wall_clock_does_between_mutations():
    backend, phone = town(), Device("anna", wall_offset_ms=3 * 24 * HOUR)
    first = phone.mutation(HOUSEHOLD, "household", at_ms=START + HOUR, set={"door": "a"})
    phone.wall_offset_ms = -2 * HOUR
    second = phone.mutation(HOUSEHOLD, "household", at_ms=START + 2 * HOUR, set={"door": "b"})
    plan = backend.push(phone, first, second)
    assert [each.at_ms for each in plan.answers] == [START + HOUR, START + 2 * HOUR]
    assert {each.quality for each in plan.answers} == {Quality.EXACT}


def test_after_a_restart_a_wrong_clock_is_estimated_from_the_offset_of_this_contact():
    backend, phone = town(), Device("anna", wall_offset_ms=-40 * HOUR)
    edit = phone.mutation(HOUSEHOLD, "household", at_ms=START + HOUR, set={"door": "a"})
    phone.boot = "boot-2"
    plan = backend.push(phone, edit)
    assert plan.answers[0].at_ms == START + HOUR
    assert plan.answers[0].quality is Quality.ESTIMATED


@pytest.mark.parametrize("wall_offset_ms", [-START, 10 * 365 * 24 * HOUR])
def test_an_act_after_an_earlier_contact_cannot_lie_before_it(wall_offset_ms):
    backend, phone = town(), Device("anna")
    backend.push(phone, received_ms=START + 10 * HOUR)
    phone.wall_offset_ms = wall_offset_ms
    edit = phone.mutation(HOUSEHOLD, "household", at_ms=START + 20 * HOUR, set={"door": "a"})
    phone.boot, phone.wall_offset_ms = "boot-2", 0
    plan = backend.push(phone, edit, received_ms=START + 30 * HOUR)
    assert START + 10 * HOUR <= plan.answers[0].at_ms <= START + 30 * HOUR
    assert plan.answers[0].quality is Quality.CLAMPED


def test_a_device_never_goes_back_in_time():
    backend, phone = town(), Device("anna")
    late = phone.mutation(HOUSEHOLD, "household", at_ms=START + 9 * HOUR, set={"door": "a"})
    early = phone.mutation(HOUSEHOLD, "household", at_ms=START + HOUR, set={"door": "b"})
    plan = backend.push(phone, late, early)
    assert plan.answers[1].at_ms == START + 9 * HOUR
    assert plan.answers[1].quality is Quality.CLAMPED


IDS = st.sampled_from([HOUSEHOLD, GRID, uid("unknown"), "no id", ""]) | st.text(max_size=5)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | IDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KIND_NAMES = st.sampled_from(sorted(KINDS)) | st.text(max_size=5)
FIELD_NAMES = st.sampled_from(
    sorted({name for kind in KINDS.values() for name in (*kind.fields, *kind.sets)})
) | st.text(max_size=5)
ACT_NAMES = st.sampled_from(
    ["accept", "start", "finish", "dispatch", "verify", "close", "resolve", "assign"]
)
ARG_NAMES = st.sampled_from(["task", "field", "value", "result", "media", "text", "assignee"])
CLOCKS = st.builds(
    ClockReading, wall_ms=st.integers(), uptime_ms=st.integers(), boot=st.sampled_from("ab")
)
POSITIONS = st.builds(
    Position,
    lon_e7=st.integers(),
    lat_e7=st.integers(-900_000_000, 900_000_000),
    datum=st.sampled_from(Datum),
    accuracy_cm=st.integers(-1, 100),
)
JUNK_MUTATIONS = st.builds(
    Mutation,
    n=st.integers(-1, 6),
    record=IDS,
    kind=KIND_NAMES,
    base=st.integers(-1, 3),
    body=st.binary(max_size=3),
    clock=st.none() | CLOCKS,
    set=st.dictionaries(FIELD_NAMES, JUNK, max_size=3),
    add=st.just(EMPTY) | st.dictionaries(FIELD_NAMES, JUNK, max_size=2),
    remove=st.just(EMPTY) | st.dictionaries(FIELD_NAMES, JUNK, max_size=2),
    act=st.none() | ACT_NAMES | st.text(max_size=5),
    args=st.dictionaries(ARG_NAMES | st.text(max_size=5), JUNK, max_size=3),
    position=st.none() | POSITIONS,
    actor=st.none() | IDS,
)
ITEMS = JUNK_MUTATIONS | st.builds(
    Malformed, n=st.integers(-1, 6), body=st.binary(max_size=3), record=st.none() | IDS
)
LOCATED = st.builds(
    Located,
    grid=st.sampled_from([GRID, None]),
    lon_e7=st.integers(0, 1),
    lat_e7=st.integers(0, 1),
    certain=st.booleans(),
)


@st.composite
def junk_batches(draw: st.DrawFn) -> list[Mutation | Malformed]:
    """Items nobody would send, mostly in a sequence that lets them be decided."""
    batch = []
    for n in range(1, draw(st.integers(1, 6)) + 1):
        item = draw(ITEMS)
        batch.append(item if draw(st.integers(0, 9)) == 0 else replace(item, n=n))
    return batch


@given(junk_batches(), st.booleans(), st.dictionaries(st.integers(1, 6), LOCATED))
def test_no_batch_whatever_raises_and_each_item_has_one_answer(batch, console, located):
    backend, device = town(), Device("anna", console=console)
    plan = backend.push(device, *batch, located=located)
    assert [each.n for each in plan.answers] == [each.n for each in batch]
    assert [each.n for each in plan.settled] == list(range(1, plan.settled_through + 1))
    assert plan.writes.keys() == plan.before.keys()
    for answer in plan.answers:
        assert answer.code is not Code.SERVER_FAULT


def test_references_name_what_exists_or_might_until_nothing_is_new():
    backend, phone = town(), Device("anna")
    report = uid("report")
    made = phone.mutation(report, "report", set={"class": "leak", "incident": uid("other")})
    asked = references([made], {})
    assert {report, uid("other")} < asked
    assert len(asked) == 3
    known = backend.gather([phone.mutation(HOUSEHOLD, "household", set={})])
    assert known.keys() == {HOUSEHOLD}
