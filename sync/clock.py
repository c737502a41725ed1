"""When something really happened, although the phone's clock may be wrong (protocol section 4).

A sync is never refused because of a clock: a time that cannot be is moved to the nearest one
that can, and its quality says so.
"""

from dataclasses import dataclass

from sync.mutation import ClockReading, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A time on the server's clock, milliseconds UTC, and how far it can be trusted."""

    at_ms: int
    quality: Quality


def offset_of(send: ClockReading, received_ms: int) -> int:
    """Return what to add to the device's wall clock to get the server's, at this contact."""
    return received_ms - send.wall_ms


def _of_one_boot(reading: ClockReading, send: ClockReading) -> bool:
    """Say whether both readings count from the same boot; an empty id says nothing."""
    same = reading.boot != "" and reading.boot == send.boot
    return same and reading.uptime_ms <= send.uptime_ms


def correct(
    reading: ClockReading | None,
    send: ClockReading | None,
    *,
    received_ms: int,
    offset_ms: int | None,
    floor_ms: int,
) -> Corrected:
    """Return when an act took place.

    Args:
        reading: the device's clocks at the act; None for a console, whose time is the server's.
        send: the device's clocks just before it sent the request.
        received_ms: when the request arrived; the result is never later.
        offset_ms: server minus device wall clock, from this contact or the last one known.
        floor_ms: the device's previous act, or an earlier contact that this act came after;
            the result is not earlier (unless the floor itself lies after `received_ms`).

    The result is exact when both readings are from the same boot, whatever the wall clock did
    between them; else it is estimated from the wall clock; outside the limits it is clamped.
    """
    if reading is None:
        return Corrected(at_ms=received_ms, quality=Quality.EXACT)
    if send is not None and _of_one_boot(reading, send):
        at_ms = received_ms - (send.uptime_ms - reading.uptime_ms)
        quality = Quality.EXACT
    else:
        at_ms = reading.wall_ms + (offset_ms or 0)
        quality = Quality.ESTIMATED
    possible = min(max(at_ms, floor_ms), received_ms)
    if possible != at_ms:
        quality = Quality.CLAMPED
    return Corrected(at_ms=possible, quality=quality)
