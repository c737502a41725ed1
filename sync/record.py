"""A record as the server knows it: field cells with their heads, status, and where it lives.

The visible *state* (what a phone may hold) is derived from a record and is never stored apart
from it without being derived again: see `sync.state`.

Heads, cells and their past are named tuples, not dataclasses: a push reads some ten of them for
each record, and a tuple is made several times faster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sync.mutation import EMPTY, Quality


class Head(NamedTuple):
    """One value nobody has replaced knowingly.

    `rev` is the record revision at which it arrived, `at_ms` the corrected time of the act.
    `carried` says that it was said of another record, which was merged into this one.
    """

    value: Any
    rev: int
    device: str
    n: int
    at_ms: int
    console: bool = False
    carried: bool = False


class Past(NamedTuple):
    """A head that was the value shown until the revision before `until_rev`."""

    until_rev: int
    head: Head


class Cell(NamedTuple):
    """One field, or one element of a set field.

    `heads` normally holds one head. `kept` holds losing values that a later author replaced
    without having seen them: they stay until a person resolves the conflict (section 4).
    `past` holds what was shown before, oldest first, bounded by `sync.merge.PAST_MAX`: it says
    what an author saw who was looking at an earlier revision. `aside` holds values that were
    replaced without ever being shown, the newest of each device: what that device still sees.
    """

    heads: tuple[Head, ...] = ()
    kept: tuple[Head, ...] = ()
    past: tuple[Past, ...] = ()
    aside: tuple[Head, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Whose claim or decision is credited with a state: the earliest `(at_ms, device, n)`."""

    at_ms: int
    by: str
    device: str
    n: int
    quality: Quality = Quality.EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The `(epoch, state)` of a record with a life cycle, and whose claim earned it.

    Rank of `state` never goes down inside an epoch; a decision opens a new epoch. `since_rev`
    is the revision that opened the epoch: a claim with a smaller base speaks about an earlier
    one. `reached` holds the credit of every state claimed or decided in this epoch.
    """

    epoch: int
    state: str
    since_rev: int
    at_ms: int
    by: str
    device: str
    n: int
    quality: Quality = Quality.EXACT
    reached: Mapping[str, Credit] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One synced thing. `rev` 0 means it does not exist yet.

    Every revision after `run_from` was made by `run_device`: an author on that device whose
    base is not smaller than `run_from` has met nobody else's change.
    """

    id: str
    kind: str
    bucket: str
    rev: int
    fields: Mapping[str, Cell] = field(default_factory=lambda: EMPTY)
    sets: Mapping[str, Mapping[str, Cell]] = field(default_factory=lambda: EMPTY)
    status: Status | None = None
    run_device: str = ""
    run_from: int = 0
