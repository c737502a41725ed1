"""When a service point is open: a rule about wall clocks, pure.

Hours are said on the wall clock of the place: windows of minutes since midnight, for each day
of the week, and for single dates that differ from it (a holiday, a working day made up on a
Sunday). Nothing is known of the calendar beyond what is said here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS: Final = 21
Window = tuple[int, int]
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Windows `[from, until)` in minutes of a day, by day of the week (0 Monday) and by date.

    A date that is named has the windows it names, none of the week's.
    """

    zone: ZoneInfo
    week: tuple[tuple[Window, ...], ...]
    dates: Mapping[date, tuple[Window, ...]]

    def windows(self, day: date) -> tuple[Window, ...]:
        """Return the windows of a day."""
        return self.dates.get(day, self.week[day.weekday()])


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether it is open at a moment, and when that changes; None: not within three weeks."""

    open: bool
    changes_ms: int | None


def standing(hours: Hours, at_ms: int) -> Standing:
    """Return whether it is open at `at_ms` (UTC), and the first moment when it is otherwise.

    Where the wall clock is put back, a minute that comes twice counts both times; where it is
    put forward, a minute that does not come does not count.
    """
    now_open = _is_open(hours, at_ms)
    first = _local(hours.zone, at_ms).date()
    for offset in range(-1, LOOK_AHEAD_DAYS + 1):
        for turn in sorted(_turns(hours, first + offset * _DAY)):
            if turn > at_ms and _is_open(hours, turn) != now_open:
                return Standing(now_open, turn)
    return Standing(now_open, None)


def _local(zone: ZoneInfo, at_ms: int) -> datetime:
    return (_EPOCH + at_ms * _MS).astimezone(zone)


def _is_open(hours: Hours, at_ms: int) -> bool:
    local = _local(hours.zone, at_ms)
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in hours.windows(local.date()))


def _turns(hours: Hours, day: date) -> Iterator[int]:
    """Every moment of a local day at which something may change, in no order."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock
    before = _offset(hours.zone, midnight, fold=0)
    after = _offset(hours.zone, midnight + _DAY, fold=1)
    for minute in {edge for window in hours.windows(day) for edge in window}:
        for offset in {before, after}:
            yield _utc_ms(midnight + timedelta(minutes=minute), offset)
    if before != after:
        yield _put(hours.zone, _utc_ms(midnight, before), _utc_ms(midnight + _DAY, after))


def _offset(zone: ZoneInfo, wall: datetime, *, fold: int) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0)


def _utc_ms(wall: datetime, offset: timedelta) -> int:
    return (wall.replace(tzinfo=UTC) - offset - _EPOCH) // _MS


def _put(zone: ZoneInfo, low_ms: int, high_ms: int) -> int:
    """The moment between two at which the wall clock is put forward or back."""
    before = _local(zone, low_ms).utcoffset()
    while high_ms - low_ms > 1:
        middle = (low_ms + high_ms) // 2
        if _local(zone, middle).utcoffset() == before:
            low_ms = middle
        else:
            high_ms = middle
    return high_ms
