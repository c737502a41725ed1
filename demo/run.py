"""The demo from an empty store to the checked promises."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from demo import queries
from demo.building import Crew, Ground, build_store, clear_database, clear_file, open_demo_store
from demo.checks import PhoneSays, corrected_times, examine
from demo.clocks import last_working_day
from demo.crew import WorkerPlan, plan_crew
from demo.day import Day, DayDone, DayPlan, Told
from demo.planning import clock_states
from demo.queries import Mutated, OpenConflict, Stored
from demo.serving import ServerProcess
from demo.summary import Result, total
from demo.worker import Worker
from server.clock import now_ms, ticks_s
from server.db.store import normalised, sqlite_path

STORE_FILE, SERVER_LOG = "demo.gpkg", "demo-server.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the demo is."""

    devices: int
    households: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A filled store with its accounts, and the plan of the day."""

    ground: Ground
    crew: Sequence[WorkerPlan]
    access: Crew
    started_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the store says after the day."""

    kinds: dict[str, int]
    records: dict[str, Stored]
    mutations: list[Mutated]
    conflicts: list[OpenConflict]


def store_url(database: str, folder: Path) -> str:
    """Return the address of the demo's store: the one given, or a file of its own."""
    return database or f"sqlite:///{(folder / STORE_FILE).resolve()}"


def prepare(database: str, folder: Path, size: Size, *, reset: bool, told: Told) -> Prepared:
    """Make the store anew, import what ships, open the accounts.

    Raises:
        NotOursError: if there is a store that the demo did not make; it stays as it is.
        ImportFailedError: if the demo's own data is refused.
        StoreBusy: if the database is not reachable.
    """
    started_s = ticks_s()
    folder.mkdir(parents=True, exist_ok=True)
    url = normalised(database)
    if url.get_backend_name() == "sqlite":
        clear_file(sqlite_path(url))
    else:
        clear_database(database, reset=reset)
    crew = plan_crew(size.devices, seed=size.seed)
    ground = Ground(
        database=database,
        folder=folder,
        households=size.households,
        seed=size.seed,
        start_ms=last_working_day(now_ms()),
    )
    access = build_store(ground, crew, told)
    return Prepared(ground=ground, crew=crew, access=access, started_s=started_s)


def simulate(prepared: Prepared, server: ServerProcess, told: Told) -> Result:
    """Run the day against the server, then check the promises on the store.

    Raises:
        StuckError: if a phone cannot finish its contacts.
        ServerSilentError: if the server ends.
    """
    ground = prepared.ground
    plan = DayPlan(
        crew=prepared.crew,
        access=prepared.access,
        folder=ground.folder,
        start_ms=ground.start_ms,
        seed=ground.seed,
    )
    server.wait_ready()
    day = Day(plan, server, told)
    try:
        done = day.run()
        server.live_at(None)
        phones = [_says(each) for each in day.workers]
        seen = asyncio.run(_look(ground.database))
    finally:
        day.close()
    return _result(prepared, done, phones, seen)


def _says(worker: Worker) -> PhoneSays:
    phone = worker.phone
    return PhoneSays(
        login=worker.plan.login,
        device=phone.device or "",
        digests=phone.digests(),
        settled={each.n: each.outcome.value for each in phone.outcomes()},
        pending=len(phone.pending()),
        up_to_date=phone.is_up_to_date(),
        done_ms=worker.done_ms,
    )


async def _look(database: str) -> _Seen:
    def work(db: Connection) -> _Seen:
        return _Seen(
            kinds=queries.records_by_kind(db),
            records=queries.records(db),
            mutations=queries.mutations(db),
            conflicts=queries.conflicts_open(db),
        )

    store = open_demo_store(database)
    try:
        return await store.read(work)
    finally:
        await store.close()


def _result(
    prepared: Prepared, done: DayDone, phones: Sequence[PhoneSays], seen: _Seen
) -> Result:
    outcomes: dict[str, int] = {}
    for phone in phones:
        for outcome in phone.settled.values():
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return Result(
        seconds=ticks_s() - prepared.started_s,
        start_ms=prepared.ground.start_ms,
        records=seen.kinds,
        deeds=total([done.deeds]),
        office=total([done.office]),
        outcomes=total([outcomes]),
        clocks=clock_states(prepared.crew),
        times=corrected_times(phones, seen.mutations),
        conflicts=seen.conflicts,
        findings=examine(phones, seen.mutations, seen.records),
        traffic={each.plan.login: each.traffic for each in done.workers},
    )
