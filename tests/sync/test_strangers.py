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
    assert told[:2] == (Outcome.RECORDED, Code.NOT_ASSIGNED)


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
