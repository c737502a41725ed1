"""The database itself keeps the history of grids: no overlap in time, no change, no loss."""

import asyncio
from typing import Any

import pytest
import shapely
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from server.db.constraints import violated
from server.db.store import Store, open_store
from server.db.tables import Grid, GridVersion
from server.migrations import migrate, rewind
from tests.db.rows import grid, ident

pytestmark = [pytest.mark.anyio, pytest.mark.db]
TABLE = GridVersion.__table__
SQUARE = shapely.MultiPolygon([shapely.box(121, 25, 121.001, 25.001)])


def row(from_ms: int, to_ms: int | None, **changed: Any) -> dict[str, Any]:
    what = {"grid_id": ident(1), "rev": 1, "area_no": 4096, "code": "G1", "name": "Grid"}
    when = {"valid_from_ms": from_ms, "valid_to_ms": to_ms, "recorded_ms": from_ms}
    who = {"community_id": ident(7), "published_by": ident(8), "change_id": None}
    return {**what, **when, **who, "area_m2": 10_000, "geom": SQUARE, **changed}


async def refused(store: Store, work: Any) -> str | None:
    """The name of the rule that `work` breaks."""
    with pytest.raises(IntegrityError) as caught:
        await store.write(work)
    return violated(caught.value)


async def add(store: Store, *rows: dict[str, Any]) -> None:
    def work(db: Connection) -> None:
        for each in rows:
            db.execute(insert(TABLE).values(**each))

    await store.write(work)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0, 10), (9, 20)),
        ((0, 10), (5, 6)),
        ((5, 6), (0, 10)),
        ((0, None), (10, 20)),
        ((10, 20), (0, None)),
        ((0, None), (10, None)),
    ],
)
async def test_two_versions_of_a_grid_never_hold_at_once(
    store: Store, first: tuple[int, int | None], second: tuple[int, int | None]
) -> None:
    await add(store, row(*first))
    found = await refused(store, lambda db: db.execute(insert(TABLE).values(**row(*second))))
    assert found == "ex_grid_version_period"


async def test_versions_may_follow_each_other_and_other_grids_do_not_matter(
    store: Store,
) -> None:
    await add(store, row(0, 10), row(10, 20), row(30, None), row(5, 15, grid_id=ident(2)))


async def test_a_version_is_never_empty(store: Store) -> None:
    empty = row(10, 10)
    found = await refused(store, lambda db: db.execute(insert(TABLE).values(**empty)))
    assert found == "ck_grid_version_period"


@pytest.mark.parametrize(
    "values",
    [
        {"code": "other"},
        {"name": "other"},
        {"area_m2": 1},
        {"valid_from_ms": 1},
        {"valid_to_ms": 30},
        {"valid_to_ms": None},
        {"change_id": ident(6)},
        {"published_by": None},
        {"geom": shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])},
    ],
)
async def test_a_version_that_ended_is_never_changed(
    store: Store, values: dict[str, Any]
) -> None:
    await add(store, row(0, 10, change_id=ident(5)))
    found = await refused(store, lambda db: db.execute(update(TABLE).values(**values)))
    assert found == "ck_grid_version_kept"


async def test_a_version_is_never_deleted(store: Store) -> None:
    await add(store, row(0, None))
    assert await refused(store, lambda db: db.execute(delete(TABLE))) == "ck_grid_version_kept"


async def test_a_version_may_be_ended_and_named_once(store: Store) -> None:
    await add(store, row(0, None))
    await store.write(lambda db: db.execute(update(TABLE).values(valid_to_ms=10)))
    await store.write(lambda db: db.execute(update(TABLE).values(change_id=ident(5))))


def test_grids_of_before_begin_when_they_said_or_were_stored(database_url: str) -> None:
    """A store that comes from the schema before gets a first version of every grid."""
    rewind(database_url, revision="0016")

    def old(db: Connection) -> None:
        values = grid(1, SQUARE) | {"archived": False}
        db.execute(insert(Grid.__table__).values(**values))
        db.execute(
            insert(Grid.__table__).values(
                **grid(2, SQUARE) | {"archived": False, "valid_from_ms": 7}
            )
        )

    def versions(db: Connection) -> list[tuple[Any, ...]]:
        columns = (TABLE.c.grid_id, TABLE.c.valid_from_ms, TABLE.c.valid_to_ms, TABLE.c.geom)
        return [tuple(each) for each in db.execute(select(*columns).order_by(TABLE.c.fid))]

    asyncio.run(_with(database_url, lambda store: store.write(old)))
    migrate(database_url)
    found = asyncio.run(_with(database_url, lambda store: store.read(versions)))
    assert found == [(ident(1), 1, None, SQUARE), (ident(2), 7, None, SQUARE)]


async def _with(url: str, work: Any) -> Any:
    store = open_store(url, allow_unsafe=True)
    try:
        return await work(store)
    finally:
        await store.close()
