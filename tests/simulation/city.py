"""A small city for the simulation: three grids, four households, three workers."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from typing_extensions import override

from clients.phone import Phone, SteppedClock
from clients.phone.faults import Fault, FaultyTransport
from sync.known import Settled
from sync.outcome import Outcome
from tests.simulation.model import START_MS, ModelServer
from tests.simulation.network import ModelTransport

COMMUNITY = "00000000-0000-7000-8000-0000000c0000"
GRIDS = tuple(f"00000000-0000-7000-8000-00000000a{n:03}" for n in range(3))
WORKERS = tuple(f"00000000-0000-7000-8000-00000000b{n:03}" for n in range(3))
HOLDINGS = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 0))
SKEWS_MS = (0, 3 * 86_400_000, -7_200_000)


class Weather(Iterator[Fault]):
    """The faults a phone's next requests will meet; then the network is good."""

    def __init__(self) -> None:
        self.coming: deque[Fault] = deque()

    @override
    def __next__(self) -> Fault:
        return self.coming.popleft() if self.coming else Fault.NONE


class Handset:
    """A phone with its worker, clock and weather, and what its worker made on it."""

    def __init__(self, number: int, transport: ModelTransport) -> None:
        self.worker = WORKERS[number]
        self.clock = SteppedClock(wall_ms=START_MS + SKEWS_MS[number], boot=f"boot-{number}-0")
        self.weather = Weather()
        self.boots = itertools.count(1)
        self.http = httpx.Client(
            transport=FaultyTransport(transport, self.weather), base_url="http://model"
        )
        self.phone = Phone(
            ":memory:",
            self.http,
            clock=self.clock,
            chance=random.Random(number),  # noqa: S311
        )
        self.phone.enrol("", self.worker)
        self.facts: set[str] = set()


class City:
    """The server, its console and three phones."""

    def __init__(
        self,
        *,
        check_reply: Callable[[ModelServer, str, bytes], None] = lambda *_: None,
        handsets: int = len(WORKERS),
    ) -> None:
        self.server = ModelServer(GRIDS)
        self._ids = itertools.count(1)
        plain: dict[str, Any] = {
            "name": "Grid",
            "community": COMMUNITY,
            "boundary": "_",
            "area_m2": 1,
        }
        for grid in GRIDS:
            self.must("grid", grid, {"code": grid[-4:], **plain})
        self.must("class", self.new_id(), {"code": "pipe", "name": "Burst pipe"})
        self.households = [self._household(GRIDS[n % 3]) for n in range(4)]
        self.tasks = [self._case(grid, WORKERS[n]) for n, grid in enumerate(GRIDS)]
        for worker, column in HOLDINGS:
            self.server.assign(WORKERS[worker], GRIDS[column])
        self.transport = ModelTransport(self.server, check_reply=check_reply)
        self.handsets = [Handset(n, self.transport) for n in range(handsets)]

    def new_id(self) -> str:
        """Return the next id the console makes."""
        return f"00000000-0000-7000-9000-{next(self._ids):012x}"

    def must(self, kind: str, record: str, members: dict[str, Any]) -> Settled:
        """Let the console make a record that cannot be refused."""
        settled = self.server.decide(record=record, kind=kind, base=0, set=members)
        assert settled.outcome is Outcome.APPLIED, settled
        return settled

    def _household(self, grid: str) -> str:
        dwelling, household = self.new_id(), self.new_id()
        place: dict[str, Any] = {
            "code": dwelling[-4:],
            "address": "1 Long Lane",
            "lon_e7": 0,
            "lat_e7": 0,
        }
        self.must("dwelling", dwelling, {**place, "grid": grid})
        self.must("household", household, {"dwelling": dwelling, "door": "1"})
        return household

    def _case(self, grid: str, worker: str) -> str:
        incident, task = self.new_id(), self.new_id()
        rev = self.must("incident", incident, {"class": "pipe", "grid": grid}).rev
        order = {"task": task, "assignee": worker}
        self.server.decide(
            record=incident, kind="incident", base=rev, act="dispatch", args=order
        )
        return task

    def advance(self, span_ms: int) -> None:
        """Let time pass everywhere."""
        self.server.now_ms += span_ms
        for handset in self.handsets:
            handset.clock.advance(span_ms)

    def replace_server(self, server: ModelServer) -> None:
        """Put another server in the place of this one."""
        self.server = self.transport.server = server
