"""Two records that are one: whenever something is said of either, it ends in the same state."""

from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.fold import fold
from sync.lifecycle import MERGE
from sync.outcome import Code, Outcome
from sync.state import is_away, merged_into
from tests.sync.backend import (
    DWELLING,
    END,
    HOUR,
    HOUSEHOLD,
    START,
    Backend,
    Device,
    town,
    uid,
    view,
)
from tests.sync.histories import PHONE_VALUES, PHONES, Step, changes, reordered, replay

TWIN, THIRD = uid("twin"), uid("third")
WHY = {"text": "the same family"}
_OFFICE = "merging office"
_REV = 5


def merge(backend: Backend, office: Device, record: str, into: str, kind: str = "household"):
    return backend.do(office, record, kind, act=MERGE, args={"into": into, **WHY})


def rev_of(backend: Backend, record_id: str) -> int:
    record = backend.record(record_id)
    assert record is not None
    return record.rev


def seen(backend: Backend) -> dict[str, Any]:
    """What people see; of a merged record they see no more than what it was merged into."""
    records = backend.records()
    into = {key: merged_into(each) for key, each in records.items()}
    return {key: into[key] or each for key, each in view(records).items()}


@cache
def _twins() -> Backend:
    """A town with two more households, each of which several people have worked on."""
    backend = town()
    anna, bo = Device("early anna"), Device("early bo")
    for place, record in enumerate((TWIN, THIRD)):
        backend.do(anna, record, "household", set={"dwelling": DWELLING, "door": f"{place}"})
    for record in (HOUSEHOLD, TWIN, THIRD):
        for phone in ("1", "2"):
            backend.do(anna, record, "household", set={"contact_phone": phone})
        backend.do(bo, record, "household", base=2, set={"contact_phone": "3"})
        backend.do(bo, record, "household", set={"status": "active"})
        for band in ("1", "2", "3-4", "5+"):
            if rev_of(backend, record) < _REV:
                backend.do(anna, record, "household", set={"size_band": band})
        assert rev_of(backend, record) == _REV
    return backend


def twins() -> Backend:
    return _twins().copy()


def said(draw: st.DrawFn, device: Device, records: dict[str, int], at_ms: int) -> Step:
    """One thing a phone says of one of some records, seen at a revision up to the given."""
    record = draw(st.sampled_from(sorted(records)))
    what = draw(st.sampled_from(["edit", "edit", "edit", "visit", "note", "resident"]))
    fresh = uid("made", device.name, device.n)
    if what == "edit":
        base = draw(st.integers(1, records[record]))
        changed = changes(draw, PHONE_VALUES)
        if draw(st.booleans()):
            changed["set"]["dwelling"] = DWELLING
        made = device.mutation(record, "household", at_ms=at_ms, base=base, **changed)
        return Step(device, made)
    values: dict[str, Any] = {
        "visit": {"household": record, "outcome": "done"},
        "note": {"parent": record, "text": "!"},
        "resident": {"household": record, "name": "Wu"},
    }[what]
    return Step(device, device.mutation(fresh, what, at_ms=at_ms, set=values))


def speech(draw: st.DrawFn, records: dict[str, int], *, steps_max: int = 7) -> list[Step]:
    """What several phones say of some records, each in its own order."""
    devices = [Device(name) for name in PHONES]
    hours = dict.fromkeys(PHONES, 1)
    history = []
    for _ in range(draw(st.integers(1, steps_max))):
        device = draw(st.sampled_from(devices))
        hours[device.name] += draw(st.integers(0, 2))
        history.append(said(draw, device, records, START + hours[device.name] * HOUR))
    return history


@st.composite
def merged_meanwhile(draw: st.DrawFn) -> list[Step]:
    """Phones speak of three households, and an office merges two or all of them in a chain."""
    records = dict.fromkeys((HOUSEHOLD, TWIN, THIRD), _REV)
    history = speech(draw, records)
    office = Device(_OFFICE, console=True)
    pairs = draw(
        st.sampled_from(
            [
                [(TWIN, HOUSEHOLD)],
                [(TWIN, HOUSEHOLD), (HOUSEHOLD, THIRD)],
                [(TWIN, HOUSEHOLD), (THIRD, HOUSEHOLD)],
                [(TWIN, HOUSEHOLD), (THIRD, TWIN)],
            ]
        )
    )
    acts = [
        Step(
            office,
            office.mutation(
                one, "household", at_ms=END, base=_REV, act=MERGE, args={"into": into, **WHY}
            ),
        )
        for one, into in pairs
    ]
    return [*history, *acts]


@given(merged_meanwhile(), st.data())
def test_said_before_the_merge_or_after_it_ends_in_the_same(history, data):
    first = replay(history, twins())
    second = replay(reordered(data.draw, history), twins())
    assert seen(first) == seen(second)


@given(merged_meanwhile(), st.data())
def test_the_history_with_merges_folds_to_what_is_stored(history, data):
    backend = replay(reordered(data.draw, history), twins())
    assert fold(backend.history) == backend.records()


@given(st.data())
def test_of_a_merged_pair_it_does_not_matter_who_is_heard_first(data):
    """Some have seen the survivor since the merge, others have not heard of it at all."""
    merged = twins()
    assert merge(merged, Device(_OFFICE, console=True), TWIN, HOUSEHOLD).code in {
        None,
        Code.VALUES_DIFFER,
    }
    history = data.draw(st.composite(speech)({TWIN: _REV, HOUSEHOLD: _REV + 1}))
    first = replay(history, merged.copy())
    second = replay(reordered(data.draw, history), merged.copy())
    assert seen(first) == seen(second)
    assert fold(first.history) == first.records()


@given(merged_meanwhile(), st.data())
def test_nothing_said_in_the_field_is_refused_or_lost(history, data):
    backend = replay(reordered(data.draw, history), twins())
    for (device, _), answer in backend.answers.items():
        if device in {each.device.id for each in history if not each.device.console}:
            assert answer.outcome in {
                Outcome.APPLIED,
                Outcome.MERGED,
                Outcome.UNCHANGED,
                Outcome.CONFLICT,
            }
    assert not any(
        merged_into(record) is None and is_away(record) for record in backend.records().values()
    )
    for record in backend.records().values():
        for name in ("household", "parent"):
            named = record.fields.get(name)
            if named is not None and record.kind != "claim":
                parent = backend.record(named.heads[-1].value)
                assert parent is not None
                assert merged_into(parent) is None
