"""Erasing: what may stay of records and of what was asked, and that it never comes back."""

import json
from typing import Any

import pytest
from hypothesis import given

from sync.canonical import canonical
from sync.decide import decide
from sync.erasing import ERASED_TEXT, named_in, redacted, redacted_body, spoken_of
from sync.fold import Entry, fold
from sync.known import Author
from sync.mutation import Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.sheet import Deed, Sheet, Verdict
from sync.state import is_erased, is_tombstone, live_value, state_of
from sync.wire_mutation import sealed, stored_mutation
from tests.sync.wire_values import mutations

OFFICE = Author(
    device="office", account="0", role="dispatcher", console=True, home_bucket="user:0"
)
REASON = {"reason": "person_asked"}


def name(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


GRID, DWELLING, HOUSEHOLD, RESIDENT, VISIT, NOTE, OTHER = (name(each) for each in range(1, 8))


class Log:
    """Mutations decided one after the other, and kept as they would be folded."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.entries: list[Entry] = []

    def say(self, record: str, kind: str, base: int = 0, **members: Any) -> Verdict:
        n = len(self.entries) + 1
        mutation = sealed(
            Mutation(n=n, record=record, kind=kind, base=base, body=b"", **members)
        )
        sheet = Sheet(self.records)
        deed = Deed(author=OFFICE, mutation=mutation, at_ms=1_000 + n, quality=Quality.EXACT)
        verdict = decide(sheet, deed)
        self.records.update(sheet.changed)
        entry = Entry(
            author=OFFICE,
            mutation=mutation,
            at_ms=1_000 + n,
            quality=Quality.EXACT,
            outcome=verdict.outcome,
            code=verdict.code,
            rev=verdict.rev,
        )
        self.entries.append(entry)
        return verdict

    def redacted(self, *records: str) -> list[Entry]:
        """The log as it is kept after the erasure of some records."""
        return [
            Entry(
                author=each.author,
                mutation=redacted(each.mutation),
                at_ms=each.at_ms,
                quality=each.quality,
                outcome=each.outcome,
                code=each.code,
                rev=each.rev,
                redacted=True,
            )
            if not set(records).isdisjoint(spoken_of(each.mutation))
            else each
            for each in self.entries
        ]


@pytest.fixture
def log() -> Log:
    """A household with a resident, a visit and a note, edited, moved and contested."""
    made = Log()
    for grid in (GRID, OTHER):
        made.say(
            grid,
            "grid",
            set={"code": "G", "name": "G", "community": OTHER, "boundary": "x", "area_m2": 1},
        )
    place = {"code": "W", "address": "Block", "lon_e7": 1, "lat_e7": 1, "grid": GRID}
    made.say(DWELLING, "dwelling", set=place)
    made.say(
        HOUSEHOLD,
        "household",
        set={"dwelling": DWELLING, "door": "secret"},
        add={"languages": ("secret",)},
    )
    made.say(RESIDENT, "resident", set={"household": HOUSEHOLD, "name": "secret"})
    made.say(VISIT, "visit", set={"household": HOUSEHOLD, "outcome": "done", "text": "secret"})
    made.say(NOTE, "note", set={"parent": RESIDENT, "text": "secret"})
    made.say(HOUSEHOLD, "household", 1, set={"door": "secret too"})
    made.say(HOUSEHOLD, "household", 2, set={"grid": OTHER})
    made.say(HOUSEHOLD, "household", 3, act="archive", args={"text": "secret"})
    return made


def test_people_are_gone_and_ids_and_facts_stay(log: Log) -> None:
    assert log.say(HOUSEHOLD, "household", 4, act="erase", args=REASON).outcome == "applied"
    for each in (HOUSEHOLD, RESIDENT, NOTE):
        assert is_tombstone(log.records[each])
    assert state_of(log.records[HOUSEHOLD]) == {"dwelling": DWELLING, "grid": OTHER}
    visit = log.records[VISIT]
    assert is_erased(visit)
    assert not is_tombstone(visit)
    assert live_value(visit, "outcome") == "done"
    assert "secret" not in repr(log.records)


def test_the_redacted_log_folds_to_the_same_records(log: Log) -> None:
    log.say(HOUSEHOLD, "household", 4, act="erase", args=REASON)
    log.say(HOUSEHOLD, "household", 2, set={"door": "secret"})
    log.say(
        name(20), "visit", set={"household": HOUSEHOLD, "outcome": "done", "text": "secret"}
    )
    kept = log.redacted(HOUSEHOLD, RESIDENT, VISIT, NOTE, name(20))
    assert "secret" not in repr([each.mutation.set for each in kept])
    folded = fold(kept)
    assert folded.keys() == log.records.keys()
    for record_id, record in log.records.items():
        assert folded[record_id].rev == record.rev
        assert dict(folded[record_id].fields) == dict(record.fields)
        assert folded[record_id].bucket == record.bucket


@pytest.mark.parametrize(
    "said",
    [
        {"record": RESIDENT, "kind": "resident", "set": {"household": HOUSEHOLD, "name": "x"}},
        {"record": RESIDENT, "kind": "resident", "base": 1, "set": {"name": "x"}},
        {"record": RESIDENT, "kind": "resident", "base": 99, "set": {"name": "x"}},
        {"record": name(30), "kind": "resident", "set": {"household": HOUSEHOLD, "name": "x"}},
        {"record": name(30), "kind": "note", "set": {"parent": VISIT, "text": "x"}},
        {"record": name(30), "kind": "note", "base": 4, "set": {"parent": NOTE, "text": "x"}},
        {"record": HOUSEHOLD, "kind": "household", "act": "restore", "args": {"text": "x"}},
    ],
)
def test_nothing_brings_them_back(log: Log, said: dict[str, Any]) -> None:
    log.say(HOUSEHOLD, "household", 4, act="erase", args=REASON)
    before = dict(log.records)
    verdict = log.say(**said)
    assert (verdict.outcome, verdict.code) == (Outcome.RECORDED, Code.ERASED)
    assert log.records == before


def test_a_late_visit_is_kept_as_a_bare_fact(log: Log) -> None:
    log.say(HOUSEHOLD, "household", 4, act="erase", args=REASON)
    late = {"household": HOUSEHOLD, "outcome": "done", "text": "secret"}
    verdict = log.say(name(30), "visit", set=late)
    assert (verdict.outcome, verdict.code, verdict.rev) == ("recorded", "erased", 1)
    state = state_of(log.records[name(30)])
    assert (state["outcome"], state["grid"], "text" in state) == ("done", OTHER, False)


def test_erasing_twice_changes_nothing(log: Log) -> None:
    log.say(HOUSEHOLD, "household", 4, act="erase", args=REASON)
    before = dict(log.records)
    verdict = log.say(HOUSEHOLD, "household", 5, act="erase", args=REASON)
    assert (verdict.outcome, verdict.rev) == (Outcome.UNCHANGED, 6)
    assert log.records == before


def test_a_household_is_erased_after_one_of_its_people(log: Log) -> None:
    log.say(RESIDENT, "resident", 2, act="erase", args=REASON)
    before = log.records[RESIDENT]
    log.say(HOUSEHOLD, "household", 4, act="erase", args=REASON)
    assert log.records[RESIDENT] is before
    assert is_tombstone(log.records[HOUSEHOLD])


def test_an_erased_resident_does_not_follow_the_household(log: Log) -> None:
    log.say(RESIDENT, "resident", 2, act="erase", args=REASON)
    log.say(HOUSEHOLD, "household", 4, set={"grid": GRID})
    assert log.records[VISIT].bucket == f"grid:{GRID}"
    assert log.records[RESIDENT].bucket == f"grid:{OTHER}"


def test_what_is_not_known_here_is_a_tombstone_from_the_start(log: Log) -> None:
    verdict = log.say(name(40), "resident", act="erase", args=REASON | {"grid": GRID})
    assert (verdict.outcome, verdict.rev) == (Outcome.APPLIED, 1)
    assert log.records[name(40)].bucket == f"grid:{GRID}"
    visit = log.say(name(42), "visit", act="erase", args=REASON)
    assert (visit.outcome, visit.code) == (Outcome.HELD, Code.UNKNOWN_RECORD)
    log.say(name(41), "resident", act="erase", args=REASON | {"grid": name(99)})
    assert log.records[name(41)].bucket == "user:0"
    again = log.say(name(40), "resident", set={"household": HOUSEHOLD, "name": "secret"})
    assert again.code == Code.ERASED
    assert all(is_tombstone(log.records[each]) for each in (name(40), name(41)))


@given(mutations())
def test_redacting_again_changes_nothing(mutation: Mutation) -> None:
    once = redacted_body(sealed(mutation).body)
    assert redacted_body(once) == once


@pytest.mark.parametrize(
    ("members", "kept"),
    [
        ({"act": "john_smith", "args": {"a": "secret"}}, {}),
        (
            {"act": "archive", "args": {"text": "secret"}},
            {"act": "archive", "args": {"text": ERASED_TEXT}},
        ),
        (
            {"act": "archive", "args": {"text": "secret", "x": "secret"}},
            {"act": "archive", "args": {"text": ERASED_TEXT}},
        ),
        (
            {"act": "erase", "args": {"reason": "law", "grid": "secret"}},
            {"act": "erase", "args": {"reason": "law"}},
        ),
        (
            {"act": "resolve", "args": {"field": "door", "value": "secret"}},
            {"act": "resolve", "args": {"field": "door", "value": None}},
        ),
        (
            {"act": "resolve", "args": {"field": "grid", "value": GRID}},
            {"act": "resolve", "args": {"field": "grid", "value": GRID}},
        ),
        (
            {"act": "resolve", "args": {"field": "secret"}},
            {"act": "resolve", "args": {"field": ERASED_TEXT, "value": None}},
        ),
        (
            {
                "act": "release",
                "args": {"device": "d", "n": 1, "why": "person", "text": "secret"},
            },
            {"act": "release", "args": {"device": "d", "n": 1, "why": "person"}},
        ),
        (
            {"set": {"dwelling": "secret", "grid": GRID, "secret": 1, "door": "secret"}},
            {"set": {"grid": GRID}},
        ),
    ],
)
def test_of_an_asking_only_ids_and_words_of_lists_stay(
    members: dict[str, Any], kept: dict[str, Any]
) -> None:
    shape = {"n": 1, "record": HOUSEHOLD, "kind": "household", "base": 1}
    assert json.loads(redacted_body(canonical(shape | members))) == shape | kept


def test_of_what_cannot_be_read_only_its_number_stays() -> None:
    assert redacted_body(canonical({"n": 4, "record": "secret"})) == b'{"n":4}'
    unread = canonical({"n": 4, "record": "x", "set": {"parent": HOUSEHOLD, "a": [NOTE, 1]}})
    assert named_in(unread) == {"x", HOUSEHOLD, NOTE}
    unknown = {"n": 4, "record": HOUSEHOLD, "kind": "person", "base": 0, "set": {"a": "secret"}}
    assert "secret" not in redacted_body(canonical(unknown)).decode()
    assert list(spoken_of(stored_mutation(canonical(unknown)))) == [HOUSEHOLD]
