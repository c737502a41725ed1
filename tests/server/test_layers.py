"""Layers as GeoJSON and as files: place, area, time, reference system, and nobody's data."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from server.cli import main
from server.db.store import Store
from server.layers.command import ExportRefusedError, export_layer
from tests.server.desk import Desk, told
from tests.world import LAT, LON, STEP, World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
NARROW = f"{LON},{LAT},{LON + STEP * 0.9},{LAT + STEP}"


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def take_in(desk: Desk, index: int, text: str = "Somebody left it") -> dict[str, Any]:
    """A report in one grid; its incident."""
    position = {"lon": LON + (index + 0.5) * STEP, "lat": LAT + STEP / 2}
    body = {"class": "0102", "text": text, "position": position}
    report = await desk.done("/v1/reports", "dispatcher", body)
    found = await desk.get(f"/v1/incidents/{report['incident']}", "dispatcher")
    incident: dict[str, Any] = found.json()
    return incident


async def features(desk: Desk, layer: str, login: str = "analyst", **query: Any) -> list[Any]:
    answer = await desk.get(f"/v1/layers/{layer}", login, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    document = answer.json()
    assert document["type"] == "FeatureCollection"
    found: list[Any] = document["features"]
    return found


async def test_the_layers_say_what_they_hold(desk: Desk) -> None:
    listed = (await desk.get("/v1/layers", "analyst")).json()["items"]
    names = ["grids", "incidents", "tasks", "household-counts"]
    assert [each["id"] for each in listed] == names
    for each in listed:
        assert each["time_field"] in {field["name"] for field in each["fields"]}


async def test_grids_of_the_layer_are_the_grids(desk: Desk, world: World) -> None:
    found = await features(desk, "grids")
    assert {each["properties"]["code"]: each["id"] for each in found} == world.grids
    shape = shapely.geometry.shape(found[0]["geometry"])
    assert shape.is_valid
    assert shapely.is_ccw(shapely.LinearRing(found[0]["geometry"]["coordinates"][0][0]))


async def test_no_layer_tells_what_people_wrote_or_who_they_are(
    desk: Desk, world: World
) -> None:
    private = "Mrs Chen at number 7"
    incident = await take_in(desk, 0, private)
    order = {"assignee": "ann", "instruction": private}
    path = f"/v1/incidents/{incident['id']}/dispatch"
    await desk.done(path, "dispatcher", order, rev=incident["rev"])
    for layer in ("grids", "incidents", "tasks", "household-counts"):
        text = (await desk.get(f"/v1/layers/{layer}", "analyst")).text
        assert private not in text
        for account in world.accounts.values():
            assert account not in text
    assert len(await features(desk, "tasks")) == 1


async def test_everyone_sees_their_own_area_and_workers_see_no_layer(
    desk: Desk, world: World
) -> None:
    await take_in(desk, 0)
    inside = await take_in(desk, 3)
    seen = await features(desk, "incidents", "dispatcher-n2")
    assert [each["id"] for each in seen] == [inside["id"]]
    assert len(await features(desk, "incidents", area="N2")) == 1
    assert len(await features(desk, "incidents", area=world.areas["N1"])) == 1
    outside = await desk.get("/v1/layers/incidents", "dispatcher-n2", area="N1")
    assert told(outside) == (400, "invalid-parameter")
    assert told(await desk.get("/v1/layers/incidents", "ann")) == (403, "forbidden")
    assert told(await desk.get("/v1/layers/households", "analyst"))[0] == 404


async def test_pages_join_to_the_whole_layer(desk: Desk) -> None:
    whole = await features(desk, "grids")
    joined: list[Any] = []
    href = "/v1/layers/grids?limit=3&bbox-crs=EPSG:4326&datetime=../2100-01-01"
    while href:
        document = (await desk.get(href, "analyst")).json()
        joined += document["features"]
        links = document.get("links", [])
        href = links[0]["href"] if links else ""
        assert bool(document["next"]) == bool(links)
    assert joined == whole


async def test_a_box_in_any_system_selects_the_same(desk: Desk) -> None:
    first, _ = await take_in(desk, 0), await take_in(desk, 1)
    assert [each["id"] for each in await features(desk, "incidents", bbox=NARROW)] == [
        first["id"]
    ]
    to_metres = Transformer.from_crs(4326, 4549, always_xy=True)
    west, south, east, north = (float(each) for each in NARROW.split(","))
    metres = ",".join(map(str, to_metres.transform_bounds(west, south, east, north)))
    query = {"bbox": metres, "bbox-crs": "EPSG:4549"}
    assert [each["id"] for each in await features(desk, "incidents", **query)] == [first["id"]]


@pytest.mark.parametrize(
    ("crs", "epsg"),
    [
        ("EPSG:4490", 4490),
        ("epsg:4549", 4549),
        ("http://www.opengis.net/def/crs/EPSG/0/3857", 3857),
        ("CRS84", 4326),
    ],
)
async def test_coordinates_are_easting_first_in_every_system(
    desk: Desk, crs: str, epsg: int
) -> None:
    await take_in(desk, 0)
    answer = await desk.get("/v1/layers/incidents", "analyst", crs=crs)
    place = answer.json()["features"][0]["geometry"]["coordinates"]
    expected = Transformer.from_crs(4326, epsg, always_xy=True).transform(
        LON + STEP / 2, LAT + STEP / 2
    )
    if epsg == 4490:
        expected = (LON + STEP / 2, LAT + STEP / 2)
    assert place == pytest.approx(expected, abs=0.002 if epsg in {4549, 3857} else 1e-7)
    uri = answer.json()["coordRefSys"]
    assert answer.headers["content-crs"] == f"<{uri}>"


async def test_time_selects_by_instant_day_and_open_interval(desk: Desk) -> None:
    incident = await take_in(desk, 0)
    at = (await features(desk, "incidents"))[0]["properties"]["observed_at"]
    assert at.endswith("Z")
    for inside in (at, at[:10], f"{at}/..", f"../{at}", f"{at[:10]}/{at[:10]}"):
        found = await features(desk, "incidents", datetime=inside)
        assert [each["id"] for each in found] == [incident["id"]], inside
    for outside in ("2001-01-01", "../2001-01-01T00:00:00Z", "2100-01-01/.."):
        assert await features(desk, "incidents", datetime=outside) == []
    assert await features(desk, "grids", datetime="2001-01-01") == []
    assert len(await features(desk, "grids", datetime="2001-01-01/..")) == 4


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("bbox=1,2", "bbox"),
        ("bbox=1e300,1,1e301,2&bbox-crs=EPSG:4549", "bbox"),
        ("bbox=1,2,3,4&bbox-crs=EPSG:99999", "bbox-crs"),
        ("crs=EPSG:99999", "crs"),
        ("crs=banana", "crs"),
        ("crs=EPSG:4979", "crs"),
        ("crs=EPSG:2193", "crs"),
        ("datetime=soon", "datetime"),
        ("datetime=2026-01-01/2025-01-01", "datetime"),
        ("limit=10001", "limit"),
        ("cursor=x", "cursor"),
        ("area=nowhere", "area"),
        ("properties=name", "properties"),
    ],
)
async def test_a_bad_parameter_is_named(desk: Desk, query: str, parameter: str) -> None:
    answer = await desk.get(f"/v1/layers/grids?{query}", "analyst")
    assert told(answer) == (400, "invalid-parameter")
    assert answer.json()["parameter"] == parameter


async def test_a_layer_that_has_not_changed_is_not_sent_again(desk: Desk, world: World) -> None:
    first = await desk.get("/v1/layers/incidents", "analyst")
    headers = {
        "authorization": f"Bearer {world.tokens['analyst']}",
        "if-none-match": first.headers["etag"],
    }
    again = await desk.client.get("/v1/layers/incidents", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    await take_in(desk, 0)
    assert (await desk.client.get("/v1/layers/incidents", headers=headers)).status_code == 200


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to export to; the test's own PostgreSQL runs without fsync."""
    monkeypatch.setenv("JINGWEI_ALLOW_UNSAFE", "true")
    made = tmp_path / "exported"
    made.mkdir()
    return made


