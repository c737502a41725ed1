"""A device that says again what it still sees asks for nothing, whatever became of it."""

import pytest

from sync.fields import Policy
from sync.merge import PAST_MAX
from tests.sync.oracle import Said
from tests.sync.test_merge import Line


def said(value, rev, base, device, **rest):
    rest.setdefault("n", rev)
    rest.setdefault("at_ms", rev)
    return Said(value=value, rev=rev, base=base, device=device, console=False, **rest)


def overtaken() -> Line:
    """Two values that were never shown, one of each of two devices, and a person's choice."""
    line = Line(Policy.LATEST)
    for each in (
        said("shown", 1, 0, "anna", at_ms=10),
        said("early", 2, 0, "bo", at_ms=5),
        said("earlier", 3, 0, "chen", at_ms=4),
        said("chosen", 4, 3, "office", at_ms=20, decisive=True),
    ):
        line.say(each)
        line.check()
    return line


@pytest.mark.parametrize(("device", "value"), [("bo", "early"), ("chen", "earlier")])
def test_a_value_that_lost_unseen_and_is_said_again_changes_nothing(device, value):
    line = overtaken()
    before = line.cell
    line.say(said(value, 5, 0, device))
    assert line.cell is before
    assert not line.history.values()


@pytest.mark.parametrize(("device", "value"), [("bo", "early"), ("chen", "earlier")])
def test_it_changes_nothing_after_further_values_that_knew_it(device, value):
    line = overtaken()
    line.say(said("later", 5, 4, "office"))
    line.say(said("latest", 6, 5, "dora"))
    before = line.cell
    line.say(said(value, 7, 0, device))
    assert line.cell is before


def test_what_a_device_said_since_is_what_it_sees():
    line = overtaken()
    line.say(said("mine", 5, 4, "bo"))
    line.say(said("later", 6, 5, "office"))
    line.say(said("early", 7, 1, "bo"))
    line.check()
    assert line.rev == 7


def test_it_changes_nothing_beside_the_values_of_others():
    line = overtaken()
    line.say(said("beside", 5, 2, "dora", at_ms=30))
    line.check()
    for device, value in (("bo", "early"), ("chen", "earlier")):
        line.say(said(value, 6, 0, device))
        assert line.rev == 5


def test_the_smaller_of_two_values_that_was_never_shown_may_be_said_again():
    line = Line(Policy.MAX)
    line.say(said(5, 1, 0, "anna"))
    line.say(said(3, 2, 0, "bo"))
    line.say(said(4, 3, 2, "office"))
    line.say(said(3, 4, 0, "bo"))
    line.check()
    assert line.rev == 3


def test_a_losing_value_that_is_kept_may_be_said_again():
    line = Line(Policy.LATEST)
    line.say(said("shown", 1, 0, "anna", at_ms=10))
    line.say(said("early", 2, 0, "bo", at_ms=5))
    line.say(said("third", 3, 2, "office", at_ms=20))
    line.check()
    line.say(said("early", 4, 0, "bo"))
    assert line.rev == 3
    assert line.history.values() == {"early", "third"}


def test_a_losing_value_that_a_person_decided_against_may_be_said_again():
    line = Line(Policy.LATEST)
    line.say(said("shown", 1, 0, "anna", at_ms=10))
    line.say(said("early", 2, 0, "bo", at_ms=5))
    line.say(said("third", 3, 2, "chen", at_ms=20))
    line.say(said("third", 4, 3, "office", at_ms=30, decisive=True))
    line.check()
    line.say(said("early", 5, 0, "bo"))
    assert line.rev == 4
    assert not line.history.values()


def test_a_cleared_and_a_written_number_are_both_heads_of_the_greatest_value():
    line = Line(Policy.MAX)
    line.say(said(0, 1, 0, "anna"))
    line.say(said(None, 2, 0, "bo", n=9, at_ms=99))
    line.say(said(None, 3, 1, "chen", n=9, at_ms=100))
    line.check()
    line.say(said(None, 4, 2, "dora"))
    line.check()


@pytest.mark.parametrize("behind", range(PAST_MAX + 3))
def test_what_was_shown_long_ago_is_known_as_far_back_as_is_remembered(behind):
    line = Line(Policy.LATEST)
    for rev in range(1, PAST_MAX + 2):
        line.say(said(f"value {rev}", rev, rev - 1, "office"))
    line.say(said("value 5", PAST_MAX + 2, max(0, PAST_MAX + 1 - behind), "anna", at_ms=1))
    line.check()
