"""One working day of the small world: phones out of reach, an office, one clock."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from typing_extensions import override

from clients.console import Refused
from clients.phone import Phone, SteppedClock
from clients.phone.faults import FaultyTransport
from server.clock import continue_from
from sync.exchange import WireOutcome
from sync.mutation import Datum, Position
from tests.clients.test_real_server import Town
from tests.simulation.city import Weather
from tests.world import centre_e7

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
OPENS_H = 8
E7_PER_M = 99  # of longitude, at the latitude of the small world
# The office's clock runs on while the phones' stand still: as long as a test's step may take.
SLACK_MS = 30_000


@dataclass
class Day(Town):
    """A running server, an office, and the phones people carry, from 8:00 of the first day on.

    `at` moves the office's clock and the phones' together; between two moves those of the
    phones stand still and nobody syncs unless told to.
    """

    begins_ms: int = 0
    now_ms: int = 0
    clocks: list[SteppedClock] = field(default_factory=list)

    def ms(self, hour: float, minute: float = 0, *, day: int = 1) -> int:
        """The instant of a time of the story."""
        hours = (day - 1) * 24 + hour - OPENS_H
        return self.begins_ms + round(hours * HOUR_MS + minute * MINUTE_MS)

    def at(self, hour: float, minute: float = 0, *, day: int = 1) -> None:
        """Let it become this time, everywhere."""
        instant = self.ms(hour, minute, day=day)
        assert instant >= self.now_ms, "a day does not go backwards"
        for each in self.clocks:
            each.advance(instant - self.now_ms)
        self.now_ms = instant
        continue_from(instant)

    @override
    def phone(self, login: str) -> Phone:
        """Enrol a new phone of a worker, which has synced once."""
        weather = Weather()
        http = httpx.Client(transport=FaultyTransport(httpx.HTTPTransport(), weather))
        self.clients.append(http)
        boot = f"boot {len(self.phones)}"
        clock = SteppedClock(wall_ms=self.now_ms, uptime_ms=10**7, boot=boot)
        chance = random.Random(boot)  # noqa: S311 - the same ids each time
        made = Phone(":memory:", http, clock=clock, chance=chance)
        self.phones.append(made)
        self.clocks.append(clock)
        self.weather[id(made)] = weather
        made.enrol(self.url, self.world.tokens[login])
        assert made.sync().up_to_date
        return made

    def clock_of(self, phone: Phone) -> SteppedClock:
        """The clock of a phone, for those who set it."""
        return self.clocks[self.phones.index(phone)]

    # what the office does

    def read(self, path: str, login: str = "dispatcher", **query: Any) -> Any:
        """The body of a GET."""
        return self.console(login).get(path, **query)

    def items(self, path: str, login: str = "dispatcher", **query: Any) -> list[Any]:
        """All items of a list."""
        return list(self.console(login).items(path, **query))

    def decide(
        self, path: str, act: str, body: Any = None, *, login: str = "dispatcher"
    ) -> Any:
        """Read something and take a step with it."""
        console = self.console(login)
        return console.post(f"{path}/{act}", body, rev=console.get(path)["rev"])

    def case(self, login: str = "ann", *, due_h: float = 12, grid: int = 0) -> "Case":
        """The office takes in a call and dispatches a worker."""
        lon_e7, lat_e7 = centre_e7(grid)
        place = {"lon": lon_e7 / 1e7, "lat": lat_e7 / 1e7}
        said = {"class": "0402", "text": "Water in the street", "position": place}
        report = self.console("dispatcher").post("/v1/reports", said)
        path = f"/v1/incidents/{report['incident']}"
        order = {"assignee": login, "due_at_ms": self.ms(due_h)}
        incident = self.decide(path, "dispatch", order)
        return Case(day=self, path=path, task=incident["task"])


@dataclass(frozen=True, kw_only=True)
class Case:
    """An incident that somebody was sent to."""

    day: Day
    path: str
    task: str

    @property
    def incident(self) -> Mapping[str, Any]:
        """The incident as the office reads it."""
        return self.day.read(self.path)

    @property
    def work(self) -> Mapping[str, Any]:
        """The task as the office reads it."""
        return self.day.read(f"/v1/tasks/{self.task}")

    def told(self, act: str) -> list[tuple[str, bool]]:
        """Who did an act, as the office reads it, and whether it counts; oldest first."""
        lines = self.incident["timeline"]
        return [(each["by"], each["counted"]) for each in lines if each["act"] == act]

    def times(self, act: str) -> list[int]:
        """When an act was done, oldest first."""
        return [each["at_ms"] for each in self.incident["timeline"] if each["act"] == act]

    def decide(self, act: str, body: Any = None, *, login: str = "dispatcher") -> Any:
        """Take a step with the incident."""
        return self.day.decide(self.path, act, body, login=login)

    def reassign(self, login: str) -> Any:
        """Give the task to somebody else."""
        return self.day.decide(f"/v1/tasks/{self.task}", "assign", {"assignee": login})


def place_e7(grid: int, *, east_m: int = 0) -> tuple[int, int]:
    """A point so many metres east of the middle of a grid."""
    lon_e7, lat_e7 = centre_e7(grid)
    return lon_e7 + east_m * E7_PER_M, lat_e7


def report(
    phone: Phone, grid: int = 0, *, east_m: int = 0, accuracy_cm: int = 500, **said: str
) -> str:
    """Report a burst main so many metres east of the middle of a grid; return its id."""
    lon_e7, lat_e7 = place_e7(grid, east_m=east_m)
    place = Position(lon_e7=lon_e7, lat_e7=lat_e7, datum=Datum.WGS84, accuracy_cm=accuracy_cm)
    return phone.create("report", set={"class": "0402", **said}, position=place)


def became(phone: Phone) -> list[tuple[str, str | None]]:
    """Outcome and code of everything the phone handed in, in its order."""
    return [_short(each) for each in phone.outcomes()]


def _short(outcome: WireOutcome) -> tuple[str, str | None]:
    return outcome.outcome.value, None if outcome.code is None else str(outcome.code)


def about(instant_ms: int) -> Any:
    """The instant, give or take what the server needed for the steps of the story."""
    return pytest.approx(instant_ms, abs=SLACK_MS)


def refusal(problem: pytest.ExceptionInfo[Refused]) -> tuple[int, str]:
    """Status and slug of what the office was refused."""
    return problem.value.status, problem.value.slug
