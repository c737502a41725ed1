"""The migrated schema is the one `server.db.tables` describes, on both databases."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect, select

from server.db.store import StoreBusy, open_store
from server.db.tables import FEATURE_TABLES, METADATA, Incarnation
from server.migrations import head, is_current, migrate, rewind
from server.migrations.comparison import compare_types, include_object
from tests import services

pytestmark = pytest.mark.db


def look(url: str, work: Any) -> Any:
    """Run `work` on the store at `url`."""

    async def main() -> Any:
        store = open_store(url, allow_unsafe=True)
        try:
            return await store.read(work)
        finally:
            await store.close()

    return asyncio.run(main())


def differences(db: Connection) -> list[Any]:
    options = {"compare_type": compare_types, "include_object": include_object}
    context = MigrationContext.configure(db, opts=options)
    return list(compare_metadata(context, METADATA))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A database nobody has touched."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new/store.gpkg"
        return
    cluster: services.Postgres = request.getfixturevalue("postgres")
    name = f"empty_{tmp_path.name[-20:]}".lower()
    cluster.drop(name)
    yield cluster.create(name)
    cluster.drop(name)


def test_tables_and_migrations_describe_one_schema(database_url: str) -> None:
    assert look(database_url, differences) == []


def test_every_check_is_in_the_database_under_its_name(database_url: str) -> None:
    def named(db: Connection) -> set[str]:
        seen = inspect(db)
        tables = METADATA.tables
        return {
            str(each["name"]) for table in tables for each in seen.get_check_constraints(table)
        }

    wanted = {
        f"ck_{table.name}_{each.name}"
        if not str(each.name).startswith("ck_")
        else str(each.name)
        for table in METADATA.tables.values()
        for each in table.constraints
        if isinstance(each, CheckConstraint)
    }
    assert wanted <= look(database_url, named)


def test_every_feature_table_has_a_spatial_index(database_url: str) -> None:
    def indexed(db: Connection) -> set[str]:
        if db.dialect.name == "sqlite":
            sql = "SELECT name FROM sqlite_master WHERE name LIKE 'rtree_%_geom'"
            names = db.exec_driver_sql(sql).scalars()
            return {name.removeprefix("rtree_").removesuffix("_geom") for name in names}
        sql = "SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%USING gist (geom)%'"
        return set(db.exec_driver_sql(sql).scalars())

    assert look(database_url, indexed) == set(FEATURE_TABLES)


def test_up_down_and_up_again_from_nothing(empty_url: str) -> None:
    def tables(db: Connection) -> set[str]:
        return set(inspect(db).get_table_names()) & set(METADATA.tables)

    assert look(empty_url, is_current) is False
    migrate(empty_url)
    assert look(empty_url, is_current) is True
    assert look(empty_url, tables) == set(METADATA.tables)
    rewind(empty_url)
    assert look(empty_url, is_current) is False
    assert look(empty_url, tables) == set()
    migrate(empty_url, revision=head())
    assert look(empty_url, differences) == []


def test_migrating_again_changes_nothing_and_keeps_the_incarnation(empty_url: str) -> None:
    def lives(db: Connection) -> list[str]:
        return list(db.execute(select(Incarnation.__table__.c.id)).scalars())

    migrate(empty_url)
    first = look(empty_url, lives)
    migrate(empty_url)
    assert look(empty_url, lives) == first
    assert len(first) == 1


def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(migrate, [empty_url] * 4))
    assert look(empty_url, is_current) is True


def test_an_absent_server_is_reported_as_busy(tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="unreachable"):
        migrate(f"postgresql://nobody@/nothing?host={tmp_path}")


def test_a_missing_database_is_reported_as_refused(postgres: services.Postgres) -> None:
    with pytest.raises(StoreBusy, match="refused"):
        migrate(postgres.url("no_such_database"))
