"""How values meet: one field, or one element of a set, and one more author's value.

The rule (protocol section 4): a new value drops every head its author knew, which are those
with `rev <= base` and those of the same device, and takes its place beside the others. Nothing
here depends on the order of arrival, only on revisions, devices and corrected times, so any
interleaving of the same device histories ends in the same heads, winner and conflict.

An author who sets what was shown to that author anyway asks for nothing. What was shown is the
device's own last value if it wrote one after `base`, else the winner at `base` (`Cell.past`).
What a device said of another record, merged into this one since (`Head.carried`), is no value
of its own here: it knows of it from the revision on at which it was carried over.
A dropped head of another device that was not shown to the author is `kept`, until its own
device writes again, an author to whom it was shown replaces it, or a person resolves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from sync.fields import Policy
from sync.record import Cell, Head, Past

PAST_MAX = 8
_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the heads of a cell compete: `pick` chooses among them by `key`.

    `contested` says whether distinct values are a conflict for a person. `blank` is what a cell
    that was never written holds.
    """

    pick: Callable[..., Head]
    key: Callable[[Head], Any]
    contested: bool
    blank: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Who writes, when, having seen `base`, at what becomes revision `rev` of the record.

    `decisive` marks a person's resolution of a conflict.
    """

    rev: int
    base: int
    device: str
    n: int
    at_ms: int
    console: bool
    decisive: bool = False


def _by_time(head: Head) -> Any:
    return head.at_ms, head.device, head.n


def _by_side(head: Head) -> Any:
    return head.console, head.at_ms, head.device, head.n


def _by_value(head: Head) -> Any:
    cleared = head.value is None
    return not cleared, 0 if cleared else head.value, head.at_ms, head.device, head.n


RULES: Final = {
    Policy.LATEST: Rule(pick=max, key=_by_time, contested=True),
    Policy.SERVER_WINS: Rule(pick=max, key=_by_side, contested=True),
    Policy.MAX: Rule(pick=max, key=_by_value, contested=False),
    Policy.REVIEW: Rule(pick=min, key=_by_time, contested=True),
}
ELEMENT: Final = Rule(pick=max, key=_by_value, contested=False, blank=False)
"""Elements of sets: present (True) beats absent (False), and it is never a conflict."""


def winner(heads: Iterable[Head], rule: Rule) -> Head:
    """Return the head whose value is shown. `heads` must not be empty."""
    return rule.pick(heads, key=rule.key)


def shown(cell: Cell, rule: Rule) -> Any:
    """Return the value of a cell that people see."""
    heads = cell.heads
    return heads[0].value if len(heads) == 1 else rule.pick(heads, key=rule.key).value


def contested_values(cell: Cell, rule: Rule) -> frozenset[Any]:
    """Return the distinct values of an open conflict, empty if the cell is in none."""
    if not rule.contested or (len(cell.heads) == 1 and not cell.kept):
        return frozenset()
    values = frozenset(head.value for head in (*cell.heads, *cell.kept))
    return values if len(values) > 1 else frozenset()


def head_of(value: Any, stamp: Stamp) -> Head:
    """Return the head that a stamped author's value becomes."""
    return Head(
        value=value,
        rev=stamp.rev,
        device=stamp.device,
        n=stamp.n,
        at_ms=stamp.at_ms,
        console=stamp.console,
    )


def accept(cell: Cell | None, value: Any, stamp: Stamp, rule: Rule) -> Cell | None:
    """Return the cell after one more author's value, or None if the author asked for nothing.

    `cell` is None when it was never written. `stamp.rev` must be greater than the revision of
    every head in it, and a device's values must come in the order of their n.
    """
    if cell is None:
        return None if value == rule.blank else Cell(heads=(head_of(value, stamp),))
    only = cell.heads[0]
    if len(cell.heads) == 1 and not cell.kept and _knew(stamp, only):
        if value == only.value:
            return None
        past = remembered(cell.past, only, stamp.rev)
        aside = tuple(each for each in cell.aside if each.device != stamp.device)
        return Cell(heads=(head_of(value, stamp),), past=past, aside=aside)
    return _accept_beside(cell, value, stamp, rule)


