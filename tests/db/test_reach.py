"""The second wall: PostgreSQL shows a transaction the rows of where it works, and no more."""

from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import ProgrammingError

from server.areas.scoped import HOUSEHOLDS, RESIDENTS
from server.db.bulk import upsert
from server.db.reach import confine, everywhere, unwalled
from server.db.store import open_store
from server.db.tables import Resident as Person
from server.db.tables import ResidentIdentifier
from server.doctor import wall_finding
from server.identity.principal import AreaSpan
from tests import services
from tests.db.rows import common, ident
from tests.walls import beyond

pytestmark = [pytest.mark.anyio, pytest.mark.db]
ROUNDS = 60
NUMBERS = range(40)
PEOPLE = Person.__table__


def person(number: int) -> dict[str, Any]:
    return {
        **common(number),
        "area_no": number,
        "archived": False,
        "household_id": ident(1),
        "name": f"P{number}",
        "birth_year": None,
        "phone": None,
        "status": None,
        "name_key": None,
        "phone_key": None,
    }


def seen(db: Connection) -> list[int]:
    """The area numbers of the people that a select without any scope is shown."""
    return sorted(db.execute(select(PEOPLE.c.area_no)).scalars())


def identified(db: Connection) -> int:
    return len(db.execute(select(ResidentIdentifier.__table__.c.resident_id)).all())


def plant(db: Connection) -> None:
    everywhere(db)
    upsert(db, PEOPLE, [person(each) for each in NUMBERS], key=("id",), update=None)
    db.execute(text("INSERT INTO data_key VALUES (:id, :id, 1, NULL)"), {"id": ident(1)})
    for each in NUMBERS:
        db.execute(
            text(
                "INSERT INTO resident_identifier VALUES (:id, 'id_card', 'x', 'x', 'd1', :key,"
                " 'benefits', 2, 1, :key)"
            ),
            {"id": ident(each), "key": ident(1)},
        )


async def test_rows_of_people_are_shown_within_what_was_said(postgres_url: str) -> None:
    # One connection, so that each transaction gets the one that the last one used.
    store = open_store(postgres_url, pool=1, allow_unsafe=True)
    chance = Random(4)  # noqa: S311 - the same rounds each time
    try:
        assert await store.read(seen) == []
        await store.write(plant)
        for _ in range(ROUNDS):
            ends = sorted(chance.sample(range(-2, 45), 2 * chance.randint(0, 3)))
            spans = list(zip(ends[::2], ends[1::2], strict=True))
            inside = [n for n in NUMBERS if any(lo <= n <= hi for lo, hi in spans)]
            scope = tuple(AreaSpan(id="", lo=lo, hi=hi) for lo, hi in spans)

            def asked(db: Connection, spans: Any = spans, scope: Any = scope) -> Any:
                confine(db, spans)
                shown, numbers = seen(db), identified(db)
                scoped = RESIDENTS.within(db, scope).c
                return shown, numbers, sorted(db.execute(select(scoped.area_no)).scalars())

            assert await store.read(asked) == (inside, len(inside), inside)
            assert await store.read(seen) == []
            assert await store.read(identified) == 0
    finally:
        await store.close()


async def test_what_was_said_holds_for_one_transaction_and_goes_back(postgres_url: str) -> None:
    store = open_store(postgres_url, pool=1, allow_unsafe=True)

    def back(db: Connection) -> tuple[list[int], list[int]]:
        confine(db, [(0, 2)])
        nested = db.begin_nested()
        everywhere(db)
        nested.rollback()
        narrow = seen(db)
        everywhere(db)
        return narrow, seen(db)

    def outside(db: Connection) -> None:
        confine(db, [(0, 9)])
        upsert(db, PEOPLE, [person(10)], key=("id",), update=("name",))

    def unsaid(db: Connection) -> None:
        db.execute(PEOPLE.update().values(name="all"))
        upsert(db, PEOPLE, [person(99)], key=("id",), update=None)

    try:
        await store.write(plant)
        assert await store.write(back) == ([0, 1, 2], list(NUMBERS))
        for each in (outside, unsaid):
            with pytest.raises(ProgrammingError, match="row-level security"):
                await store.write(each)
        with pytest.raises(RuntimeError, match="transaction"):
            await store.ask(lambda db: HOUSEHOLDS.within(db, ()))
        with pytest.raises(RuntimeError, match="transaction"):
            await store.note(everywhere)
        assert await store.read(beyond(seen)) == list(NUMBERS)
    finally:
        await store.close()


async def test_the_wall_stands_in_the_catalogue_and_keeps_to_operators_that_leak_nothing(
    postgres_url: str, postgres: services.Postgres
) -> None:
    name = postgres_url.partition("?")[0].rsplit("/", 1)[-1]
    # What scoped selects compare with: only these may be looked up in an index under the wall.
    leaking = (
        "SELECT oprname, oprleft::regtype FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode"
        " WHERE oprname IN ('=', '<>', '<', '<=', '>', '>=') AND oprleft = oprright"
        " AND oprleft IN ('uuid'::regtype, 'text'::regtype, 'bigint'::regtype)"
        " AND NOT proleakproof"
    )
    for user, said in ((services.ROLE, "guards"), ("postgres", "WARNING")):
        store = open_store(postgres.url(name, user=user), allow_unsafe=True)
        try:
            assert await store.read(unwalled) == []
            assert await store.read(lambda db: db.execute(text(leaking)).all()) == []
            found = await store.read(wall_finding)
            assert found.ok
            assert said in found.detail
        finally:
            await store.close()
    postgres.execute("ALTER TABLE visit NO FORCE ROW LEVEL SECURITY", database=name)
    store = open_store(postgres_url, allow_unsafe=True)
    try:
        assert await store.read(unwalled) == ["visit"]
        assert not (await store.read(wall_finding)).ok
    finally:
        await store.close()


async def test_sqlite_says_that_it_has_no_wall(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    try:
        assert "none" in (await store.read(wall_finding)).detail
        await store.write(lambda db: upsert(db, PEOPLE, [person(1)], key=("id",), update=None))
        assert await store.read(seen) == [1]
    finally:
        await store.close()
