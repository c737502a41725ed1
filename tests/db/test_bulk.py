"""Set-based writes and `among`: the same meaning on both databases."""

from typing import Any

import pytest
import shapely
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from server.db.bulk import ROWS_MAX, among, insert_new, upsert
from server.db.store import Store
from server.db.tables import Bucket, Counter, MutationRow, Report
from tests.db.rows import bucket, ident, mutation, report

pytestmark = [pytest.mark.anyio, pytest.mark.db]

BUCKETS = Bucket.__table__
REPORTS = Report.__table__


async def all_of(store: Store, table: Any, *order: Any) -> list[dict[str, Any]]:
    statement = select(table).order_by(*order)
    rows = await store.read(lambda db: db.execute(statement).all())
    return [dict(row._mapping) for row in rows]


async def test_upsert_inserts_then_updates_only_the_named_columns(store: Store) -> None:
    def work(db: Connection) -> None:
        upsert(db, BUCKETS, [bucket("a"), bucket("b")], key=("id",), update=("seq",))
        changed = [bucket("a", seq=7, count=9), bucket("c", seq=1)]
        upsert(db, BUCKETS, changed, key=("id",), update=("seq",))

    await store.write(work)
    found = await all_of(store, BUCKETS, BUCKETS.c.id)
    assert [(each["id"], each["seq"], each["count"]) for each in found] == [
        ("a", 7, 0),
        ("b", 0, 0),
        ("c", 1, 0),
    ]


async def test_every_kind_of_column_comes_back_as_it_was(store: Store) -> None:
    full = report(
        1, text="管道漏水 'quoted' \" ; -- \\", certain=True, geom=shapely.Point(121.5, 25.03)
    )
    bare = report(2, text=None, certain=None, geom=None, grid_id=None, accuracy_cm=None)
    await store.write(lambda db: upsert(db, REPORTS, [full, bare], key=("id",), update=()))
    found = await all_of(store, REPORTS, REPORTS.c.id)
    for row, given in zip(found, (full, bare), strict=True):
        assert {name: row[name] for name in given} == given
    assert found[0]["certain"] is True


async def test_bytes_and_64_bit_numbers_survive(store: Store) -> None:
    rows = [mutation(n, body=bytes(range(256)), at_ms=2**53) for n in (1, 2**52)]
    table = MutationRow.__table__
    await store.write(lambda db: upsert(db, table, rows, key=("device_id", "n"), update=None))
    found = await all_of(store, table, table.c.n)
    assert [each["n"] for each in found] == [1, 2**52]
    assert found[0]["body"] == bytes(range(256))
    assert found[0]["at_ms"] == 2**53


async def test_update_none_refuses_a_row_that_exists(store: Store) -> None:
    def work(db: Connection) -> None:
        upsert(db, BUCKETS, [bucket("a")], key=("id",), update=None)

    await store.write(work)
    with pytest.raises(IntegrityError):
        await store.write(work)


async def test_insert_new_counts_only_what_was_new(store: Store) -> None:
    first = await store.write(lambda db: insert_new(db, BUCKETS, [bucket("a")], ("id",)))
    rows = [bucket("b"), bucket("a", seq=5), bucket("c")]
    again = await store.write(lambda db: insert_new(db, BUCKETS, rows, ("id",)))
    assert (first, again) == (1, 2)
    found = await all_of(store, BUCKETS, BUCKETS.c.id)
    assert [each["seq"] for each in found] == [0, 0, 0]


async def test_two_rows_with_one_key_are_a_broken_caller(store: Store) -> None:
    def work(db: Connection) -> None:
        upsert(db, BUCKETS, [bucket("a"), bucket("a", seq=1)], key=("id",), update=("seq",))

    with pytest.raises(ValueError, match="same key"):
        await store.write(work)


async def test_nothing_is_written_for_no_rows_and_too_many_are_refused(store: Store) -> None:
    counters = Counter.__table__
    rows = [{"name": f"{n}", "value": n} for n in range(ROWS_MAX + 1)]

    def many(db: Connection) -> None:
        upsert(db, counters, rows, key=("name",), update=())

    await store.write(lambda db: upsert(db, counters, [], key=("name",), update=()))
    with pytest.raises(ValueError, match="at most"):
        await store.write(many)
    assert await all_of(store, counters, counters.c.name) == []


async def test_a_changed_geometry_replaces_the_old_one(store: Store) -> None:
    def work(db: Connection) -> None:
        for geom in (shapely.Point(1, 2), shapely.Point(3, 4), None, shapely.Point(5, 6)):
            upsert(db, REPORTS, [report(1, geom=geom)], key=("id",), update=("geom",))

    await store.write(work)
    (found,) = await all_of(store, REPORTS, REPORTS.c.id)
    assert found["geom"].wkt == "POINT (5 6)"


async def test_among_takes_none_one_or_very_many(store: Store) -> None:
    wanted = [ident(n) for n in range(3000)]
    rows = [report(n) for n in (1, 2, 2999, 5000)]
    await store.write(lambda db: upsert(db, REPORTS, rows, key=("id",), update=()))

    def numbers(db: Connection, values: list[str]) -> list[str]:
        statement = select(REPORTS.c.id).where(among(db, REPORTS.c.id, values))
        return sorted(db.execute(statement).scalars())

    assert await store.read(lambda db: numbers(db, [])) == []
    assert await store.read(lambda db: numbers(db, [ident(2)])) == [ident(2)]
    found = await store.read(lambda db: numbers(db, wanted))
    assert found == [ident(1), ident(2), ident(2999)]


async def test_among_works_on_numbers_and_text(store: Store) -> None:
    rows = [bucket("it's", seq=3), bucket("b", seq=4)]
    await store.write(lambda db: upsert(db, BUCKETS, rows, key=("id",), update=()))

    def work(db: Connection) -> tuple[list[str], list[str]]:
        by_text = select(BUCKETS.c.id).where(among(db, BUCKETS.c.id, ["it's", "x"]))
        by_number = select(BUCKETS.c.id).where(among(db, BUCKETS.c.seq, [4, 5]))
        return list(db.execute(by_text).scalars()), list(db.execute(by_number).scalars())

    assert await store.read(work) == (["it's"], ["b"])
