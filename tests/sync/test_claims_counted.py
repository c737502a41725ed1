"""Which claim counts, who is credited, and what is kept of each."""

import pytest

from sync.claims import keep_act
from sync.fields import Text
from sync.ids import derived_id
from sync.kinds import SET_ELEMENTS_MAX
from sync.lifecycle import RANKS, TASK, Listed, begin, claim, credit_of
from sync.mutation import Quality
from sync.outcome import Code, Outcome
from sync.record import Credit, Record
from sync.sheet import Deed, Sheet
from tests.sync.backend import END, HOUR, Device, uid
from tests.sync.histories import PHONES, busy_town
from tests.sync.histories import TASK as TASK_ID

RANK = RANKS[TASK]


def by(name: str, at_ms: int, *, quality: Quality = Quality.EXACT) -> Credit:
    return Credit(at_ms=at_ms, by=name, device=name, n=1, quality=quality)


def done_by_anna():
    start = begin("assigned", by("office", 0))
    claimed = claim(RANK, start, "done", by("anna", 20, quality=Quality.ESTIMATED))
    assert claimed.status is not None
    return claimed.status


def test_a_state_is_credited_with_the_quality_of_its_time():
    status = done_by_anna()
    assert status.quality is Quality.ESTIMATED
    assert credit_of(status) == by("anna", 20, quality=Quality.ESTIMATED)


def test_the_same_claim_again_is_late_and_changes_nothing():
    status = done_by_anna()
    claimed = claim(RANK, status, "done", credit_of(status))
    assert (claimed.status, claimed.code) == (None, Code.ALREADY_CLAIMED)


def test_a_claim_of_a_lower_state_keeps_the_state_and_is_credited_with_its_own():
    first = claim(RANK, done_by_anna(), "accepted", by("bo", 10))
    assert first.code is Code.LATER_STATE
    assert first.beaten is None
    assert first.status is not None
    assert (first.status.state, first.status.by) == ("done", "anna")
    assert first.status.reached["accepted"] == by("bo", 10)


def test_an_earlier_claim_of_a_lower_state_beats_the_one_that_was_credited():
    first = claim(RANK, done_by_anna(), "accepted", by("bo", 10))
    assert first.status is not None
    second = claim(RANK, first.status, "accepted", by("chen", 5))
    assert second.beaten == by("bo", 10)
    assert second.status is not None
    assert second.status.reached["accepted"] == by("chen", 5)


def test_a_later_claim_of_a_lower_state_is_told_that_work_is_further_on():
    first = claim(RANK, done_by_anna(), "accepted", by("bo", 10))
    assert first.status is not None
    second = claim(RANK, first.status, "accepted", by("chen", 15))
    assert (second.status, second.code) == (None, Code.LATER_STATE)


def test_a_list_may_have_as_many_members_as_a_set_and_no_more():
    listed = Listed(Text(5))
    assert listed.fault(["a"] * SET_ELEMENTS_MAX) is None
    assert listed.fault(["a"] * (SET_ELEMENTS_MAX + 1)) is not None


@pytest.mark.parametrize("act", ["accept", "start", "finish", "not_executable"])
def test_a_claim_is_kept_with_its_time_quality_and_words(act):
    backend, device = busy_town(), Device(PHONES[0])
    before = backend.record(TASK_ID)
    settled = backend.do(device, TASK_ID, TASK, act=act, args={"result": "as seen"})
    assert before is not None
    assert settled.outcome is Outcome.APPLIED
    assert settled.rev == before.rev + 1
    kept = backend.state(derived_id(device.id, device.n, "claim"))
    assert kept["at_ms"] == settled.at_ms == END
    assert kept["quality"] == Quality.EXACT
    assert kept["result"] == "as seen"
    assert kept["counted"]
    told = backend.state(TASK_ID).get("result")
    assert told == ("as seen" if act in {"finish", "not_executable"} else None)


def test_a_claim_that_does_not_count_names_the_revision_that_stands():
    backend = busy_town()
    first, second = (Device(name) for name in PHONES[:2])
    finished = backend.do(first, TASK_ID, TASK, act="finish", at_ms=END - HOUR)
    late = backend.do(second, TASK_ID, TASK, act="finish", args={"result": "me too"})
    assert (late.outcome, late.code) == (Outcome.RECORDED, Code.ALREADY_CLAIMED)
    assert late.rev == finished.rev
    kept = backend.state(derived_id(second.id, second.n, "claim"))
    assert kept["result"] == "me too"
    assert not kept["counted"]


def test_a_claim_on_ones_own_claim_has_met_nobody():
    backend, device = busy_town(), Device(PHONES[0])
    seen = backend.record(TASK_ID)
    assert seen is not None
    backend.do(device, TASK_ID, TASK, act="accept")
    again = backend.do(device, TASK_ID, TASK, act="start", base=seen.rev)
    assert again.outcome is Outcome.APPLIED


def test_an_act_about_what_everybody_holds_is_kept_with_its_author_alone():
    device = Device("office", console=True)
    shared = Record(id=uid("shared"), kind="task", bucket="config", rev=1)
    deed = Deed(
        author=device.author,
        mutation=device.mutation(shared.id, "task", act="withdraw"),
        at_ms=END,
        quality=Quality.EXACT,
    )
    sheet = Sheet({shared.id: shared})
    keep_act(sheet, shared, deed, counted=True, result="why")
    (kept,) = sheet.changed.values()
    assert kept.bucket == device.author.home_bucket
