"""Ids and geometries look the same in Python whatever the database makes of them."""

import pytest
import shapely
from shapely import MultiPolygon, Point, box
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from server.db.store import Store
from server.db.tables import Grid, Report
from tests.db.rows import grid, ident, report

pytestmark = [pytest.mark.anyio, pytest.mark.db]

GRIDS = Grid.__table__
REPORTS = Report.__table__
CELL = MultiPolygon([box(121.5, 25.03, 121.501, 25.031), box(0, 0, 1e-7, 1e-7)])


async def test_plain_statements_take_and_give_geometries(store: Store) -> None:
    def work(db: Connection) -> None:
        db.execute(insert(GRIDS), [grid(1, CELL)])
        db.execute(insert(REPORTS), [report(1, geom=Point(121.5, 25.03)), report(2)])

    await store.write(work)
    grids = await store.read(lambda db: db.execute(select(GRIDS.c.geom)).scalars().all())
    assert [each.normalize().wkt for each in grids] == [CELL.normalize().wkt]
    places = select(REPORTS.c.geom).order_by(REPORTS.c.id)
    found = await store.read(lambda db: db.execute(places).scalars().all())
    assert found == [Point(121.5, 25.03), None]


async def test_heights_are_dropped(store: Store) -> None:
    high = shapely.force_3d(Point(1, 2), 9)
    await store.write(lambda db: db.execute(insert(REPORTS), [report(1, geom=high)]))
    found = await store.read(lambda db: db.execute(select(REPORTS.c.geom)).scalar_one())
    assert found.wkt == "POINT (1 2)"


async def test_ids_are_text_in_and_text_out_and_sort_alike(store: Store) -> None:
    rows = [report(number) for number in (11, 2, 255, 16)]
    await store.write(lambda db: db.execute(insert(REPORTS), rows))

    def work(db: Connection) -> list[str]:
        wanted = REPORTS.c.id.in_([ident(2), ident(11), ident(255)])
        after = REPORTS.c.id > ident(2)
        statement = select(REPORTS.c.id).where(wanted, after).order_by(REPORTS.c.id.desc())
        return list(db.execute(statement).scalars())

    assert await store.read(work) == [ident(255), ident(11)]


async def test_a_grid_must_have_a_boundary(store: Store) -> None:
    with pytest.raises(DBAPIError):
        await store.write(lambda db: db.execute(insert(GRIDS), [grid(1, None)]))
