"""Spatial conditions and forms agree between the databases and with shapely."""

import json
import struct

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, box
from sqlalchemy import Connection, select

from server.db import gpkgblob
from server.db.bulk import upsert
from server.db.spatial import as_geojson, as_wkb, bbox_filter, intersects
from server.db.store import Store
from server.db.tables import Grid, Report
from tests.db.rows import grid, ident, report

GRIDS = Grid.__table__
REPORTS = Report.__table__
WEST, SOUTH, STEP = 121.5, 25.03, 0.001
degrees = st.integers(-1_800_000_000, 1_800_000_000).map(lambda e7: e7 / 10**7)


def cell(column: int, row: int) -> MultiPolygon:
    west, south = WEST + column * STEP, SOUTH + row * STEP
    return MultiPolygon([box(west, south, west + STEP, south + STEP)])


@pytest.fixture
async def town(store: Store) -> Store:
    """Ten by ten square grids and four reports, one without a place."""
    cells = [grid(10 * x + y, cell(x, y)) for x in range(10) for y in range(10)]
    places = [Point(WEST + n * STEP, SOUTH) for n in range(3)]
    reports = [report(n, geom=place) for n, place in enumerate([*places, None], start=1)]

    def work(db: Connection) -> None:
        upsert(db, GRIDS, cells, key=("id",), update=())
        upsert(db, REPORTS, reports, key=("id",), update=())

    await store.write(work)
    return store


@pytest.mark.db
@pytest.mark.anyio
async def test_bbox_finds_what_lies_in_the_box(town: Store) -> None:
    bounds = (WEST + 0.1 * STEP, SOUTH + 0.1 * STEP, WEST + 1.9 * STEP, SOUTH + 0.9 * STEP)

    def work(db: Connection) -> list[str]:
        where = bbox_filter(town.dialect, GRIDS, bounds)
        return list(db.execute(select(GRIDS.c.code).where(where).order_by("code")).scalars())

    assert await town.read(work) == ["G0", "G10"]


@pytest.mark.db
@pytest.mark.anyio
async def test_a_row_without_a_place_is_in_no_box(town: Store) -> None:
    def work(db: Connection) -> list[str]:
        where = bbox_filter(town.dialect, REPORTS, (-180, -90, 180, 90))
        return sorted(db.execute(select(REPORTS.c.id).where(where)).scalars())

    assert await town.read(work) == [ident(1), ident(2), ident(3)]


@pytest.mark.db
@pytest.mark.anyio
async def test_intersects_is_exact_where_the_box_is_not(town: Store) -> None:
    triangle = shapely.Polygon(
        [(WEST - STEP, SOUTH - STEP), (WEST + 3.5 * STEP, SOUTH - STEP), (WEST - STEP, 25.0335)]
    )

    def work(db: Connection) -> list[str]:
        alias = GRIDS.alias("g")
        where = intersects(town.dialect, alias, triangle)
        return sorted(db.execute(select(alias.c.code).where(where)).scalars())

    expected = [
        f"G{10 * x + y}"
        for x in range(10)
        for y in range(10)
        if cell(x, y).intersects(triangle)
    ]
    assert await town.read(work) == sorted(expected)
    assert 1 < len(expected) < 16


@pytest.mark.db
@pytest.mark.anyio
async def test_wkb_and_geojson_hold_the_same_geometry(town: Store) -> None:
    def work(db: Connection) -> tuple[bytes, str]:
        columns = as_wkb(town.dialect, GRIDS), as_geojson(town.dialect, GRIDS)
        row = db.execute(select(*columns).where(GRIDS.c.code == "G42")).one()
        return row[0], row[1]

    wkb, text = await town.read(work)
    assert shapely.from_wkb(wkb).equals_exact(cell(4, 2))
    parsed = json.loads(text)
    assert parsed["type"] == "MultiPolygon"
    assert shapely.geometry.shape(parsed).equals_exact(cell(4, 2), 1e-9)


@given(degrees, degrees)
def test_a_point_survives_the_geopackage_form(lon: float, lat: float) -> None:
    point = Point(lon, lat)
    blob = gpkgblob.encode(point)
    assert gpkgblob.decode(blob).equals_exact(point)
    assert gpkgblob.envelope(blob) == (lon, lat, lon, lat)
    assert gpkgblob.wkb_of(blob) == shapely.to_wkb(point)


def test_an_empty_geometry_has_no_envelope() -> None:
    blob = gpkgblob.encode(MultiPolygon())
    assert gpkgblob.is_empty(blob)
    assert gpkgblob.envelope(blob) is None
    assert gpkgblob.decode(blob).is_empty


def test_other_writers_may_leave_out_the_envelope() -> None:
    wkb = shapely.to_wkb(box(1, 2, 3, 4))
    bare = b"GP\x00\x01" + (4326).to_bytes(4, "little") + wkb
    assert gpkgblob.envelope(bare) == (1, 2, 3, 4)
    big = b"GP\x00\x02" + (4326).to_bytes(4, "big") + struct.pack(">4d", 1, 3, 2, 4) + wkb
    assert gpkgblob.envelope(big) == (1, 2, 3, 4)
    assert gpkgblob.decode(big).equals(box(1, 2, 3, 4))


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"XX", b"GP\x00", b"GP\x00\x03", b"GP\x00\x0f"]),
)
def test_foreign_bytes_are_told_apart_from_geometries(tail: bytes, start: bytes) -> None:
    try:
        geometry = gpkgblob.decode(start + tail)
    except ValueError:
        return
    assert shapely.is_geometry(geometry)