def _accept_beside(cell: Cell, value: Any, stamp: Stamp, rule: Rule) -> Cell | None:
    """Accept a value where somebody else's stands that the author may not know."""
    at_base = _shown_at(cell, stamp.base, rule)
    if value == _seen_by(cell, at_base, stamp) and not (
        stamp.decisive and contested_values(cell, rule)
    ):
        return None
    head = head_of(value, stamp)
    heads = (*(each for each in cell.heads if not _knew(stamp, each)), head)
    old = winner(cell.heads, rule)
    kept = _kept(cell, at_base, stamp) if rule.contested else ()
    past = cell.past
    if winner(heads, rule) is not old:
        past = remembered(past, old, stamp.rev)
    aside = _aside(cell, stamp, {*_names(heads), *_names(kept), *_names(p.head for p in past)})
    return Cell(heads=heads, kept=kept, past=past, aside=aside)


def _names(heads: Iterable[Head]) -> Iterable[tuple[str, int]]:
    return ((each.device, each.n) for each in heads)


def _aside(cell: Cell, stamp: Stamp, found: set[tuple[str, int]]) -> tuple[Head, ...]:
    """The newest value of each other device that is found nowhere else in the cell."""
    lost = {
        each.device: each
        for each in chain(cell.aside, cell.kept, cell.heads)
        if each.device != stamp.device
        and not each.carried
        and (each.device, each.n) not in found
    }
    return tuple(lost.values())[-PAST_MAX:]


def _knew(stamp: Stamp, head: Head) -> bool:
    return head.rev <= stamp.base or (head.device == stamp.device and not head.carried)


def remembered(past: tuple[Past, ...], head: Head, until_rev: int) -> tuple[Past, ...]:
    """Return `past` with one more head that was shown until the revision before `until_rev`."""
    return (*past[max(0, len(past) - PAST_MAX + 1) :], Past(until_rev=until_rev, head=head))


def _shown_at(cell: Cell, base: int, rule: Rule) -> Any:
    """The value shown at revision `base`; `_UNKNOWN` if that is longer ago than `past` says."""
    past = cell.past
    if not past:
        first = winner(cell.heads, rule)
        return first.value if first.rev <= base else rule.blank
    if len(past) == PAST_MAX and base < past[0].until_rev:
        return _UNKNOWN
    if base < past[0].head.rev:
        return rule.blank
    for each in past:
        if base < each.until_rev:
            return each.head.value
    return shown(cell, rule)


def _seen_by(cell: Cell, at_base: Any, stamp: Stamp) -> Any:
    """What the author was looking at: the device's own value if it is newer than the base."""
    own: Head | None = None
    for head in chain(cell.heads, cell.kept, cell.aside, (each.head for each in cell.past)):
        newer = head.device == stamp.device and head.rev > stamp.base
        if newer and not head.carried and (own is None or own.n < head.n):
            own = head
    return at_base if own is None else own.value


def _kept(cell: Cell, at_base: Any, stamp: Stamp) -> tuple[Head, ...]:
    """The losing values that nobody has looked at, after this author."""
    if len(cell.heads) == 1 and not cell.kept:
        return ()
    kept = [each for each in cell.kept if not _looked_at(each, at_base, stamp)]
    kept += [
        each
        for each in cell.heads
        if each.rev <= stamp.base and not _looked_at(each, at_base, stamp)
    ]
    return tuple(kept)


def _looked_at(head: Head, at_base: Any, stamp: Stamp) -> bool:
    if head.device == stamp.device and not head.carried:
        return True
    return head.rev <= stamp.base and (stamp.decisive or head.value == at_base)
