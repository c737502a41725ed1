"""How long a device that hears nothing may keep what it holds (protocol section 5)."""

from dataclasses import dataclass

from sync.mutation import ClockReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What is left at a reading of the device's clocks, and the server's time then."""

    left_ms: int
    server_ms: int
    read: ClockReading


def elapsed_ms(then: ClockReading, now: ClockReading) -> int:
    """Return how much time has passed at least, as far as clocks that people can set tell.

    Inside one boot the time since booting decides, whatever the wall clock says. After a
    restart it is the wall clock, but no less than the time since booting: who sets the clock
    back gains the time that the device was off, and nothing else.
    """
    if now.boot == then.boot and now.uptime_ms >= then.uptime_ms:
        return now.uptime_ms - then.uptime_ms
    return max(now.wall_ms - then.wall_ms, now.uptime_ms, 0)


def moved_on(expiry: Expiry, now: ClockReading) -> Expiry:
    """Return what is left now, never less than 0."""
    passed = elapsed_ms(expiry.read, now)
    return Expiry(
        left_ms=max(expiry.left_ms - passed, 0), server_ms=expiry.server_ms + passed, read=now
    )
