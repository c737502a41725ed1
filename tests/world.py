"""A small world for server tests: one city down to four square grids, classes and households.

Grids lie in a row from west to east, 0.001 degree wide, in two communities. Everything
is written through the product's own write path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from sqlalchemy import Connection, insert

from geo.areas import Span, child_span
from geo.boundary import encode_boundary
from geo.measure import area_m2
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Area
from server.identity.principal import Role
from server.identity.queries import assign, create_account, create_token
from server.replication.submit import Console, Draft, require_done, submit
from sync.push import Settled

LON, LAT, STEP = 121.5, 25.03, 0.001
GRIDS = ("G1", "G2", "G3", "G4")
E7 = 10**7
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Ids of what was built, by code or login."""

    areas: Mapping[str, str]
    grids: Mapping[str, str]
    dwellings: Mapping[str, str]
    households: Mapping[str, str]
    accounts: Mapping[str, str]
    tokens: Mapping[str, str]
    importer: Console


def square(index: int) -> shapely.Polygon:
    """The boundary of the `index`-th grid of the row."""
    west = LON + index * STEP
    return shapely.box(west, LAT, west + STEP, LAT + STEP)


def centre_e7(index: int) -> tuple[int, int]:
    """A point well inside the `index`-th grid."""
    return round((LON + (index + 0.5) * STEP) * E7), round((LAT + STEP / 2) * E7)


def draft(record: str, kind: str, fields: Mapping[str, Any]) -> Draft:
    """A draft that makes a new record."""
    return Draft(record=record, kind=kind, base=0, set=fields)


def _areas(db: Connection) -> dict[str, str]:
    """City C > district D > street S > communities N1, N2 > grids G1..G4; returns ids."""
    ids: dict[str, str] = {}
    spans: dict[str, Span] = {}

    def add(code: str, level: int, parent: str | None, ordinal: int) -> None:
        span = child_span(None if parent is None else spans[parent], level, ordinal)
        ids[code], spans[code] = new_id(), span
        db.execute(
            insert(Area).values(
                id=ids[code],
                code=code,
                name=f"Area {code}",
                level=level,
                parent_id=None if parent is None else ids[parent],
                lo=span.lo,
                hi=span.hi,
            )
        )

    add("C", 1, None, 1)
    add("D", 2, "C", 1)
    add("S", 3, "D", 1)
    add("N1", 4, "S", 1)
    add("N2", 4, "S", 2)
    for index, code in enumerate(GRIDS):
        add(code, 5, "N1" if index < 2 else "N2", index % 2 + 1)
    return ids


def _grid_drafts(areas: Mapping[str, str]) -> list[Draft]:
    return [
        draft(
            areas[code],
            "grid",
            {
                "code": code,
                "name": f"Grid {code}",
                "community": areas["N1" if index < 2 else "N2"],
                "boundary": encode_boundary(square(index)),
                "area_m2": round(area_m2(square(index))),
            },
        )
        for index, code in enumerate(GRIDS)
    ]


def _dwelling_drafts(areas: Mapping[str, str], ids: Mapping[str, str]) -> list[Draft]:
    drafts = []
    for index, code in enumerate(GRIDS):
        lon, lat = centre_e7(index)
        fields = {"code": f"W{code}", "address": f"Block {code}", "grid": areas[code]}
        drafts.append(draft(ids[code], "dwelling", {**fields, "lon_e7": lon, "lat_e7": lat}))
    return drafts


def done(db: Connection, console: Console, drafts: Sequence[Draft]) -> list[Settled]:
    """Submit drafts that must all succeed."""
    settled = submit(db, console, drafts, now_ms=now_ms())
    require_done(settled)
    return settled


def build(db: Connection) -> World:
    """Write the whole world in one transaction."""
    areas = _areas(db)
    now = now_ms() - DAY_MS  # so that what phones did this morning was theirs to do
    logins = {
        "importer": (Role.ADMIN, "C"),
        "dispatcher": (Role.DISPATCHER, "D"),
        "dispatcher-n2": (Role.DISPATCHER, "N2"),
        "analyst": (Role.ANALYST, "C"),
        "admin": (Role.ADMIN, "C"),
        "ann": (Role.WORKER, "G1"),
        "bob": (Role.WORKER, "G1"),
        "cat": (Role.WORKER, "G3"),
    }
    accounts = {
        login: create_account(db, login=login, role=role, area_code=code, now_ms=now)
        for login, (role, code) in logins.items()
    }
    assign(db, account=accounts["bob"], area=areas["G2"], now_ms=now)
    tokens = {
        login: create_token(db, account=account, now_ms=now, expires_ms=None)
        for login, account in accounts.items()
    }
    importer = Console(account=accounts["importer"], role=Role.ADMIN.value)
    done(db, importer, _grid_drafts(areas))
    classes = [("0102", "Exposed rubbish"), ("0402", "Water main burst")]
    done(
        db,
        importer,
        [
            draft(new_id(), "class", {"code": code, "name": name, "limit_hours": 24})
            for code, name in classes
        ],
    )
    dwellings = {code: new_id() for code in GRIDS}
    done(db, importer, _dwelling_drafts(areas, dwellings))
    households = {code: new_id() for code in GRIDS}
    done(
        db,
        importer,
        [
            draft(
                households[code],
                "household",
                {"dwelling": dwellings[code], "contact_phone": "000-0000", "status": "active"},
            )
            for code in GRIDS
        ],
    )
    return World(
        areas=areas,
        grids={code: areas[code] for code in GRIDS},
        dwellings=dwellings,
        households=households,
        accounts=accounts,
        tokens=tokens,
        importer=importer,
    )


async def build_world(store: Store) -> World:
    """Build the world in an empty, migrated store."""
    return await store.write(build)


def settle(db: Connection, world: World, code: str, count: int) -> list[str]:
    """Let `count` more households live in a grid's dwelling; return their ids."""
    ids = [new_id() for _ in range(count)]
    home = {"dwelling": world.dwellings[code], "status": "active"}
    drafts = [
        draft(each, "household", {**home, "door": f"{at}", "contact_phone": f"000-{at:04}"})
        for at, each in enumerate(ids)
    ]
    done(db, world.importer, drafts)
    return ids
