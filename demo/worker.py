"""One worker with a phone: does the deeds of the plan offline, and contacts the server."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from clients.phone import Phone
from clients.phone.faults import Fault, FaultyTransport
from demo.chance import SeededChance
from demo.clocks import HOUR_MS, World, WorldClock
from demo.crew import WorkerPlan
from demo.planning import Deed, Happening, clock_trouble
from demo.sources import Request
from geo.datum import from_wgs84
from sync.mutation import Datum, Position
from sync.replica import Shown

TIMEOUT_S = 60.0
CONTACTS_MAX = 40
GOOD_REQUESTS = 3
FAULTS = (
    *[Fault.NONE] * 62,
    *[Fault.LOSE_REPLY] * 12,
    *[Fault.DUPLICATE] * 10,
    *[Fault.CUT] * 8,
    *[Fault.LATE_DUPLICATE] * 4,
    *[Fault.LOSE_REQUEST] * 4,
)
DATUMS = (*[Datum.WGS84] * 7, *[Datum.GCJ02] * 2, Datum.BD09)
LANGUAGES = ("nan", "hak", "yue", "eng", "vie", "ind")
VISIT_OUTCOMES = (*["done"] * 6, *["not_home"] * 3, "refused")
NEXT_ACT = {"assigned": "accept", "accepted": "start", "in_progress": "finish"}
NOT_EXECUTABLE_SHARE = 0.06
_E7 = 10**7


class StuckError(RuntimeError):
    """A phone could not finish a contact although the network is only bad now and then."""


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What a worker's contacts cost, and what the network did to them."""

    bytes_up: int = 0
    bytes_down: int = 0
    round_trips: int = 0
    contacts: int = 0
    faults: dict[str, int] = field(default_factory=dict)


