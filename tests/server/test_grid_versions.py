"""Every read of grids as of a moment: lists, one grid, places, the layer, exports, reports."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import shapely

from geo.boundary import encode_boundary
from server.cli import main
from server.db.store import Store
from server.layers.command import ExportRefusedError, export_layer
from server.replication.submit import Draft, submit
from sync.rfc3339 import format_wall
from tests.server.desk import Desk, told
from tests.world import LAT, LON, STEP, World, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]
MOVED = {"lon": LON + 0.9 * STEP, "lat": LAT + STEP / 2}
"""A place that the redrawing moves from the first grid to the second."""


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def box(west: float, east: float) -> str:
    return encode_boundary(shapely.box(LON + west * STEP, LAT, LON + east * STEP, LAT + STEP))


async def versions(desk: Desk, code: str, login: str = "admin") -> list[dict[str, Any]]:
    answer = await desk.get(f"/v1/grids/{desk.world.grids[code]}/versions", login)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["versions"]
    return found


async def redraw(store: Store, desk: Desk) -> tuple[str, str]:
    """Move the border between G1 and G2; a moment before it and one afterwards."""
    world = desk.world
    drafts = [
        Draft(record=world.grids[code], kind="grid", base=1, set={"boundary": drawn})
        for code, drawn in (("G1", box(0, 0.8)), ("G2", box(0.8, 2)))
    ]
    before = (await versions(desk, "G1"))[0]["valid_from"]
    await asyncio.sleep(0.002)
    await store.write(lambda db: done(db, world.importer, drafts))
    return before, (await versions(desk, "G1"))[0]["valid_from"]


def easts(answer: httpx.Response) -> dict[str, float]:
    assert answer.status_code == 200, answer.text
    return {
        each["properties"]["code"]: max(x for x, _ in each["geometry"]["coordinates"][0][0])
        for each in answer.json()["features"]
    }


def east_of(wide: float) -> Any:
    return pytest.approx(LON + wide * STEP, abs=1e-7)


async def test_the_list_shows_boundaries_as_they_were(store: Store, desk: Desk) -> None:
    before, after = await redraw(store, desk)
    assert easts(await desk.get("/v1/grids", "admin"))["G1"] == east_of(0.8)
    assert easts(await desk.get("/v1/grids", "admin", as_of=after))["G1"] == east_of(0.8)
    then = easts(await desk.get("/v1/grids", "admin", as_of=before))
    assert then["G1"] == east_of(1)
    longer = await desk.get("/v1/grids", "admin", as_of="2020-01-01T00:00:00Z")
    assert easts(longer) == {}
    box_then = f"{LON + 0.85 * STEP},{LAT},{LON + 0.95 * STEP},{LAT + STEP}"
    assert set(easts(await desk.get("/v1/grids", "admin", as_of=after, bbox=box_then))) == {
        "G2"
    }


async def test_pages_of_the_past_keep_their_moment(store: Store, desk: Desk) -> None:
    await redraw(store, desk)
    last = (await versions(desk, "G2"))[1]["valid_from"]
    first = await desk.get("/v1/grids", "admin", as_of=last, limit=1)
    following = await desk.get(first.json()["links"][0]["href"], "admin")
    assert easts(first) == {"G1": east_of(1)}
    assert easts(following) == {"G2": east_of(2)}


async def test_one_grid_as_it_was(store: Store, desk: Desk, world: World) -> None:
    before, after = await redraw(store, desk)
    path = f"/v1/grids/{world.grids['G1']}"
    then = await desk.get(path, "admin", as_of=before)
    now = await desk.get(path, "admin")
    assert then.json()["properties"]["valid_to"] == after
    assert now.json()["properties"]["valid_to"] is None
    assert then.headers["etag"] == '"1"'
    assert now.headers["etag"] == '"2"'
    early = await desk.get(path, "admin", as_of="2020-01-01T00:00:00Z")
    assert told(early) == (404, "not-found")


async def test_versions_follow_each_other_without_a_hole(
    store: Store, desk: Desk, world: World
) -> None:
    before, after = await redraw(store, desk)
    newest, oldest = await versions(desk, "G1")
    assert (oldest["valid_from"], oldest["valid_to"]) == (before, after)
    assert (newest["valid_from"], newest["valid_to"]) == (after, None)
    shape = shapely.geometry.shape(oldest["geometry"])
    assert shape.bounds[2] == east_of(1)
    path = f"/v1/grids/{world.grids['G1']}/versions"
    assert told(await desk.get(path, "dispatcher-n2")) == (404, "not-found")


async def test_what_phones_cannot_see_makes_no_version_and_a_name_does(
    store: Store, desk: Desk, world: World
) -> None:
    grid = world.grids["G3"]
    again = Draft(record=grid, kind="grid", base=1, set={"name": "Grid G3"})
    await store.write(lambda db: done(db, world.importer, [again]))
    assert len(await versions(desk, "G3")) == 1
    named = Draft(record=grid, kind="grid", base=1, set={"name": "Harbour"})
    await store.write(lambda db: done(db, world.importer, [named]))
    assert [each["name"] for each in await versions(desk, "G3")] == ["Harbour", "Grid G3"]


async def test_a_clock_that_goes_back_makes_a_short_version_and_no_overlap(
    store: Store, desk: Desk, world: World
) -> None:
    early = Draft(record=world.grids["G3"], kind="grid", base=1, set={"name": "Harbour"})
    await store.write(lambda db: submit(db, world.importer, [early], now_ms=1_000))
    newest, oldest = await versions(desk, "G3")
    assert oldest["valid_to"] == newest["valid_from"] > oldest["valid_from"]


async def test_a_retired_grid_is_history_and_may_come_back(
    store: Store, desk: Desk, world: World
) -> None:
    grid, (was,) = world.grids["G4"], await versions(desk, "G4")
    place = {"lon": LON + 3.5 * STEP, "lat": LAT + STEP / 2}
    ended = Draft(record=grid, kind="grid", base=1, set={"valid_to_ms": 1_900_000_000_000})
    await store.write(lambda db: done(db, world.importer, [ended]))
    assert set(easts(await desk.get("/v1/grids", "admin"))) == {"G1", "G2", "G3"}
    assert (await desk.get("/v1/locate", "admin", **place)).json()["grid"] is None
    shown = (await desk.get(f"/v1/grids/{grid}", "admin")).json()["properties"]
    assert shown["valid_to"] is not None
    assert "G4" in easts(await desk.get("/v1/grids", "admin", as_of=was["valid_from"]))
    layer = await desk.get("/v1/layers/grids", "admin")
    assert set(easts(layer)) == {"G1", "G2", "G3"}
    back = Draft(record=grid, kind="grid", base=2, set={"valid_to_ms": None})
    await store.write(lambda db: done(db, world.importer, [back]))
    assert (await desk.get("/v1/locate", "admin", **place)).json()["grid"] == grid
    newest, oldest = await versions(desk, "G4")
    assert (newest["valid_to"], oldest["valid_to"] is None) == (None, False)


async def test_places_are_found_as_they_were(store: Store, desk: Desk, world: World) -> None:
    before, _ = await redraw(store, desk)
    now = (await desk.get("/v1/locate", "admin", **MOVED)).json()
    assert now["grid"] == world.grids["G2"]
    then = (await desk.get("/v1/locate", "admin", **MOVED, as_of=before)).json()
    assert then["grid"] == world.grids["G1"]
    assert then["certain"] is True
    assert [each["code"] for each in then["grids"]] == ["G1"]
    assert then["version"] == now["version"]
    batch = f"/v1/locate?as_of={before}"
    both = await desk.done(batch, "admin", {"points": [MOVED, MOVED]})
    assert [each["candidates"] for each in both["points"]] == [then["candidates"]] * 2
    nobody = "/v1/locate?as_of=2020-01-01T00:00:00Z"
    assert (await desk.done(nobody, "admin", {"points": [MOVED]}))["points"][0]["grid"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/v1/grids?as_of=now",
        "/v1/grids/{grid}?as_of=2026-01-01T00:00:00",
        "/v1/locate?lon=0&lat=0&as_of=yesterday",
    ],
)
async def test_a_moment_needs_its_offset(desk: Desk, world: World, path: str) -> None:
    answer = await desk.get(path.format(grid=world.grids["G1"]), "admin")
    assert told(answer) == (400, "invalid-parameter")
    assert answer.json()["parameter"] == "as_of"


async def test_the_layer_shows_every_version_of_an_interval(store: Store, desk: Desk) -> None:
    before, after = await redraw(store, desk)
    path = "/v1/layers/grids"
    assert easts(await desk.get(path, "analyst", datetime=before))["G1"] == east_of(1)
    assert easts(await desk.get(path, "analyst", datetime=after))["G1"] == east_of(0.8)
    both = (await desk.get(path, "analyst", datetime=f"{before}/{after}")).json()["features"]
    codes = sorted(each["properties"]["code"] for each in both)
    assert codes == ["G1", "G1", "G2", "G2", "G3", "G4"]
    early = await desk.get(path, "analyst", datetime="../2020-01-01")
    assert easts(early) == {}


async def test_an_export_as_of_a_moment(
    store: Store,
    desk: Desk,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, _ = await redraw(store, desk)
    output = tmp_path / "then.geojson"
    words = ["--format", "geojson", "--as-of", before, "--output", str(output)]
    monkeypatch.setenv("JINGWEI_ALLOW_UNSAFE", "true")
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main, ["export", "grids", *words, "--database", database_url])
    assert ended.value.code == 0
    features = json.loads(output.read_text(encoding="utf-8"))["features"]
    widths = {
        each["properties"]["code"]: max(x for x, _ in each["geometry"]["coordinates"][0][0])
        for each in features
    }
    assert widths["G1"] == east_of(1)


@pytest.mark.parametrize(
    ("layer", "as_of", "reason"),
    [("grids", "yesterday", "--as-of"), ("tasks", "2026-01-01T00:00:00Z", "only boundaries")],
)
def test_an_export_as_of_no_moment_is_refused(
    database_url: str, tmp_path: Path, layer: str, as_of: str, reason: str
) -> None:
    with pytest.raises(ExportRefusedError, match=reason):
        export_layer(
            database_url,
            layer,
            format="csv",
            crs="EPSG:4326",
            output=tmp_path / "x.csv",
            as_of=as_of,
        )


async def test_a_report_keeps_the_version_of_when_it_was_observed(
    store: Store, desk: Desk, world: World
) -> None:
    body = {"class": "0102", "text": "Rubbish", "position": MOVED}
    report = await desk.done("/v1/reports", "dispatcher", body)
    before, after = await redraw(store, desk)
    late = await desk.done("/v1/reports", "dispatcher", body | {"text": "More rubbish"})
    incident = (await desk.get(f"/v1/incidents/{report['incident']}", "dispatcher")).json()
    answer = await desk.patch(
        f"/v1/incidents/{incident['id']}",
        "dispatcher",
        {"grid": world.grids["G2"]},
        rev=incident["rev"],
    )
    assert answer.status_code == 200, answer.text
    listed = {each["id"]: each for each in await desk.items("/v1/reports", "dispatcher")}
    first, second = listed[report["id"]], listed[late["id"]]
    assert first["grid"] == world.grids["G2"]
    assert first["observed_grid"] == world.grids["G1"]
    assert format_wall(first["observed_grid_from_ms"]) == before
    assert (second["observed_grid"], format_wall(second["observed_grid_from_ms"])) == (
        world.grids["G2"],
        after,
    )
    one = (await desk.get(f"/v1/reports/{report['id']}", "dispatcher")).json()
    assert one.pop("measured")["datum"] == "wgs84"
    assert one == first
    elsewhere = {"class": "0102", "text": "Far away", "grid": world.grids["G1"]}
    nowhere = await desk.done("/v1/reports", "dispatcher", elsewhere)
    assert (nowhere["lon"], nowhere["observed_grid"]) == (None, None)
