"""Public GeoJSON files, the JTS validity suites and a huge polygon, over HTTP."""

import json

import httpx
import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.geojson import IMPORT_LIMITS, parse_geojson
from tests.geo.test_polygon import jts_cases
from tests.server.desk import Desk, pointers, told
from tests.shared_data import shared_json, shared_path
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PATH = "/v1/geojson:validate"
VERTICES = 2_000_000


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def fault_of(document: object) -> GeoError | None:
    try:
        parse_geojson(document, limits=IMPORT_LIMITS)
    except GeoError as fault:
        return fault
    return None


async def test_every_public_file_is_accepted_or_refused_with_a_pointer(desk: Desk) -> None:
    paths = sorted(shared_path("geometry", "geojson").glob("*/*.geojson"))
    assert len(paths) == 73
    for path in paths:
        document = shared_json("geometry", "geojson", path.parent.name, path.name)
        answer = await desk.post(PATH, "ann", document)
        fault = fault_of(document)
        if fault is None:
            assert answer.status_code == 200, path.stem
            continue
        assert pointers(answer) == [fault.pointer], path.stem
        assert answer.json()["errors"][0]["code"] == fault.reason
    assert (await desk.get("/v1/grids", "dispatcher")).json()["numberReturned"] == 4


def shape_of(text: str) -> BaseGeometry:
    with np.errstate(invalid="ignore"):
        return shapely.from_wkb(text) if text[0].isdigit() else shapely.from_wkt(text)


def on_earth(shape: BaseGeometry) -> bool:
    places = shapely.get_coordinates(shape)
    return bool(places.size) and bool((np.abs(places) <= (180, 90)).all())


async def test_the_jts_validity_suites_agree_over_http(desk: Desk) -> None:
    judged = {200: 0, 422: 0}
    for text, valid in jts_cases():
        shape = shape_of(text)
        if not on_earth(shape):
            continue
        document = json.loads(shapely.to_geojson(shape))
        answer = await desk.post(PATH, "ann", document)
        if not valid:
            assert pointers(answer), text
        judged[answer.status_code] += 1
    assert min(judged.values()) > 10


@pytest.mark.slow
async def test_a_polygon_of_two_million_vertices_is_refused_and_the_server_lives(
    desk: Desk, world: World
) -> None:
    ring = b"[1,1]," * VERTICES
    body = b'{"type":"Polygon","coordinates":[[' + ring + b"[1,1]]]}"
    headers = {
        "authorization": f"Bearer {world.tokens['admin']}",
        "content-type": "application/geo+json",
    }
    for path in (PATH, "/v1/grids:import"):
        answer = await desk.client.post(path, content=body, headers=headers)
        assert pointers(answer) == ["/coordinates/0"]
        assert answer.json()["errors"][0]["code"] == "too-many-vertices"
    assert told(await desk.get("/v1/grids?limit=0", "admin"))[0] == 400
    assert (await desk.get("/v1/grids", "admin")).json()["numberReturned"] == 4