class Worker:
    """A worker, the phone and its clock."""

    def __init__(self, plan: WorkerPlan, folder: Path, world: World, *, seed: int) -> None:
        self.plan = plan
        self.traffic = Traffic()
        self.done_ms: dict[int, int] = {}
        self._chance = SeededChance(seed, "worker", plan.login)
        pair = plan.index if plan.partner is None else min(plan.index, plan.partner)
        self._shared = SeededChance(seed, "pair", pair)
        self.clock = WorldClock(
            world,
            error_ms=clock_trouble(plan.index).error_ms,
            up_for_ms=self._chance.between(1, 200) * HOUR_MS,
            boot=f"{plan.login}-boot-1",
        )
        path = folder / f"{plan.login}.sqlite"
        path.unlink(missing_ok=True)
        faults = self._chance.child("faults")
        transport = FaultyTransport(httpx.HTTPTransport(), self._fault_plan(faults))
        self._http = httpx.Client(transport=transport, timeout=TIMEOUT_S)
        phone_chance = self._chance.child("phone")
        self.phone = Phone(path, self._http, clock=self.clock, chance=phone_chance)
        self.account = ""

    def close(self) -> None:
        """Put the phone away."""
        self.phone.close()
        self._http.close()

    def _fault_plan(self, chance: SeededChance) -> Iterator[Fault]:
        """Yield the faults of one request after another; the first contact is a good one."""
        for _ in range(GOOD_REQUESTS):
            yield Fault.NONE
        while True:
            fault = chance.pick(FAULTS)
            if fault is not Fault.NONE:
                counts = self.traffic.faults
                counts[fault.value] = counts.get(fault.value, 0) + 1
            yield fault

    # contact

    def contact(self) -> None:
        """Sync until a whole sync came through, however often the network fails.

        Raises:
            StuckError: after `CONTACTS_MAX` attempts.
        """
        self.traffic.contacts += 1
        for _ in range(CONTACTS_MAX):
            report = self.phone.sync()
            self.traffic.bytes_up += report.bytes_up
            self.traffic.bytes_down += report.bytes_down
            self.traffic.round_trips += report.round_trips
            if report.failure is None:
                return
            self.clock.wait(max(report.wait_s, 1) * 1000)
        raise StuckError(f"{self.plan.login} could not finish a contact")

    # deeds

    def do(self, happening: Happening) -> None:
        """Do one deed of the plan."""
        deeds: Mapping[Deed, Callable[[Happening], None]] = {
            Deed.REPORT: self._report,
            Deed.VISIT: self._visit,
            Deed.EDIT: self._edit,
            Deed.PAIR_EDIT: self._pair_edit,
            Deed.RESIDENT: self._resident,
            Deed.NOTE: self._note,
            Deed.TASKS: self._tasks,
            Deed.SET_CLOCK: self._set_clock,
            Deed.REBOOT: self._reboot,
        }
        deeds[happening.deed](happening)
        for n in self.phone.pending():
            self.done_ms.setdefault(n, happening.at_ms)

    def _report(self, happening: Happening) -> None:
        if happening.request is None:
            return
        nature = happening.request.nature or "No nature given"
        self.phone.create(
            "report",
            set={
                "class": happening.request.class_code,
                "text": f"{nature} (mapped request)",
                "channel": "worker",
            },
            position=self._fix(happening.request),
        )

    def _fix(self, request: Request) -> Position:
        """Return a position near the request, in the datum this phone's map happens to use."""
        datum = self._chance.pick(DATUMS)
        jitter = (self._chance.random() - 0.5) * 4e-5
        lon, lat = from_wgs84(request.lon + jitter, request.lat + jitter, datum.value)
        return Position(
            lon_e7=round(lon * _E7),
            lat_e7=round(lat * _E7),
            datum=datum,
            accuracy_cm=self._chance.between(300, 2_500),
        )

    def _household(self) -> Shown | None:
        """Return any household the phone shows."""
        households = self.phone.records("household")
        return self._chance.pick(households) if households else None

    def _visit(self, _happening: Happening) -> None:
        household = self._household()
        if household is None:
            return
        outcome = self._chance.pick(VISIT_OUTCOMES)
        values = {"household": household.record, "outcome": outcome}
        if outcome == "done":
            values["text"] = "All well, data checked"
        self.phone.create("visit", set=values)

    def _edit(self, _happening: Happening) -> None:
        household = self._household()
        if household is None:
            return
        field_name = self._chance.pick(
            ("contact_phone", "size_band", "preference", "languages")
        )
        if field_name == "languages":
            self.phone.edit(household.record, add={"languages": [self._chance.pick(LANGUAGES)]})
            return
        edits: dict[str, dict[str, Any]] = {
            "contact_phone": {"contact_phone": self._number()},
            "size_band": {"size_band": self._chance.pick(("1", "2", "3-4", "5+"))},
            "preference": {"visit_preference": self._chance.pick(("any", "phone_first"))},
        }
        self.phone.edit(household.record, set=edits[field_name])

    def _number(self) -> str:
        return f"000-{self._chance.below(10_000):04}-{self._chance.below(10_000):04}"

    def _pair_edit(self, happening: Happening) -> None:
        """Change a household that the partner changes too, in the same field, unseen."""
        households = [each for each in self.phone.records("household") if each.rev]
        if not households:
            return
        chance = self._shared.child(happening.number)
        household = chance.pick(households)
        second = self.plan.partner is not None and self.plan.partner < self.plan.index
        if happening.number % 2:
            values: dict[str, Any] = {"status": "vacant" if second else "moved_out"}
        else:
            values = {"contact_phone": self._number()}
        apart = {"visit_preference": "phone_first"} if second else {"size_band": "3-4"}
        self.phone.edit(household.record, set={**values, **apart})

    def _resident(self, _happening: Happening) -> None:
        household = self._household()
        if household is None:
            return
        name = f"Resident {self.plan.index + 1:02}-{self._chance.below(10_000):04}"
        year = self._chance.between(1935, 2007)
        values = {"household": household.record, "name": name, "birth_year": year}
        self.phone.create("resident", set={**values, "status": "active"})

    def _note(self, _happening: Happening) -> None:
        household = self._household()
        if household is not None:
            text = "Asked for a leaflet about the lift"
            self.phone.create("note", set={"parent": household.record, "text": text})

    def _tasks(self, _happening: Happening) -> None:
        """Take every task that is mine one step further."""
        for task in self.phone.records("task"):
            act = NEXT_ACT.get(str(task.state.get("status")))
            if act is None or task.state.get("assignee") != self.account:
                continue
            args: dict[str, Any] = {}
            if act == "finish":
                args = {"result": "Cleared and cleaned"}
                if self._chance.happens(NOT_EXECUTABLE_SHARE):
                    act, args = "not_executable", {"result": "No access to the place"}
            self.phone.act(task.record, act, args)

    def _set_clock(self, _happening: Happening) -> None:
        self.clock.set_wall(clock_trouble(self.plan.index).set_to_ms or 0)

    def _reboot(self, _happening: Happening) -> None:
        self.clock.reboot(f"{self.plan.login}-boot-2")
