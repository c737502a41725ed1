"""Files of grids over HTTP: in as a draft or as the first grids, out again for GIS programs."""

import asyncio
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from geo.geojson import Feature
from server.db.store import Store
from server.gate import GRID_FILES_PATH
from server.imports.areas import import_areas
from server.imports.cells import FileFault
from server.imports.hints import Fields, Hints
from server.imports.reading import hints_json, hints_of, read_found, write_found
from server.imports.receiving import read_upload, suffix_of
from server.imports.shapes import read_features
from tests.server.desk import Desk, told
from tests.server.drafts import CHANGES, ground, moved_border, publish, published
from tests.world import LAT, LON, STEP, World, square

pytestmark = [pytest.mark.anyio, pytest.mark.db]
ANY = "layout=any"
BROKEN = {
    "type": "Polygon",
    "coordinates": [[[121, 25], [122, 26], [122, 25], [121, 26], [121, 25]]],
}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def send(
    desk: Desk, content: bytes, query: str = ANY, login: str = "admin"
) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {desk.world.tokens[login]}",
        "content-type": "application/octet-stream",
    }
    return await desk.client.post(
        f"{GRID_FILES_PATH}?{query}", content=content, headers=headers
    )


def geojson(**shapes: Any) -> bytes:
    """Grids of the community N1 by code."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "community": "N1"},
            "geometry": shape,
        }
        for code, shape in shapes.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def in_metres(folder: Path, name: str, **shapes: shapely.Polygon) -> bytes:
    """Grids in a map plane, with attributes of other names."""
    convert = Transformer.from_crs(4326, 3826, always_xy=True).transform
    plane = [shapely.transform(each, convert, interleaved=False) for each in shapes.values()]
    pyogrio.raw.write(
        str(folder / name),
        shapely.to_wkb(np.array(plane, dtype=object)),
        [np.array(list(shapes), dtype=object)],
        np.array(["GRID_NO"]),
        geometry_type="Polygon",
        crs="EPSG:3826",
    )
    return (folder / name).read_bytes()


async def test_a_file_of_grids_in_use_becomes_a_draft_that_others_publish(
    desk: Desk, world: World, tmp_path: Path
) -> None:
    cut = shapely.box(LON, LAT, LON + 0.6 * STEP, LAT + STEP)
    rest = shapely.box(LON + 0.6 * STEP, LAT, LON + 2 * STEP, LAT + STEP)
    file = in_metres(tmp_path, "grids.fgb", G1=cut, G2=rest)
    query = f"{ANY}&code_field=GRID_NO&community={world.areas['N1']}"
    tried = (await send(desk, file, f"{query}&dry_run=true", "analyst")).json()
    assert (tried["outcome"], tried["redrawn"], tried["change"]) == ("checked", 2, None)
    assert tried["check"]["publishable"]
    assert await desk.items(CHANGES, "analyst") == []
    made = await send(desk, file, query, "analyst")
    assert made.status_code == 200, made.text
    body = made.json()
    assert (body["outcome"], body["created"], body["retired"]) == ("drafted", 0, 0)
    again = (await send(desk, file, query, "analyst")).json()
    assert (again["change"], again["rev"]) == (body["change"], body["rev"])
    change = {"id": body["change"], "rev": body["rev"]}
    assert (await publish(desk, change)).status_code == 200
    grid = (await desk.get(f"/v1/grids/{world.grids['G1']}", "analyst")).json()
    assert shapely.geometry.shape(grid["geometry"]).bounds[2] == pytest.approx(LON + 0.6 * STEP)


async def test_grids_that_a_file_lacks_are_kept_or_retired_as_is_asked(desk: Desk) -> None:
    file = geojson(G1=ground(0, 1), G9=ground(1, 2, 1, 2))
    gone = (await send(desk, file, f"{ANY}&missing=retire&reason=Redrawn")).json()
    assert (gone["outcome"], gone["created"], gone["unchanged"]) == ("drafted", 1, 1)
    assert gone["retired"] == 1
    (listed,) = await desk.items(CHANGES, "analyst")
    assert (listed["id"], listed["edits"], listed["reason"]) == (gone["change"], 2, "Redrawn")


async def test_the_first_grids_of_a_community_are_written_by_an_administrator(
    desk: Desk, store: Store, tmp_path: Path
) -> None:
    areas = tmp_path / "areas.csv"
    areas.write_text("code,name,level,parent\nN3,New,community,S\n", encoding="utf-8")
    assert (await import_areas(store, areas)).ok
    file = geojson(H1=ground(0, 1, 5, 6), H2=ground(1, 2, 5, 6)).replace(b"N1", b"N3")
    assert told(await send(desk, file, ANY, "analyst")) == (403, "forbidden")
    done = (await send(desk, file)).json()
    assert (done["outcome"], done["created"], done["change"]) == ("written", 2, None)
    found = (await desk.get("/v1/grids?area=N3", "admin")).json()
    assert {each["properties"]["code"] for each in found["features"]} == {"H1", "H2"}


async def test_a_downloaded_file_is_what_is_there_and_was_there(
    desk: Desk, world: World, tmp_path: Path
) -> None:
    then = (await desk.get(f"/v1/grids/{world.grids['G1']}", "analyst")).json()["properties"]
    await published(desk, *moved_border(desk, 0.6))
    for form, suffix in (
        ("fgb", "fgb"),
        ("shp", "zip"),
        ("gpkg", "gpkg"),
        ("geojson", "geojson"),
    ):
        answer = await desk.get("/v1/layers/grids/file", "analyst", format=form, area="N1")
        assert answer.status_code == 200, answer.text
        assert f'filename="grids.{suffix}"' in answer.headers["content-disposition"]
        path = tmp_path / f"grids.{suffix}"
        path.write_bytes(answer.content)
        found = {each.properties["code"]: each for each in read_features(path)}
        assert found.keys() == {"G1", "G2"}
        assert found["G1"].geometry.bounds[2] == pytest.approx(LON + 0.6 * STEP)
    zipped = (tmp_path / "grids.zip").read_bytes()
    assert (await send(desk, zipped)).json()["outcome"] == "unchanged"
    old = await desk.get(
        "/v1/layers/grids/file", "analyst", format="fgb", as_of=then["valid_from"]
    )
    (tmp_path / "old.fgb").write_bytes(old.content)
    (first,) = [
        each for each in read_features(tmp_path / "old.fgb") if each.properties["code"] == "G1"
    ]
    assert first.geometry.bounds == pytest.approx(square(0).bounds, abs=1e-9)
    for query, word in (
        ({"as_of": then["valid_from"]}, "as_of"),
        ({"crs": "EPSG:0000"}, "crs"),
        ({"format": "dxf"}, "format"),
    ):
        answer = await desk.get("/v1/layers/tasks/file", "analyst", **query)
        assert answer.status_code in {400, 422}, answer.text
        assert word in answer.text
    assert (await desk.get("/v1/layers/none/file", "analyst")).status_code == 404
    assert (await desk.get("/v1/layers/grids/file", "ann")).status_code == 403


def star(points: int) -> dict[str, Any]:
    angles = [2 * math.pi * k * (points // 2) / points for k in range(points)]
    ring = [[LON + math.cos(a) / 100, LAT + math.sin(a) / 100] for a in angles]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def hostile() -> Iterator[tuple[bytes, str, str]]:
    """Bodies, a query, and what the refusal says."""
    yield b"", ANY, "unknown format"
    yield b"%PDF-1.7", ANY, "unknown format"
    yield b"SQLite format 3\x00" + bytes(4_000), ANY, "cannot be read"
    yield geojson(G1=BROKEN, G2=star(101)), ANY, "Self-intersection at 121.5000000 25.5000000"
    yield geojson(G1=ground(0, 1)).replace(b"[[[", b"[" * 100_000), ANY, "levels deep"
    yield geojson(G3=ground(2, 3)), ANY, "used before, or elsewhere"
    yield geojson(G1=ground(0, 1)), "layout=none", "layout"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_hostile_files_are_refused_and_nothing_is_stored(desk: Desk) -> None:
    """No store is asked before a file is read, so one will do."""
    for content, query, words in hostile():
        answer = await send(desk, content, query)
        assert answer.status_code in {400, 422}, answer.text
        assert words in answer.text, words
    assert await desk.items(CHANGES, "analyst") == []
    assert told(await send(desk, geojson(G1=ground(0, 1)), ANY, "ann")) == (403, "forbidden")
    large = {
        "authorization": f"Bearer {desk.world.tokens['admin']}",
        "content-length": str(10**9),
    }
    answer = await desk.client.post(GRID_FILES_PATH, content=b"{}", headers=large)
    assert told(answer) == (413, "body-too-large")


def test_what_the_reading_process_says_is_read_back(tmp_path: Path) -> None:
    target = tmp_path / "found"
    found = (
        Feature(geometry=square(0), properties={"code": "网", "n": 1, "x": [1], "y": True}),
        Feature(geometry=None),
    )
    write_found(found, target)
    first, second = read_found(target)
    assert (first.geometry, dict(first.properties)) == (square(0), {"code": "网", "n": 1})
    assert second.geometry is None
    write_found(FileFault("is odd", "look"), target)
    with pytest.raises(FileFault) as caught:
        read_found(target)
    assert (caught.value.reason, caught.value.proposal) == ("is odd", "look")
    hints = Hints(crs="EPSG:3826", fields=Fields(code="A"), ground=(1.0, 2.0, 3.0, 4.0))
    assert hints_of(json.loads(hints_json(hints))).fields == Fields(code="A")
    assert hints_of(json.loads(hints_json(Hints()))).fields is None


def test_a_file_is_known_by_how_it_begins() -> None:
    assert suffix_of(b"\xef\xbb\xbf{}") == suffix_of(b"  {") == ".geojson"
    assert suffix_of(b"PK\x03\x04") == ".zip"
    with pytest.raises(FileFault):
        suffix_of(b"\x00\x00\x27\x0a")


async def test_a_file_that_takes_too_much_to_read_is_refused() -> None:
    async def pieces() -> Any:
        yield geojson(G1=ground(0, 1))

    with pytest.raises(FileFault) as caught:
        await read_upload(pieces(), Hints(), asyncio.Semaphore(1), wall_s=0.0)
    assert "too long" in caught.value.reason


def test_the_process_that_reads_a_file_starts_light() -> None:
    """Without a database and a web framework it costs a third; it starts for every file."""
    loaded = "import sys, server.imports.reading, server.imports.shapes; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert {"sqlalchemy", "fastapi", "openpyxl"}.isdisjoint(done.stdout.split())
