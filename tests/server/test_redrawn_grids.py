"""A boundary is redrawn: what lies on its other side moves, and nothing else is sent again."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import shapely

from geo.boundary import encode_boundary
from server.clock import new_id
from server.db.store import Store
from server.replication.reproject import compare
from server.replication.submit import Draft
from tests.server.desk import Desk, told
from tests.server.phones import RawPhone
from tests.world import E7, LAT, LON, STEP, World, done, draft

pytestmark = [pytest.mark.anyio, pytest.mark.db]
DWELLINGS, HOUSEHOLDS = 60, 300
BORDER = LON + 0.8 * STEP


def boundary(west: float, east: float) -> str:
    return encode_boundary(shapely.box(west, LAT, east, LAT + STEP))


async def build_street(store: Store, world: World) -> set[str]:
    """Sixty dwellings of five households each between the old border and the new one."""
    dwellings = [new_id() for _ in range(DWELLINGS)]
    place = {"lon_e7": round((LON + 0.9 * STEP) * E7), "lat_e7": round((LAT + STEP / 2) * E7)}
    homes = [
        draft(
            each,
            "dwelling",
            {"code": f"R{number}", "address": "Elm", "grid": world.grids["G1"], **place},
        )
        for number, each in enumerate(dwellings)
    ]
    families = [
        draft(new_id(), "household", {"dwelling": dwellings[number % DWELLINGS]})
        for number in range(HOUSEHOLDS)
    ]
    await store.write(lambda db: done(db, world.importer, [*homes, *families]))
    return {each.record for each in (*homes, *families)}


async def redraw(store: Store, world: World) -> None:
    """The border between the first two grids moves to the west."""
    drafts = [
        Draft(record=world.grids[code], kind="grid", base=1, set={"boundary": drawn})
        for code, drawn in (
            ("G1", boundary(LON, BORDER)),
            ("G2", boundary(BORDER, LON + 2 * STEP)),
        )
    ]
    await store.write(lambda db: done(db, world.importer, drafts))


async def follow(phone: RawPhone) -> list[Mapping[str, Any]]:
    """Sync until there is no more and return the pages."""
    pages: list[Mapping[str, Any]] = []
    while True:
        reply = await phone.sync(max_bytes=65_536)
        pages += reply["buckets"]
        if not any(each["more"] for each in reply["buckets"]):
            return pages


async def test_three_hundred_households_move_and_nothing_else_is_sent(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    moved = await build_street(store, world)
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    await follow(bob)
    await redraw(store, world)
    await follow(bob)
    desk, here, there = Desk(client, world), world.grids["G1"], world.grids["G2"]
    path = f"/v1/grids/{here}/reassign"
    counted = await desk.done(f"{path}?dry_run=true", "importer")
    assert counted == {
        "moved": DWELLINGS,
        "to": {there: DWELLINGS},
        "in_no_grid": 0,
        "dry_run": True,
    }
    assert await follow(bob) == []
    assert (await desk.done(path, "importer"))["moved"] == DWELLINGS
    pages = await follow(bob)
    gone = [each for page in pages for each in page["gone"]]
    put = [item for page in pages for item in page["put"]]
    assert {each["record"] for each in gone} == {item["record"] for item in put} == moved
    assert len(gone) == len(put) == DWELLINGS + HOUSEHOLDS
    assert {(each["why"], each["to"]) for each in gone} == {("moved", f"grid:{there}")}
    assert not any(page["reset"] for page in pages)
    assert (await desk.done(path, "importer"))["moved"] == 0
    assert await store.read(lambda db: list(compare(db))) == []


async def test_only_who_keeps_the_grids_moves_them(
    client: httpx.AsyncClient, world: World
) -> None:
    desk = Desk(client, world)
    path = f"/v1/grids/{world.grids['G1']}/reassign"
    assert told(await desk.post(path, "dispatcher")) == (403, "forbidden")
    answer = await desk.post(f"/v1/grids/{new_id()}/reassign", "importer")
    assert told(answer) == (404, "not-found")
