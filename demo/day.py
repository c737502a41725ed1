"""The working day: phones offline, the office online, contacts in between, in world time."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.building import DISPATCHER, Crew
from demo.clocks import MINUTE_MS, World
from demo.crew import WorkerPlan
from demo.office import Dispatcher
from demo.planning import Happening, plan_day
from demo.serving import ServerProcess
from demo.sources import rhythm
from demo.worker import StuckError, Worker

CONTACTS_AT_ONCE = 4
ROUNDS_MAX = 12
ENROL_MINUTE = -25
CLOSE_MINUTE = 600
EVERY, SOME = 1, 3
CONTACT_MINUTES: tuple[tuple[int, int], ...] = (
    (120, SOME),
    (240, EVERY),
    (275, EVERY),
    (360, SOME),
    (450, EVERY),
    (475, EVERY),
)
"""Minute of the shift, and every which worker is in contact then."""
OFFICE_MINUTES = (250, 455)
CALLING_OFF_MINUTE = 365
"""Just after some phones have been in contact, long before the others are."""

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPlan:
    """Everything the day needs besides the server."""

    crew: Sequence[WorkerPlan]
    access: Crew
    folder: Path
    start_ms: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayDone:
    """The phones at the end of the day, still open, and what the office did."""

    workers: Sequence[Worker]
    office: Mapping[str, int]
    deeds: Mapping[str, int]


class Day:
    """Runs the plan against a server."""

    def __init__(self, plan: DayPlan, server: ServerProcess, told: Told) -> None:
        self._plan = plan
        self._server = server
        self._told = told
        self._world = World(plan.start_ms + ENROL_MINUTE * MINUTE_MS)
        folder = plan.folder / "phones"
        folder.mkdir(parents=True, exist_ok=True)
        self.workers = [Worker(each, folder, self._world, seed=plan.seed) for each in plan.crew]
        self._deeds: dict[str, int] = {}

    def run(self) -> DayDone:
        """Enrol, work, and sync until every phone is up to date.

        Raises:
            StuckError: if a phone cannot finish.
        """
        with httpx.Client(base_url=self._server.url, timeout=60) as http:
            token = self._plan.access.tokens[DISPATCHER]
            office = Dispatcher(http, token, self._plan.crew, seed=self._plan.seed)
            self._enrol()
            self._shift(office)
            self._close(office)
        return DayDone(workers=self.workers, office=office.desk.steps, deeds=self._deeds)

    def close(self) -> None:
        """Put all phones away."""
        for worker in self.workers:
            worker.close()

    def _now(self, minute: float) -> None:
        """Let the world and the server live at a minute of the shift."""
        self._world.advance_to(self._plan.start_ms + int(minute * MINUTE_MS))
        self._server.live_at(self._world.now_ms)

    def _enrol(self) -> None:
        self._now(ENROL_MINUTE)
        for number, worker in enumerate(self.workers, start=1):
            login = worker.plan.login
            worker.account = self._plan.access.accounts[login]
            worker.phone.enrol(self._server.url, self._plan.access.tokens[login], name=login)
            self._told("phones enrolled", number, len(self.workers))
        self._contacts(self.workers, "first sync")

    def _contacts(self, workers: Sequence[Worker], title: str) -> None:
        """Let several phones sync at the same time."""
        with ThreadPoolExecutor(CONTACTS_AT_ONCE) as threads:
            done = threads.map(Worker.contact, workers)
            for number, _ in enumerate(done, start=1):
                self._told(title, number, len(workers))

    def _shift(self, office: Dispatcher) -> None:
        """Work through the plan; between deeds come the contacts and the office's hours."""
        plan = self._plan
        deeds = plan_day(plan.crew, rhythm(), start_ms=plan.start_ms, seed=plan.seed)
        hours: list[tuple[int, Callable[[], None]]] = [
            (minute, lambda every=every: self._some_contacts(every))  # type: ignore[misc]  # bound now
            for minute, every in CONTACT_MINUTES
        ]
        hours += [(minute, lambda: self._office_hour(office)) for minute in OFFICE_MINUTES]
        hours.append((CALLING_OFF_MINUTE, office.call_off))
        done = 0
        for minute, contact in sorted(hours, key=lambda hour: hour[0]):
            done = self._work_until(deeds, done, minute)
            self._now(minute)
            contact()
        self._work_until(deeds, done, CLOSE_MINUTE)

    def _work_until(self, deeds: Sequence[Happening], done: int, minute: int) -> int:
        """Do the deeds before `minute`, offline; return how many are done in all."""
        until_ms = self._plan.start_ms + minute * MINUTE_MS
        while done < len(deeds) and deeds[done].at_ms < until_ms:
            deed = deeds[done]
            self._world.advance_to(deed.at_ms)
            self.workers[deed.worker].do(deed)
            self._deeds[deed.deed] = self._deeds.get(deed.deed, 0) + 1
            done += 1
            self._told("work done offline", done, len(deeds))
        return done

    def _some_contacts(self, every: int) -> None:
        self._contacts(self.workers[::every], "contact")

    def _office_hour(self, office: Dispatcher) -> None:
        office.check_work()
        office.triage()
        office.take_calls()

    def _close(self, office: Dispatcher) -> None:
        """Everybody syncs, the office ends its day, and all sync until they are up to date."""
        self._now(CLOSE_MINUTE)
        self._contacts(self.workers, "last sync")
        self._now(CLOSE_MINUTE + 5)
        office.check_work()
        office.settle_conflicts()
        for number in range(ROUNDS_MAX):
            self._now(CLOSE_MINUTE + 10 + number)
            behind = [each for each in self.workers if not self._settled(each)]
            if number and not behind:
                return
            self._contacts(behind if number else self.workers, "last sync")
        raise StuckError("some phones are not up to date after the day")

    def _settled(self, worker: Worker) -> bool:
        return worker.phone.is_up_to_date() and not worker.phone.pending()
