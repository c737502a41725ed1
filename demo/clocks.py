"""Simulated time: one true time for everybody, and phone clocks that are wrong about it."""

from datetime import UTC, datetime, timedelta, timezone

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
OFFICE_ZONE = timezone(timedelta(hours=8))
OPENS_HOUR, CLOSES_HOUR = 8, 18


class World:
    """The true time of the simulation, milliseconds since 1970-01-01 UTC; never goes back."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms

    def advance_to(self, instant_ms: int) -> None:
        """Let time pass until `instant_ms`, unless it is over already."""
        self.now_ms = max(self.now_ms, instant_ms)


class WorldClock:
    """A phone's clocks (`clients.phone.PhoneClock`): the wall clock is off by `error_ms`."""

    def __init__(self, world: World, *, error_ms: int, up_for_ms: int, boot: str) -> None:
        self._world = world
        self._error_ms = error_ms
        self._booted_ms = world.now_ms - up_for_ms
        self._boot = boot

    @property
    def wall_ms(self) -> int:
        """What the phone believes."""
        return self._world.now_ms + self._error_ms

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the phone booted."""
        return self._world.now_ms - self._booted_ms

    @property
    def boot(self) -> str:
        """The id of this boot."""
        return self._boot

    def wait(self, span_ms: int) -> None:
        """Let time pass for this phone alone: a pause inside one contact."""
        self._booted_ms -= span_ms
        self._error_ms += span_ms

    def set_wall(self, error_ms: int) -> None:
        """Let the owner set the wall clock wrong by `error_ms`."""
        self._error_ms = error_ms

    def reboot(self, boot: str) -> None:
        """Start counting uptime from zero."""
        self._booted_ms = self._world.now_ms
        self._boot = boot


def last_working_day(now_ms: int) -> int:
    """Return the instant at which the last finished day's shift began, in office time."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(OFFICE_ZONE)
    opened = now.replace(hour=OPENS_HOUR, minute=0, second=0, microsecond=0)
    if now.hour < CLOSES_HOUR + 1:
        opened -= timedelta(days=1)
    return int(opened.timestamp()) * 1000


def office_time(instant_ms: int) -> str:
    """Return an instant as office date and time, for people."""
    there = datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(OFFICE_ZONE)
    return there.strftime("%Y-%m-%d %H:%M")
