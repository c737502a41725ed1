"""The shape of a step, and the dice it is drawn with."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.links import Mishap, Trouble
from tests.simulation.world import World

PICKS = 1_000
TROUBLES = tuple(Trouble)
SHARE_MAX = {Trouble.CUT: 999, Trouble.SLOW: 90, Trouble.LATE: 90, Trouble.BUSY: 60}
STATEMENTS_MAX = 70


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: an act by name, with numbers that were drawn beforehand.

    The numbers mean something in any state of the world, so a step may be left out of a run
    and the others still can be taken.
    """

    act: str
    args: tuple[Any, ...] = ()


class Dice:
    """What a plan is drawn with; every draw comes from the seed."""

    def __init__(self, seed: int, phones: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a plan, not a secret
        self.phones = phones

    def phone(self) -> int:
        return self.chance.randrange(self.phones)

    def pick(self) -> int:
        return self.chance.randrange(PICKS)

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.chance.randrange(len(choices))]

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    def span(self, low: int, high: int) -> int:
        return self.chance.randint(low, high)

    def mishaps(self) -> tuple[Mishap, ...]:
        """None for half of the exchanges, else up to three in a row."""
        if self.happens(0.5):
            return ()
        troubles = [self.one_of(TROUBLES) for _ in range(self.span(1, 3))]
        return tuple(
            Mishap(each, self.chance.randint(0, SHARE_MAX.get(each, 0))) for each in troubles
        )

    def death(self, share: float, statements: int = STATEMENTS_MAX) -> int | None:
        """The statement before which a phone dies, None if it lives."""
        return self.chance.randrange(statements) if self.happens(share) else None


Told = str | None
"""What a step tells in a story; None if there was nothing to do."""


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of step: how often, how its numbers are drawn, and what it does."""

    weight: int
    draw: Callable[[Dice], tuple[Any, ...]]
    do: Callable[..., Told]


Acts = Mapping[str, Act]


def picked(world: World, number: int, kind: str, pick: int) -> str | None:
    """Return one of the records of a kind that a phone shows."""
    ids = [each.record for each in world.replicas[number].phone.records(kind)]
    return ids[pick % len(ids)] if ids else None


def on_server(world: World, kind: str, pick: int) -> str | None:
    """Return one of the records of a kind that the server has."""
    ids = sorted(each.id for each in world.server.records.values() if each.kind == kind)
    return ids[pick % len(ids)] if ids else None
