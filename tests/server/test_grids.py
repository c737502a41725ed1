"""Grids as GeoJSON, the grid of a place, validation and import."""

import json
from typing import Any

import httpx
import pytest
import shapely

from geo.geojson import parse_geojson
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held
from tests.world import LAT, LON, STEP, World, square

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def codes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["properties"]["code"] for each in answer.json()["features"]]


async def test_grids_are_valid_geojson_with_their_boundaries(desk: Desk, world: World) -> None:
    answer = await desk.get("/v1/grids", "admin")
    assert answer.headers["content-type"] == "application/geo+json"
    document = answer.json()
    features = parse_geojson(document).features
    assert [each.properties["code"] for each in features] == ["G1", "G2", "G3", "G4"]
    for index, each in enumerate(features):
        assert each.geometry is not None
        assert shapely.equals_exact(
            shapely.normalize(each.geometry),
            shapely.normalize(shapely.MultiPolygon([square(index)])),
            tolerance=1e-7,
        )
    first = document["features"][0]
    assert first["id"] == world.grids["G1"]
    assert first["properties"]["community"] == world.areas["N1"]
    assert shapely.is_ccw(shapely.LinearRing(first["geometry"]["coordinates"][0][0]))
    assert document["next"] is None


async def test_pages_of_grids_follow_the_link(desk: Desk) -> None:
    answer = await desk.get("/v1/grids?limit=3&area=D", "dispatcher")
    assert codes(answer) == ["G1", "G2", "G3"]
    link = answer.json()["links"][0]
    assert link["rel"] == "next"
    following = await desk.get(link["href"], "dispatcher")
    assert codes(following) == ["G4"]
    assert following.json()["next"] is None


async def test_a_box_selects_what_it_meets(desk: Desk) -> None:
    box = f"{LON + 1.2 * STEP},{LAT},{LON + 1.8 * STEP},{LAT + STEP / 2}"
    assert codes(await desk.get("/v1/grids", "dispatcher", bbox=box)) == ["G2"]
    point = f"{LON + STEP},{LAT + STEP / 2},{LON + STEP},{LAT + STEP / 2}"
    assert codes(await desk.get("/v1/grids", "dispatcher", bbox=point)) == ["G1", "G2"]
    assert codes(await desk.get("/v1/grids", "dispatcher", bbox="0,0,1,1")) == []
    world = await desk.get("/v1/grids", "dispatcher-n2", bbox="-180,-90,180,90")
    assert codes(world) == ["G3", "G4"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("bbox=1,2,3", "bbox"),
        ("bbox=1,2,3,4,5,6", "bbox"),
        ("bbox=nan,0,1,1", "bbox"),
        ("bbox=0,0,inf,1", "bbox"),
        ("bbox=2,0,1,1", "bbox"),
        ("bbox=0,0,200,1", "bbox"),
        ("bbox=a,b,c,d", "bbox"),
        ("area=nowhere", "area"),
        ("area=C", "area"),
        ("limit=501", "limit"),
        ("cursor=e30", "cursor"),
        ("filter=x", "filter"),
    ],
)
async def test_a_bad_parameter_is_named(desk: Desk, query: str, parameter: str) -> None:
    answer = await desk.get(f"/v1/grids?{query}", "dispatcher")
    assert told(answer) == (400, "invalid-parameter")
    assert answer.json()["parameter"] == parameter


async def test_one_grid_is_a_feature_with_an_etag(desk: Desk, world: World) -> None:
    answer = await desk.get(f"/v1/grids/{world.grids['G3']}", "dispatcher-n2")
    assert answer.json()["type"] == "Feature"
    assert answer.headers["etag"] == '"1"'
    outside = await desk.get(f"/v1/grids/{world.grids['G1']}", "dispatcher-n2")
    assert told(outside) == (404, "not-found")


BOW_TIE = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]


