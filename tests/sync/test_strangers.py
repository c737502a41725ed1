"""What is not known to an author is answered as if it did not exist."""

import pytest

from sync.outcome import Code, Outcome
from tests.sync.backend import HOUSEHOLD, Device, uid
from tests.sync.histories import TASK, busy_town


def stranger() -> Device:
    return Device("dora")


def answer(record: str, kind: str, **said: object):
    """What a stranger's mutation became: outcome, code and the revision it tells."""
    backend = busy_town()
    settled = backend.do(stranger(), record, kind, **said)
    return settled.outcome, settled.code, settled.rev


UNKNOWN = (Outcome.HELD, Code.UNKNOWN_RECORD, 0)


def test_a_claim_about_a_task_that_is_not_known_is_kept_as_a_strangers():
    told = answer(TASK, "task", act="finish", base=1)
    assert told == (Outcome.RECORDED, Code.NOT_ASSIGNED, 0)


@pytest.mark.parametrize("after", ["close", "rework"])
def test_such_a_claim_does_not_tell_how_far_the_work_is(after):
    backend = busy_town()
    office = Device("office of the stranger", console=True)
    incident = backend.state(TASK)["incident"]
    args = {"text": "no longer needed"}
    if after == "close":
        backend.do(office, incident, "incident", act="close", args=args)
    else:
        backend.do(office, TASK, "task", act="rework", args=args)
    settled = backend.do(stranger(), TASK, "task", act="finish", base=1)
    assert (settled.outcome, settled.code, settled.rev) == (
        Outcome.RECORDED,
        Code.NOT_ASSIGNED,
        0,
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"set": {"shoe_size": 44}, "base": 1}, Code.UNKNOWN_FIELD),
        ({"set": {"door": "1"}, "base": 1, "actor": uid("nobody")}, Code.UNKNOWN_ACTOR),
    ],
)
def test_what_is_refused_for_what_it_says_tells_a_stranger_nothing_of_the_record(said, code):
    there = answer(HOUSEHOLD, "household", **said)
    assert there == answer(uid("nothing"), "household", **said)
    assert there[1:] == (code, 0)


def test_a_stranger_is_told_of_an_erasure_and_of_no_revision():
    backend, office = busy_town(), Device("office of the stranger", console=True)
    backend.do(office, HOUSEHOLD, "household", act="erase", args={"reason": "person_asked"})
    edit = {"set": {"door": "1"}, "base": 1}
    settled = backend.do(stranger(), HOUSEHOLD, "household", **edit)
    assert (settled.outcome, settled.code, settled.rev) == (Outcome.RECORDED, Code.ERASED, 0)


def test_a_strangers_fact_that_exists_already_tells_no_revision():
    backend = busy_town()
    visit, dora = uid("visit that exists"), stranger()
    said = {"set": {"household": HOUSEHOLD, "outcome": "done"}}
    backend.do(Device("office of the stranger", console=True), visit, "visit", **said)
    settled = backend.do(dora, visit, "visit", **said)
    assert (settled.outcome, settled.code, settled.rev) == (
        Outcome.RECORDED,
        Code.ALREADY_EXISTS,
        0,
    )


@pytest.mark.parametrize(
    ("record", "kind", "said"),
    [
        (HOUSEHOLD, "household", {"set": {"door": "1"}, "base": 1}),
        (HOUSEHOLD, "task", {"act": "finish", "base": 1}),
        (TASK, "task", {"act": "finish", "base": 1_000}),
        (HOUSEHOLD, "visit", {"set": {"household": HOUSEHOLD, "outcome": "done"}}),
    ],
)
def test_a_strangers_word_does_not_tell_whether_there_is_such_a_record(record, kind, said):
    assert answer(record, kind, **said) == UNKNOWN


def test_a_strangers_claim_about_no_record_is_told_the_same():
    assert answer(uid("nothing"), "task", act="finish", base=1) == UNKNOWN
