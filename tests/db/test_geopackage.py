"""The embedded file is a GeoPackage: GDAL opens it, at rest and while the server writes."""

import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pyogrio
import pytest
import shapely
from shapely import MultiPolygon, Point, box
from sqlalchemy import Connection, delete, select, update

from server.db.bulk import upsert
from server.db.geopackage import APPLICATION_ID, USER_VERSION
from server.db.sqlite_store import prepare_connection
from server.db.store import Store, open_store, sqlite_path
from server.db.tables import FEATURE_TABLES, Grid, Report
from tests import services
from tests.db.rows import grid, report

pytestmark = [pytest.mark.anyio, pytest.mark.db]

GRIDS = Grid.__table__
REPORTS = Report.__table__


@pytest.fixture
async def file_store(sqlite_url: str, anyio_backend: str) -> AsyncIterator[Store]:  # noqa: ARG001
    """A store on a file."""
    store = open_store(sqlite_url)
    yield store
    await store.close()


def path_of(store: Store) -> Path:
    return sqlite_path(store.url)


def cell(number: int) -> MultiPolygon:
    return MultiPolygon([box(121 + number, 25, 121.5 + number, 25.5)])


def index_of(path: Path, table: str) -> list[tuple[float, ...]]:
    with sqlite3.connect(path) as raw:
        sql = f"SELECT * FROM rtree_{table}_geom ORDER BY id"  # noqa: S608 - a name of ours
        rows = raw.execute(sql).fetchall()
    raw.close()
    return rows


def gdal(*command: str) -> str:
    """Run a GDAL program and return what it printed; warnings count as failures."""
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is not installed; {services.INSTALL_HINT}", pytrace=False)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr + done.stdout
    return done.stdout


async def write_grids(store: Store, count: int) -> None:
    rows = [grid(number, cell(number)) for number in range(count)]
    await store.write(lambda db: upsert(db, GRIDS, rows, key=("id",), update=("geom",)))


async def test_the_file_says_what_it_is(file_store: Store) -> None:
    await write_grids(file_store, 1)

    def work(db: Connection) -> tuple[int, int, list[int], list[tuple[str, str]]]:
        def first(sql: str) -> int:
            return int(db.exec_driver_sql(sql).scalar_one())

        systems = db.exec_driver_sql("SELECT srs_id FROM gpkg_spatial_ref_sys ORDER BY 1")
        layers = db.exec_driver_sql(
            "SELECT table_name, geometry_type_name FROM gpkg_geometry_columns"
        )
        return (
            first("PRAGMA application_id"),
            first("PRAGMA user_version"),
            list(systems.scalars()),
            [(row[0], row[1]) for row in layers],
        )

    identity, version, systems, layers = await file_store.read(work)
    assert (identity, version) == (APPLICATION_ID, USER_VERSION)
    assert systems == [-1, 0, 4326, 4490]
    assert dict(layers) == FEATURE_TABLES


async def test_gdal_lists_the_layers_and_nothing_private(file_store: Store) -> None:
    await write_grids(file_store, 3)
    listed = gdal("ogrinfo", "-so", "-ro", str(path_of(file_store)))
    names = {line.split()[1] for line in listed.splitlines() if line[:1].isdigit()}
    assert names == {*FEATURE_TABLES, "event_class"}


async def test_gdal_reads_rows_and_extent_while_the_server_has_the_file(
    file_store: Store,
) -> None:
    await write_grids(file_store, 3)
    assert path_of(file_store).with_name("jingwei.gpkg-wal").stat().st_size > 0
    shown = gdal("ogrinfo", "-so", "-ro", str(path_of(file_store)), "grid")
    assert "Feature Count: 3" in shown
    assert "Extent: (121.000000, 25.000000) - (123.500000, 25.500000)" in shown
    assert 'ID["EPSG",4326]' in shown
    await write_grids(file_store, 4)
    frame = pyogrio.raw.read(path_of(file_store), layer="grid", columns=["code"])
    shapes = shapely.from_wkb(frame[2])
    assert [each.wkt for each in shapes] == [cell(number).wkt for number in range(4)]
    assert list(frame[3][0]) == ["G0", "G1", "G2", "G3"]


async def test_gdal_finds_rows_by_box_through_our_index(file_store: Store) -> None:
    await write_grids(file_store, 40)
    path = path_of(file_store)
    frame = pyogrio.raw.read(
        path, layer="grid", columns=["code"], bbox=(125.1, 25.1, 126.1, 25.2)
    )
    assert list(frame[3][0]) == ["G4", "G5"]


async def test_a_copy_opens_after_the_server_closed_it(
    file_store: Store, tmp_path: Path
) -> None:
    await write_grids(file_store, 2)
    await file_store.close()
    path = path_of(file_store)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    copied = tmp_path / "copy.gpkg"
    shutil.copyfile(path, copied)
    assert "Feature Count: 2" in gdal("ogrinfo", "-so", "-ro", str(copied), "grid")


async def test_the_index_follows_every_change_of_a_geometry(file_store: Store) -> None:
    async def write(geom: Point | None) -> list[tuple[float, ...]]:
        rows = [report(1, geom=geom)]
        await file_store.write(
            lambda db: upsert(db, REPORTS, rows, key=("id",), update=("geom", "rev"))
        )
        return index_of(path_of(file_store), "report")

    assert await write(None) == []
    assert await write(Point(1, 2)) == [(1, 1, 1, 2, 2)]
    assert await write(Point(3, 4)) == [(1, 3, 3, 4, 4)]
    assert await write(Point()) == []
    assert await write(Point(5, 6)) == [(1, 5, 5, 6, 6)]
    assert await write(None) == []
    assert await write(Point(7, 8)) == [(1, 7, 7, 8, 8)]
    await file_store.write(lambda db: db.execute(update(REPORTS).values(fid=12)))
    assert index_of(path_of(file_store), "report") == [(12, 7, 7, 8, 8)]
    await file_store.write(lambda db: db.execute(delete(REPORTS)))
    assert index_of(path_of(file_store), "report") == []


async def test_a_rolled_back_write_leaves_no_trace_in_the_index(file_store: Store) -> None:
    def work(db: Connection) -> None:
        upsert(db, REPORTS, [report(1, geom=Point(1, 2))], key=("id",), update=())
        raise LookupError

    with pytest.raises(LookupError):
        await file_store.write(work)
    assert index_of(path_of(file_store), "report") == []


async def test_the_index_and_the_rows_agree_after_many_changes(file_store: Store) -> None:
    await write_grids(file_store, 300)

    def work(db: Connection) -> None:
        moved = [grid(number, cell(number + 1)) for number in range(0, 300, 3)]
        upsert(db, GRIDS, moved, key=("id",), update=("geom",))
        db.execute(delete(GRIDS).where(GRIDS.c.fid % 7 == 0))

    await file_store.write(work)
    rows = await file_store.read(
        lambda db: db.execute(select(GRIDS.c.fid, GRIDS.c.geom).order_by(GRIDS.c.fid)).all()
    )
    index = index_of(path_of(file_store), "grid")
    assert [each[0] for each in index] == [row.fid for row in rows]
    for entry, row in zip(index, rows, strict=True):
        minx, miny, maxx, maxy = row.geom.bounds
        assert entry[1] <= minx <= maxx <= entry[2]
        assert entry[3] <= miny <= maxy <= entry[4]


def test_sqlite_finds_the_file_sound(sqlite_url: str) -> None:
    raw = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    prepare_connection(raw)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    assert raw.execute("PRAGMA synchronous").fetchone() == (2,)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()