async def test_validation_says_what_a_good_document_holds(desk: Desk) -> None:
    document = json.loads(shapely.to_geojson(square(0)))
    found = await desk.done("/v1/geojson:validate", "ann", document)
    assert found["type"] == "Geometry"
    assert found["geometry_types"] == {"Polygon": 1}
    assert found["vertices"] == 5
    assert found["bbox"] == pytest.approx(list(square(0).bounds))
    empty = await desk.done(
        "/v1/geojson:validate", "ann", {"type": "FeatureCollection", "features": []}
    )
    assert (empty["features"], empty["bbox"]) == (0, None)


async def test_validation_points_at_the_fault_and_the_place(desk: Desk) -> None:
    answer = await desk.post(
        "/v1/geojson:validate", "ann", {"type": "Polygon", "coordinates": BOW_TIE}
    )
    assert pointers(answer) == ["/coordinates"]
    fault = answer.json()["errors"][0]
    assert fault["code"] == "invalid-geometry"
    assert fault["position"] == [0.5, 0.5]
    nothing: list[Any] = [[], {}, 7, {"type": "Polygon"}]
    for each in nothing:
        refused = await desk.post("/v1/geojson:validate", "ann", each)
        assert refused.status_code == 422


def new_grid(
    index: int, code: str, community: str = "N2", width: float = 1.0
) -> dict[str, Any]:
    west = LON + index * STEP
    shape = shapely.box(west, LAT, west + width * STEP, LAT + STEP)
    return {
        "type": "Feature",
        "properties": {"code": code, "name": f"Grid {code}", "community": community},
        "geometry": json.loads(shapely.to_geojson(shape)),
    }


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


CODE = "440106001001005"


async def test_imported_grids_are_listed_located_and_synced(
    desk: Desk, client: httpx.AsyncClient, world: World
) -> None:
    document = collection(new_grid(4, CODE))
    dry = await desk.done("/v1/grids:import?dry_run=true", "admin", document)
    assert (dry["ok"], dry["dry_run"], dry["created"]) == (True, True, 1)
    assert "G5" not in codes(await desk.get("/v1/grids", "admin"))
    place = {"lon": LON + 4.5 * STEP, "lat": LAT + STEP / 2}
    before = await desk.get("/v1/locate", "admin", **place)
    assert before.json()["grid"] is None
    report = await desk.done("/v1/grids:import", "admin", document)
    assert (report["ok"], report["created"]) == (True, 1)
    assert CODE in codes(await desk.get("/v1/grids", "dispatcher-n2"))
    after = (await desk.get("/v1/locate", "admin", **place)).json()
    assert [each["code"] for each in after["grids"]] == [CODE]
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    assert after["grid"] not in held(await phone.sync())


@pytest.mark.parametrize(
    ("features", "pointer"),
    [
        ([new_grid(4, CODE), new_grid(2, "440106001001006")], "/features"),
        ([new_grid(4, "x")], "/features/0/properties/code"),
        ([new_grid(4, CODE, community="N9")], "/features/0/properties/community"),
    ],
)
async def test_one_bad_grid_refuses_the_whole_file(
    desk: Desk, features: list[dict[str, Any]], pointer: str
) -> None:
    before = codes(await desk.get("/v1/grids", "admin"))
    answer = await desk.post("/v1/grids:import", "admin", collection(*features))
    assert pointer in pointers(answer)
    assert codes(await desk.get("/v1/grids", "admin")) == before


async def test_only_admins_import_and_only_degrees(desk: Desk) -> None:
    document = collection(new_grid(4, CODE))
    refused = await desk.post("/v1/grids:import", "dispatcher", document)
    assert told(refused) == (403, "forbidden")
    projected = await desk.post("/v1/grids:import?crs=EPSG:4549", "admin", document)
    assert told(projected) == (400, "invalid-parameter")
    same = await desk.done("/v1/grids:import?crs=EPSG:4490&dry_run=1", "admin", document)
    assert same["ok"]
