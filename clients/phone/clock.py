"""What a phone takes from its surroundings: clocks, chance, and the ids made from both."""

from dataclasses import dataclass
from typing import Protocol

from sync.mutation import ClockReading

_UUID_VERSION = 7
_UUID_VARIANT = 2


class PhoneClock(Protocol):
    """The clocks of a phone: a wall clock people can set, and one that counts since boot."""

    @property
    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC as the phone believes."""
        ...

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the phone booted."""
        ...

    @property
    def boot(self) -> str:
        """The id of this boot, 1 to 64 characters."""
        ...


class Chance(Protocol):
    """A source of chance; `random.Random` and `random.SystemRandom` are such."""

    def getrandbits(self, k: int, /) -> int:
        """Return `k` bits."""
        ...

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...


@dataclass(slots=True, kw_only=True)
class SteppedClock:
    """A `PhoneClock` that stands still until it is told to move."""

    wall_ms: int
    uptime_ms: int = 0
    boot: str = "boot-1"

    def advance(self, span_ms: int) -> None:
        """Let `span_ms` milliseconds pass on both clocks."""
        self.wall_ms += span_ms
        self.uptime_ms += span_ms

    def set_wall(self, wall_ms: int) -> None:
        """Set the wall clock, as its owner might; uptime does not notice."""
        self.wall_ms = wall_ms

    def reboot(self, boot: str) -> None:
        """Start counting uptime from zero under a new boot id."""
        self.uptime_ms = 0
        self.boot = boot


def read(clock: PhoneClock) -> ClockReading:
    """Return what the clocks show now."""
    return ClockReading(wall_ms=clock.wall_ms, uptime_ms=clock.uptime_ms, boot=clock.boot)


def new_id(clock: PhoneClock, chance: Chance) -> str:
    """Return a UUIDv7 (RFC 9562): the wall clock's milliseconds, then 74 bits of chance."""
    stamp = max(clock.wall_ms, 0) & ((1 << 48) - 1)
    value = stamp << 80 | _UUID_VERSION << 76 | chance.getrandbits(12) << 64
    value |= _UUID_VARIANT << 62 | chance.getrandbits(62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
