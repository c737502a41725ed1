"""Chance from a seed: one seed and name give the same draws on every machine and version."""

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")
_BLOCK_BITS = 256
_FRACTION_BITS = 53


class SeededChance:
    """An endless row of bits from SHA-256 in counter mode.

    `child` makes an independent row by name, so that adding a draw in one place of the
    simulation changes nothing in another.
    """

    def __init__(self, *name: str | int) -> None:
        self._name = "/".join(map(str, name))
        self._block = 0
        self._bits = 0
        self._left = 0

    def child(self, *name: str | int) -> "SeededChance":
        """Return an independent source of chance."""
        return SeededChance(self._name, *name)

    def getrandbits(self, k: int, /) -> int:
        """Return `k` bits."""
        while self._left < k:
            digest = sha256(f"{self._name}#{self._block}".encode()).digest()
            self._bits = self._bits << _BLOCK_BITS | int.from_bytes(digest)
            self._left += _BLOCK_BITS
            self._block += 1
        self._left -= k
        drawn = self._bits >> self._left
        self._bits &= (1 << self._left) - 1
        return drawn

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return float(self.getrandbits(_FRACTION_BITS)) / float(1 << _FRACTION_BITS)

    def below(self, limit: int) -> int:
        """Return a whole number in [0, limit)."""
        return int(self.random() * limit)

    def between(self, low: int, high: int) -> int:
        """Return a whole number in [low, high]."""
        return low + self.below(high - low + 1)

    def happens(self, share: float) -> bool:
        """Return true in `share` of the cases."""
        return self.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in another order."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(len(rest))]
