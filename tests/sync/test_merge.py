from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync.fields import Policy
from sync.merge import ELEMENT, PAST_MAX, RULES, Rule, Stamp, accept, contested_values, shown
from sync.record import Cell
from tests.sync.oracle import FieldHistory, Said

POLICIES = [*Policy, None]  # None: an element of a set


@dataclass
class Line:
    """One field merged incrementally, and its whole history beside it."""

    policy: Policy | None

    def __post_init__(self) -> None:
        self.rule: Rule = ELEMENT if self.policy is None else RULES[self.policy]
        oracle = Policy.MAX if self.policy is None else self.policy
        self.history = FieldHistory(policy=oracle, blank=self.rule.blank)
        self.cell: Cell | None = None
        self.rev = 1
        self.numbers: dict[str, int] = {}

    def say(self, said: Said) -> None:
        self.numbers[said.device] = said.n
        author = Stamp(
            rev=said.rev,
            base=said.base,
            device=said.device,
            n=said.n,
            at_ms=said.at_ms,
            console=said.console,
            decisive=said.decisive,
        )
        after = accept(self.cell, said.value, author, self.rule)
        nothing = self.history.asks_for_nothing(said)
        assert (after is None) == nothing
        if after is not None:
            self.cell = after
            self.history.said.append(said)
            self.rev = said.rev

    def check(self) -> None:
        if self.cell is None:
            assert not self.history.said
            return
        assert _numbers(self.cell.heads) == _numbers(self.history.heads())
        assert shown(self.cell, self.rule) == self.history.shown()
        assert contested_values(self.cell, self.rule) == self.history.values()
        kept = _numbers(self.history.kept()) if self.rule.contested else set()
        assert _numbers(self.cell.kept) == kept
        self.check_aside(self.cell)

    def check_aside(self, cell: Cell) -> None:
        """What is put aside is found nowhere else, and is the newest of its device."""
        devices = [each.device for each in cell.aside]
        assert len(devices) == len(set(devices))
        found = {*cell.heads, *cell.kept, *(each.head for each in cell.past)}
        assert found.isdisjoint(cell.aside)


def _numbers(heads: Iterable[Any]) -> set[tuple[str, int]]:
    return {(each.device, each.n) for each in heads}


@st.composite
def lines(draw: st.DrawFn, *, moves_max: int = PAST_MAX) -> Line:
    line = Line(draw(st.sampled_from(POLICIES)))
    values = st.booleans() if line.policy is None else st.none() | st.integers(1, 3)
    bases: dict[str, int] = {}
    for _ in range(draw(st.integers(0, moves_max))):
        device = draw(st.sampled_from("abcd"))
        base = draw(st.integers(bases.get(device, 0), line.rev))
        bases[device] = base
        line.say(
            Said(
                value=draw(values),
                rev=line.rev + 1,
                base=base,
                device=device,
                n=line.numbers.get(device, 0) + 1,
                at_ms=draw(st.integers(0, 3)),
                console=device == "d",
                decisive=device == "d" and line.policy is not None and draw(st.booleans()),
            )
        )
        line.check()
    return line


@given(lines())
def test_merging_step_by_step_is_the_rule_over_the_whole_history(line):
    line.check()


@given(lines(), st.data())
def test_an_edit_never_loses_to_a_value_its_author_saw(line, data):
    if line.cell is None:
        return
    seen_rev = line.rev
    value = data.draw(st.sampled_from([4, 5]) if line.policy else st.booleans())
    said = Said(
        value=value,
        rev=line.rev + 1,
        base=seen_rev,
        device="e",
        n=1,
        at_ms=data.draw(st.integers(-5, 5)),
        console=False,
    )
    had_it_already = shown(line.cell, line.rule) == value
    line.say(said)
    assert shown(line.cell, line.rule) == value
    assert had_it_already or len(line.cell.heads) == 1


@given(lines(moves_max=4), st.data())
def test_order_of_arrival_changes_nothing(line, data):
    """Any interleaving of devices' further values gives the same heads, winner and conflict."""
    values = st.booleans() if line.policy is None else st.none() | st.integers(1, 3)
    common = line.rev
    queue = []
    for device in "abcd":
        base = 0
        for step in range(data.draw(st.integers(0, 2))):
            base = data.draw(st.integers(base, common))
            number = line.numbers.get(device, 0) + 1 + step
            queue.append(
                (device, number, base, data.draw(values), data.draw(st.integers(0, 3)))
            )
    assume(queue)
    results = []
    for _ in range(2):
        copy = Line(line.policy)
        copy.cell, copy.rev = line.cell, line.rev
        copy.history.said = list(line.history.said)
        for device, n, base, value, at_ms in interleaved(data, queue):
            copy.say(
                Said(
                    value=value,
                    rev=copy.rev + 1,
                    base=base,
                    device=device,
                    n=n,
                    at_ms=at_ms,
                    console=device == "d",
                )
            )
        copy.check()
        results.append(
            (
                None if copy.cell is None else shown(copy.cell, copy.rule),
                copy.history.values(),
                set() if copy.cell is None else _numbers(copy.cell.heads),
            )
        )
    assert results[0] == results[1]


def interleaved(data: st.DataObject, queue: list[Any]) -> list[Any]:
    """The queue in another order that keeps each device's own."""
    order = data.draw(st.permutations([each[0] for each in queue]))
    lanes = {device: [each for each in queue if each[0] == device] for device in set(order)}
    return [lanes[device].pop(0) for device in order]


def stamp(device: str, n: int, *, rev: int, base: int) -> Stamp:
    return Stamp(rev=rev, base=base, device=device, n=n, at_ms=rev, console=False)


def test_a_base_older_than_what_is_remembered_never_drops_a_value_silently():
    rule = RULES[Policy.LATEST]
    cell = None
    for rev in range(1, PAST_MAX + 4):
        cell = accept(cell, rev, stamp("a", rev, rev=rev, base=rev - 1), rule)
    assert cell is not None
    assert len(cell.past) == PAST_MAX
    late = accept(cell, 1, stamp("b", 1, rev=99, base=1), rule)
    assert late is not None
    assert contested_values(late, rule) == {1, PAST_MAX + 3}


@pytest.mark.parametrize("base", range(1, PAST_MAX + 2))
def test_saying_what_was_shown_at_the_base_asks_for_nothing_as_far_back_as_is_remembered(base):
    rule = RULES[Policy.LATEST]
    cell = None
    for rev in range(1, PAST_MAX + 2):
        cell = accept(cell, f"value {rev}", stamp("a", rev, rev=rev, base=rev - 1), rule)
    said_again = accept(cell, f"value {base}", stamp("b", 1, rev=99, base=base), rule)
    assert (said_again is None) == (base > 1)


def test_the_same_value_said_twice_without_seeing_each_other_is_no_conflict():
    rule = RULES[Policy.LATEST]
    cell = accept(None, "x", stamp("a", 1, rev=1, base=0), rule)
    cell = accept(cell, "x", stamp("b", 1, rev=2, base=0), rule)
    assert cell is not None
    assert len(cell.heads) == 2
    assert not contested_values(cell, rule)
