"""A synthetic field for the benches: square grids in a row, households, one phone a worker.

Everything is written through the product's own write path; nothing here is timed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from server.identity.queries import NewDevice, create_account, enrol_device
from server.replication.push import Phone
from server.replication.submit import Console, Draft, require_done, submit
from sync.canonical import canonical
from sync.rfc3339 import format_wall

LON, LAT, STEP = 121.5, 25.0, 0.001
E7 = 10**7
CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPhone:
    """An enrolled phone, its token and the households of its grid."""

    phone: Phone
    token: str
    grid: str
    households: tuple[str, ...]


def _draft(record: str, kind: str, fields: Mapping[str, Any]) -> Draft:
    return Draft(record=record, kind=kind, base=0, set=fields)


def _area(db: Connection, code: str, level: int, *, parent: str | None, span: Span) -> str:
    area = new_id()
    row = {"id": area, "code": code, "name": code, "level": level, "parent_id": parent}
    db.execute(insert(Area).values(**row, lo=span.lo, hi=span.hi))
    return area


def _tree(db: Connection, grids: int) -> tuple[str, list[str]]:
    """City down to one community with `grids` grids; returns the community and grid ids."""
    span: Span | None = None
    parent: str | None = None
    for level, code in enumerate(("C", "D", "S", "N"), start=1):
        span = child_span(span, level, 1)
        parent = _area(db, code, level, parent=parent, span=span)
    ids = [
        _area(db, f"G{index:04}", 5, parent=parent, span=child_span(span, 5, index + 1))
        for index in range(grids)
    ]
    return parent or "", ids


def _grid(index: int, grid: str, community: str) -> Draft:
    west = LON + index * STEP
    shape = shapely.box(west, LAT, west + STEP, LAT + STEP)
    fields = {"code": f"G{index:04}", "name": f"Grid {index}", "community": community}
    boundary = {"boundary": encode_boundary(shape), "area_m2": round(area_m2(shape))}
    return _draft(grid, "grid", fields | boundary)


def _household(grid_index: int, grid: str, number: int) -> tuple[Draft, Draft]:
    dwelling = new_id()
    place = {
        "lon_e7": round((LON + (grid_index + 0.5) * STEP) * E7),
        "lat_e7": round((LAT + STEP / 2) * E7),
    }
    address = {"code": f"W{grid_index}-{number}", "address": f"Block {number}", "grid": grid}
    household = {
        "dwelling": dwelling,
        "door": str(number),
        "contact_phone": f"000-{number:05}",
        "size_band": "3-4",
        "status": "active",
        "visit_preference": "any",
    }
    return (
        _draft(dwelling, "dwelling", address | place),
        _draft(new_id(), "household", household),
    )


def _submit(db: Connection, *, console: Console, drafts: Sequence[Draft]) -> None:
    require_done(submit(db, console, drafts, now_ms=now_ms()))


async def build_field(
    store: Store, *, grids: int, households: int, phones: int
) -> list[BenchPhone]:
    """Write the field and enrol `phones` phones, spread over the grids in turn."""

    def start(db: Connection) -> tuple[Console, str, list[str]]:
        community, ids = _tree(db, grids)
        now = now_ms()
        account = create_account(db, login="import", role=Role.ADMIN, area_code="C", now_ms=now)
        return Console(account=account, role=Role.ADMIN.value), community, ids

    console, community, ids = await store.write(start)
    drafts = [_grid(index, grid, community) for index, grid in enumerate(ids)]
    of_grid: dict[str, list[str]] = {grid: [] for grid in ids}
    homes: list[Draft] = []
    for index, grid in enumerate(ids):
        for number in range(households):
            dwelling, household = _household(index, grid, number)
            drafts.append(dwelling)
            homes.append(household)
            of_grid[grid].append(household.record)
    everything = drafts + homes
    for at in range(0, len(everything), CHUNK):
        chunk = everything[at : at + CHUNK]
        await store.write(partial(_submit, console=console, drafts=chunk))

    def enrol(db: Connection) -> list[BenchPhone]:
        now = now_ms()
        enrolled = []
        for number in range(phones):
            grid = ids[number % grids]
            account = create_account(
                db,
                login=f"w{number:04}",
                role=Role.WORKER,
                area_code=f"G{number % grids:04}",
                now_ms=now - 86_400_000,
            )
            device = NewDevice(id=new_id(), account=account, name="bench", app_version="1")
            token = enrol_device(db, device, now_ms=now)
            phone = Phone(device=device.id, account=account, role=Role.WORKER.value)
            enrolled.append(
                BenchPhone(phone=phone, token=token, grid=grid, households=tuple(of_grid[grid]))
            )
        return enrolled

    return await store.write(enrol)


def clock(wall_ms: int, uptime_ms: int) -> dict[str, Any]:
    """A clock reading on the wire."""
    return {"wall": format_wall(wall_ms), "uptime_ms": uptime_ms, "boot": "bench"}


def batch(phone: BenchPhone, *, first_n: int, size: int, now: int) -> dict[str, Any]:
    """A request of `size` one-field edits of different households, numbered from `first_n`.

    The base is what the phone would have seen: its own earlier edits come back with each reply.
    """
    homes = phone.households
    mutations = [
        {
            "n": n,
            "record": homes[(n - 1) % len(homes)],
            "kind": "household",
            "base": 1 + (n - 1) // len(homes),
            "clock": clock(now, 1_000_000 + n),
            "set": {"contact_phone": f"{phone.phone.device[-4:]}-{n:06}"},
        }
        for n in range(first_n, first_n + size)
    ]
    return {
        "protocol": 1,
        "app": {"version": "1", "schema": 1},
        "clock": clock(now, 10_000_000),
        "last_n": first_n + size - 1,
        "mutations": mutations,
        "buckets": [],
    }


def request_bytes(body: Mapping[str, Any]) -> bytes:
    """A request as it goes over the wire."""
    return canonical(dict(body))
