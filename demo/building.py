"""Build the demo's store: empty, migrate, import what ships, open accounts."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from demo import queries, sources
from demo.clocks import HOUR_MS
from demo.crew import WorkerPlan
from demo.people import write_people
from server.clock import continue_from, now_ms
from server.db.store import Store, open_store
from server.identity.principal import Role
from server.identity.queries import area_with_code, assign, create_account, create_token
from server.imports.command import ImportRequest, import_into
from server.imports.report import ImportReport
from server.migrations import migrate, rewind
from server.settings import Settings

DISPATCHER, ANALYST = "dispatcher", "analyst"
OFFICE = {DISPATCHER: Role.DISPATCHER, ANALYST: Role.ANALYST}
SIDE_FILES = ("", "-wal", "-shm")
Step = Callable[[str, int, int], None]


class NotOursError(RuntimeError):
    """The store exists and was not made by the demo, or holds data nobody allowed to drop."""


class ImportFailedError(RuntimeError):
    """The demo's own data was refused; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Tokens of everybody, by login, and the workers' account ids."""

    tokens: Mapping[str, str]
    accounts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where and when the demo takes place."""

    database: str
    folder: Path
    households: int
    seed: int
    start_ms: int


def open_demo_store(database: str) -> Store:
    """Open the demo's store as the settings of this process allow."""
    return open_store(database, allow_unsafe=Settings().allow_unsafe)


def clear_file(path: Path) -> None:
    """Delete the store an earlier run made.

    Raises:
        NotOursError: if the file is anything else; it is left as it is.
    """
    if not path.exists():
        return
    if not _is_marked(path):
        advice = "move it away or name another --directory"
        raise NotOursError(f"{path} was not made by the demo: {advice}")
    for suffix in SIDE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _is_marked(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT 1 FROM counter WHERE name = ?", (queries.MARK,))
            return rows.fetchone() is not None
    except sqlite3.Error:
        return False


async def _state_of(database: str) -> tuple[bool, bool]:
    store = open_demo_store(database)
    try:
        return await store.read(lambda db: (queries.has_tables(db), queries.is_marked(db)))
    finally:
        await store.close()


def clear_database(database: str, *, reset: bool) -> None:
    """Make sure that a PostgreSQL database is empty.

    Raises:
        NotOursError: if it holds tables, unless an earlier demo made them and `reset` is given.
    """
    filled, marked = asyncio.run(_state_of(database))
    if not filled:
        return
    if not marked:
        raise NotOursError("the database is not empty; create one for the demo: createdb demo")
    if not reset:
        raise NotOursError("the database holds an earlier demo; --reset replaces it")
    rewind(database)


def build_store(ground: Ground, crew: Sequence[WorkerPlan], step: Step) -> Crew:
    """Migrate the empty store, import everything that ships, and open the accounts.

    Raises:
        ImportFailedError: if the data is refused.
    """
    migrate(ground.database)
    continue_from(ground.start_ms - HOUR_MS)
    try:
        return asyncio.run(_fill(ground, crew, step))
    finally:
        continue_from(None)


async def _fill(ground: Ground, crew: Sequence[WorkerPlan], step: Step) -> Crew:
    store = open_demo_store(ground.database)
    try:
        await store.write(queries.mark)
        people = write_people(ground.folder, households=ground.households, seed=ground.seed)
        files = {
            "areas": sources.AREAS,
            "grids": sources.GRIDS,
            "classes": sources.CLASSES,
            "dwellings": sources.DWELLINGS,
            "households": people.households_file,
            "residents": people.residents_file,
        }
        for kind, path in files.items():
            request = ImportRequest(kind=kind, path=path, progress=partial(step, kind))
            _require_done(await import_into(store, request))
        return await store.write(partial(_open_accounts, crew=crew, now_ms=now_ms()))
    finally:
        await store.close()


def _require_done(report: ImportReport) -> None:
    if not report.ok:
        raise ImportFailedError("\n".join(report.lines()))


def _open_accounts(db: Connection, *, crew: Sequence[WorkerPlan], now_ms: int) -> Crew:
    """Open the office's accounts for the district, and the workers' for their grids."""
    accounts: dict[str, str] = {}
    for login, role in OFFICE.items():
        accounts[login] = create_account(
            db, login=login, role=role, area_code=sources.DISTRICT_CODE, now_ms=now_ms
        )
    for worker in crew:
        first, *others = worker.grids
        accounts[worker.login] = create_account(
            db, login=worker.login, role=Role.WORKER, area_code=first, now_ms=now_ms
        )
        for code in others:
            area = area_with_code(db, code)
            assign(db, account=accounts[worker.login], area=area.id, now_ms=now_ms)
    tokens = {
        login: create_token(db, account=account, now_ms=now_ms)
        for login, account in accounts.items()
    }
    return Crew(tokens=tokens, accounts=accounts)
