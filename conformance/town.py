"""The other side of the wire: a real server on a small town, and the people in its office.

A town is made once as a file; every scenario gets a copy with a server of its own.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self, TypeVar

import httpx
import uvicorn
from sqlalchemy import Connection

from conformance import queries
from conformance.queries import StoredRecord
from conformance.wire import HOST
from server.app import create_app
from server.clock import now_ms
from server.db.store import Store, open_store
from server.identity.principal import Role
from server.identity.queries import create_account, create_token
from server.imports.areas import area_id
from server.imports.command import ImportRequest, import_into
from server.migrations import migrate
from server.replication.leaving import Days, leave_by_date
from server.replication.submit import Console, Draft, require_done, submit
from server.settings import Settings
from sync.push import Settled

T = TypeVar("T")
DAY_MS: Final = 86_400_000
WAIT_S: Final = 60.0
COMMUNITY: Final = "990101001001"
GRIDS: Final = tuple(f"{COMMUNITY}{number:03}" for number in (1, 2, 3))
HOMES_A_GRID: Final = 4
ANN, BEA, OFFICE = "ann", "bea", "office"
_AREAS: Final = f"""code,name,level,parent
9901,Sample City,city,
990101,Sample District,district,9901
990101001,Street 001,street,990101
{COMMUNITY},Community 001,community,990101001
"""
_CLASSES: Final = """code,name,name_zh,major,limit_hours,duplicate_radius_m,photo_rule,active
0102,Exposed rubbish,暴露垃圾,City appearance,4,30,none,true
"""
_SIDE = 0.001


class TownNotBuilt(Exception):  # noqa: N818 - named as the condition it reports
    """The town's data was refused, or its server does not start: our fault, not a client's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A town as a file, with the tokens of its people by login."""

    file: Path
    tokens: Mapping[str, str]
    accounts: Mapping[str, str]


def grid_id(index: int) -> str:
    """Return the id of the grid at this place in the row."""
    return area_id(GRIDS[index])


def grid_bucket(index: int) -> str:
    """Return the bucket of the grid at this place in the row."""
    return f"grid:{grid_id(index)}"


def place(index: int) -> dict[str, Any]:
    """Return a measured position well inside a grid, as it stands in a mutation."""
    lon = 121.5 + (index + 0.5) * _SIDE
    return {
        "lon_e7": round(lon * 10**7),
        "lat_e7": round((25.0 + _SIDE / 2) * 10**7),
        "datum": "wgs84",
        "accuracy_cm": 500,
    }


def _square(index: int) -> dict[str, Any]:
    west, south = round(121.5 + index * _SIDE, 7), 25.0
    east, north = round(west + _SIDE, 7), south + _SIDE
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _files(folder: Path) -> dict[str, Path]:
    """Write what is imported, and return it by kind in the order of importing."""
    grids = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": f"Grid {code[-3:]}", "community": COMMUNITY},
            "geometry": _square(index),
        }
        for index, code in enumerate(GRIDS)
    ]
    homes = [
        (f"B{index}{number}", code, index)
        for index, code in enumerate(GRIDS)
        for number in range(HOMES_A_GRID)
    ]
    dwellings = ["code,address,lon,lat,grid"] + [
        f"{name},Block {name},{121.5 + (index + 0.5) * _SIDE:.7f},{25.0 + _SIDE / 2:.7f},{code}"
        for name, code, index in homes
    ]
    households = ["dwelling,door,contact_phone,size_band,status,visit_preference,languages"] + [
        f"{name},01-01,000-0000,2,active,any,cmn" for name, _, _ in homes
    ]
    texts = {
        "areas": _AREAS,
        "grids": json.dumps({"type": "FeatureCollection", "features": grids}),
        "classes": _CLASSES,
        "dwellings": "\n".join(dwellings) + "\n",
        "households": "\n".join(households) + "\n",
    }
    files = {}
    for kind, text in texts.items():
        files[kind] = folder / (f"{kind}.geojson" if kind == "grids" else f"{kind}.csv")
        files[kind].write_text(text, encoding="utf-8")
    return files


def build_plot(folder: Path) -> Plot:
    """Make the town: three grids in a row, households, two workers and an office.

    Ann answers for the first two grids, Bea for the first.

    Raises:
        TownNotBuilt: if its data is refused.
    """
    file = Path(tempfile.mkdtemp(prefix="town-", dir=folder)) / "town.gpkg"
    url = f"sqlite:///{file}"
    migrate(url)

    async def fill() -> Plot:
        store = open_store(url)
        try:
            for kind, path in _files(folder).items():
                report = await import_into(store, ImportRequest(kind=kind, path=path))
                if not report.ok:
                    raise TownNotBuilt("; ".join(report.lines()))
            tokens, accounts = await store.write(_people)
            return Plot(file=file, tokens=tokens, accounts=accounts)
        finally:
            await store.close()

    return asyncio.run(fill())


def _people(db: Connection) -> tuple[dict[str, str], dict[str, str]]:
    since = now_ms() - DAY_MS
    wanted = {
        ANN: (Role.WORKER, GRIDS[0]),
        BEA: (Role.WORKER, GRIDS[0]),
        OFFICE: (Role.DISPATCHER, "990101"),
    }
    accounts = {
        login: create_account(db, login=login, role=role, area_code=code, now_ms=since)
        for login, (role, code) in wanted.items()
    }
    queries.assign_area(db, accounts[ANN], GRIDS[1], since)
    tokens = {
        login: create_token(db, account=account, now_ms=since)
        for login, account in accounts.items()
    }
    return tokens, accounts


class Town:
    """A running server on a copy of a plot. Use it as a context manager."""

    def __init__(self, plot: Plot, folder: Path) -> None:
        self._file = folder / "store.gpkg"
        shutil.copyfile(plot.file, self._file)
        self.tokens = plot.tokens
        self.accounts = plot.accounts
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._store: Store | None = None
        self._server: uvicorn.Server | None = None
        self._serving: Any = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _start(self) -> None:
        self._store = open_store(f"sqlite:///{self._file}")
        app = create_app(Settings.model_construct(), store=self._store)
        config = uvicorn.Config(
            app,
            host=HOST,
            port=0,
            log_level="critical",
            lifespan="on",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.ensure_future(self._server.serve())
        while not self._server.started:
            if self._serving.done():
                raise TownNotBuilt("the server does not start")
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://{HOST}:{port}"

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            await self._serving
        if self._store is not None:
            await self._store.close()

    # the office

    def write(self, work: Any) -> Any:
        """Run work in one transaction of the store."""
        if self._store is None:
            raise TownNotBuilt("the town is closed")
        return self._do(self._store.write(work))

    def change(self, record: str, kind: str, **members: Any) -> Settled:
        """Let the office change or make a record with knowledge of what is there now."""
        stored = self.records().get(record)
        draft = Draft(
            record=record, kind=kind, base=0 if stored is None else stored.rev, **members
        )
        console = Console(account=self.accounts[OFFICE], role=Role.DISPATCHER.value)

        def work(db: Connection) -> Settled:
            (settled,) = submit(db, console, [draft], now_ms=now_ms())
            require_done([settled])
            return settled

        settled: Settled = self.write(work)
        return settled

    def let_leave(self, *, days: int) -> None:
        """Let upkeep take out of the feeds what is over, as it will in so many days."""
        if self._store is None:
            raise TownNotBuilt("the town is closed")
        then_ms = now_ms() + days * DAY_MS
        limits = Days(casework=30, visits=400)
        self._do(leave_by_date(self._store, limits, now_ms=then_ms, dry_run=False))

    def records(self) -> dict[str, StoredRecord]:
        """Return every record by id, as it is stored now."""
        found: dict[str, StoredRecord] = self.write(queries.records)
        return found

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Let the office make a REST call that must succeed, and return the parsed answer."""
        headers = {"authorization": f"Bearer {self.tokens[OFFICE]}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers)
        if answer.is_error:
            raise TownNotBuilt(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.content else None

    def assign(self, worker: str, index: int) -> None:
        """Let a worker answer for a grid from now on."""
        self.call("POST", "/v1/assignments", {"worker": worker, "area": GRIDS[index]})

    def unassign(self, worker: str, index: int) -> None:
        """End a worker's assignment to a grid now."""
        found = self.call("GET", f"/v1/assignments?worker={worker}&at_ms={now_ms()}")
        for each in found["items"]:
            if each["area_code"] == GRIDS[index]:
                self.call("POST", f"/v1/assignments/{each['id']}/end", {})