def ogrinfo(path: Path) -> str:
    done = subprocess.run(
        ["ogrinfo", "-so", "-al", str(path)], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4549"])
async def test_gdal_opens_an_exported_geopackage(
    world: World, store: Store, database_url: str, folder: Path, crs: str
) -> None:
    del world, store
    output = folder / "grids.gpkg"
    report = await _export(database_url, "grids", format="gpkg", crs=crs, output=output)
    assert (report.rows, report.crs) == (4, crs)
    assert report.size_bytes == output.stat().st_size
    told_by_gdal = ogrinfo(output)
    assert "Feature Count: 4" in told_by_gdal
    assert "Geometry: Multi Polygon" in told_by_gdal
    assert crs.removeprefix("EPSG:") in told_by_gdal
    assert names_in(folder) == ["grids.gpkg"]
    bounds = pyogrio.read_info(output)["total_bounds"]
    expected = (LON, LAT, LON + 4 * STEP, LAT + STEP)
    if crs == "EPSG:4549":
        expected = Transformer.from_crs(4326, 4549, always_xy=True).transform_bounds(*expected)
    assert bounds == pytest.approx(expected, abs=0.1 if crs == "EPSG:4549" else 1e-7)


async def test_exported_geojson_and_csv_hold_the_same(
    desk: Desk, database_url: str, folder: Path
) -> None:
    incident = await take_in(desk, 2)
    text = folder / "incidents.geojson"
    await _export(database_url, "incidents", format="geojson", crs="EPSG:4326", output=text)
    (feature,) = json.loads(text.read_text(encoding="utf-8"))["features"]
    assert feature["properties"]["id"] == incident["id"]
    assert feature["properties"]["observed_at"].endswith("Z")
    table = folder / "incidents.csv"
    await _export(database_url, "incidents", format="csv", crs="EPSG:4326", output=table)
    header, line = table.read_text(encoding="utf-8").splitlines()
    assert header.split(",")[:3] == ["X", "Y", "id"]
    assert incident["id"] in line
    assert float(line.split(",")[0]) == pytest.approx(LON + 2.5 * STEP)
    plane = folder / "grids.csv"
    report = await _export(
        database_url, "grids", format="csv", crs="EPSG:4490", output=plane, area="N2"
    )
    assert report.rows == 2
    assert "MULTIPOLYGON" in plane.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("layer", "change"),
    [
        ("households", {}),
        ("grids", {"format": "dxf"}),
        ("grids", {"crs": "EPSG:99999"}),
        ("grids", {"crs": "EPSG:2193"}),
        ("grids", {"area": "nowhere"}),
        ("grids", {"output": Path("no/such/folder/x.gpkg")}),
    ],
)
async def test_an_export_that_cannot_be_made_says_why_and_leaves_nothing(
    world: World, database_url: str, folder: Path, layer: str, change: dict[str, Any]
) -> None:
    del world
    wanted = {"format": "gpkg", "crs": "EPSG:4326", "output": folder / "x.gpkg"} | change
    with pytest.raises(ExportRefusedError):
        await _export(database_url, layer, **wanted)
    assert names_in(folder) == []


async def test_the_command_exports_one_area(
    world: World, database_url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del world
    output = folder / "grids.csv"
    asked = ["export", "grids", "--format", "csv", "--output", str(output)]
    asked += ["--database", database_url, "--area"]

    async def exit_code(area: str) -> int:
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main, [*asked, area])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    assert await exit_code("nowhere") == 2
    assert "there is no area with this code" in capsys.readouterr().err
    assert await exit_code("N2") == 0
    assert "2 grids" in capsys.readouterr().out
    lines = output.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def _export(database_url: str, layer: str, **options: Any) -> Any:
    """Export as the command does, which runs an event loop of its own."""
    return await asyncio.to_thread(export_layer, database_url, layer, **options)
