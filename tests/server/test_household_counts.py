"""Households per grid: a number about too few, or that gives one away, is not published."""

import asyncio
import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from server.db.store import Store
from server.db.tables import Household
from server.layers.command import export_layer
from tests.server.desk import Desk
from tests.walls import beyond
from tests.world import World, settle

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def people(store: Store, world: World, **more: int) -> None:
    """Let so many more households live in each grid, where one lives already."""
    for code, count in more.items():
        await store.write(partial(settle, world=world, code=code, count=count))


async def counted(desk: Desk, login: str = "analyst", **query: str) -> Mapping[str, int | None]:
    answer = await desk.get("/v1/layers/household-counts", login, **query)
    assert answer.status_code == 200, answer.text
    return {
        each["properties"]["code"]: each["properties"]["households"]
        for each in answer.json()["features"]
    }


async def test_a_small_count_and_the_neighbour_that_would_betray_it_are_held_back(
    desk: Desk, world: World, store: Store
) -> None:
    await people(store, world, G1=2, G2=8, G3=4, G4=11)
    assert await counted(desk) == {"G1": None, "G2": None, "G3": 5, "G4": 12}


async def test_every_part_is_given_the_same_numbers(
    desk: Desk, world: World, store: Store
) -> None:
    await people(store, world, G1=2, G2=8, G3=4, G4=11)
    whole = await counted(desk)
    assert await counted(desk, area="N1") == {"G1": None, "G2": None}
    assert await counted(desk, area="G2") == {"G2": None}
    own = await counted(desk, "dispatcher-n2")
    assert own == {code: whole[code] for code in ("G3", "G4")}


async def test_households_that_moved_away_or_were_put_away_do_not_count(
    desk: Desk, world: World, store: Store
) -> None:
    def work(db) -> None:
        gone = settle(db, world, "G3", 7)
        table = Household.__table__
        changes = [{"status": "moved_out"}, {"status": "vacant"}, {"archived": True}]
        for each, change in zip(gone, changes, strict=False):
            db.execute(update(table).where(table.c.id == each).values(change))
        db.execute(update(table).where(table.c.id == gone[3]).values(status=None))

    await people(store, world, G1=4, G2=4, G4=9)
    await store.write(beyond(work))
    found = await counted(desk)
    assert (found["G3"], found["G4"]) == (5, 10)


async def test_a_file_holds_back_more_than_a_screen(
    desk: Desk,
    world: World,
    store: Store,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await people(store, world, G1=6, G2=8, G3=10, G4=11)
    assert await counted(desk) == {"G1": 7, "G2": 9, "G3": 11, "G4": 12}
    monkeypatch.setenv("JINGWEI_ALLOW_UNSAFE", "true")
    for form in ("csv", "gpkg", "geojson"):
        output = tmp_path / f"counts.{form}"
        await asyncio.to_thread(
            export_layer,
            database_url,
            "household-counts",
            format=form,
            crs="EPSG:4326",
            output=output,
        )
    with (tmp_path / "counts.csv").open(encoding="utf-8") as lines:
        found = {row["code"]: row["households"] for row in csv.DictReader(lines)}
    assert found == {"G1": "", "G2": "", "G3": "11", "G4": "12"}


async def test_a_community_with_too_few_hides_in_its_street(
    desk: Desk, world: World, store: Store
) -> None:
    """N1 has two households: the street less N2 would tell, so a part of N2 is held back."""
    await people(store, world, G3=5, G4=9)
    assert await counted(desk) == {"G1": None, "G2": None, "G3": None, "G4": 10}
