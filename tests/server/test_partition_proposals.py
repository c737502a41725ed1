"""A proposal of nearly equal grids is a draft: drawn, previewed, published like any other."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection

from server.clock import new_id
from server.db.store import Store
from tests.server.desk import Desk, pointers, told
from tests.world import LAT, LON, STEP, World, done, draft

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7
WANTED = {"reason": "Nearly equal"}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def lived_in(db: Connection, world: World, spots: Sequence[tuple[str, float, float]]) -> None:
    """One household at each spot: its grid, steps east and north."""
    homes = [(new_id(), grid, x, y) for grid, x, y in spots]
    dwellings = [
        draft(
            home,
            "dwelling",
            {
                "code": f"H{number}",
                "address": f"Lane {number}",
                "grid": world.grids[grid],
                "lon_e7": round((LON + x * STEP) * E7),
                "lat_e7": round((LAT + y * STEP) * E7),
            },
        )
        for number, (home, grid, x, y) in enumerate(homes)
    ]
    households = [
        draft(new_id(), "household", {"dwelling": home, "door": "1"}) for home, *_ in homes
    ]
    done(db, world.importer, dwellings)
    done(db, world.importer, households)


def spots() -> list[tuple[str, float, float]]:
    """Thirty homes in the first grid, eight in the second, all in one community."""
    west = [("G1", 0.1 + 0.15 * (at % 6), 0.1 + 0.2 * (at // 6)) for at in range(30)]
    return west + [("G2", 1.1 + 0.2 * (at % 4), 0.3 + 0.4 * (at // 4)) for at in range(8)]


async def proposal(desk: Desk, **asked: Any) -> Any:
    path = f"/v1/areas/{desk.world.areas['N1']}/partition-proposals"
    return await desk.done(path, "dispatcher", WANTED | asked)


async def publish(desk: Desk, made: Any) -> Any:
    change = made["change"]
    checked = await desk.done(f"/v1/boundary-changes/{change['id']}/validate", "dispatcher")
    assert checked["publishable"], checked
    assert (made["preview"]["publishable"], made["preview"]["orphans"]) == (True, 0)
    path = f"/v1/boundary-changes/{change['id']}/publish"
    return await desk.done(path, "admin", rev=change["rev"])


async def test_a_community_is_cut_anew_again_and_again(
    desk: Desk, store: Store, world: World
) -> None:
    await store.write(lambda db: lived_in(db, world, spots()))
    total = sum(each["households"] for each in (await proposal(desk, households=20))["parts"])
    assert total == 40  # with the two of the world
    two = await proposal(desk, households=20)
    again = await proposal(desk, households=20)
    assert again["change"]["edits"] == two["change"]["edits"]
    assert again["change"]["id"] != two["change"]["id"]
    assert [each["edit"] for each in two["change"]["edits"]] == ["redraw", "redraw"]
    assert [each["code"] for each in two["parts"]] == ["G1", "G2"]
    assert two["deviation"] <= 0.1
    (flow,) = (each for each in two["preview"]["flows"] if each["to_grid"])
    assert (flow["from_grid"], flow["to_grid"]) == (world.grids["G1"], world.grids["G2"])
    published = await publish(desk, two)
    assert published["result"]["moved"]["households"] == flow["households"]
    # Everything becomes one grid, whose workers stay; then that is split.
    one = await proposal(desk, households=40)
    assert sorted(each["edit"] for each in one["change"]["edits"]) == ["redraw", "retire"]
    await publish(desk, one)
    refused = await desk.post(
        f"/v1/areas/{world.areas['N1']}/partition-proposals", "dispatcher", WANTED
    )
    assert pointers(refused) == ["/households"]
    wall = [[LON + STEP, LAT - STEP], [LON + STEP, LAT + 2 * STEP]]
    barriers = {"type": "LineString", "coordinates": wall}
    split = await proposal(desk, households=20, barriers=barriers)
    assert [each["edit"] for each in split["change"]["edits"]] == ["split"]
    assert [each["code"] for each in split["parts"]] == ["N1001", "N1002"]
    assert [each["households"] for each in split["parts"]] == pytest.approx([20, 20], abs=2)
    made = await publish(desk, split)
    assert made["result"]["moved"]["households"] == 40


async def test_who_may_not_draw_or_asks_for_nonsense_is_told_so(
    desk: Desk, world: World
) -> None:
    path = f"/v1/areas/{world.areas['N1']}/partition-proposals"
    assert told(await desk.post(path, "ann", WANTED)) == (403, "forbidden")
    assert told(await desk.post(path, "dispatcher-n2", WANTED)) == (404, "not-found")
    street = f"/v1/areas/{world.areas['S']}/partition-proposals"
    assert told(await desk.post(street, "dispatcher", WANTED)) == (404, "not-found")
    assert pointers(await desk.post(path, "dispatcher", WANTED)) == ["/households"]
    for barriers in ({"type": "Point", "coordinates": [0, 0]}, {"type": "LineString"}):
        wrong = WANTED | {"barriers": barriers}
        (pointer,) = pointers(await desk.post(path, "dispatcher", wrong))
        assert pointer.startswith("/barriers")
    assert pointers(await desk.post(path, "dispatcher", {"reason": " "})) == ["/reason"]
    assert await desk.items("/v1/boundary-changes", "dispatcher") == []
