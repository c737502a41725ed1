"""Rows from before there were search keys get theirs when the schema is brought up."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, text

from server.db.bulk import upsert
from server.db.store import open_store
from server.db.tables import Resident
from server.migrations import migrate, rewind
from tests.db.rows import common, ident
from tests.walls import beyond

pytestmark = pytest.mark.db
ROWS = 5_003


def at(url: str, work: Any, *, write: bool = False) -> Any:
    async def main() -> Any:
        store = open_store(url, allow_unsafe=True)
        try:
            return await (store.write if write else store.read)(beyond(work))
        finally:
            await store.close()

    return asyncio.run(main())


def plant(db: Connection) -> None:
    resident = {"household_id": ident(1), "birth_year": None, "phone": "1 234", "status": None}
    keys = {"archived": False, "name_key": None, "phone_key": None}
    rows = [
        {**common(number), **resident, **keys, "name": f"Ada {number}"}
        for number in range(1, ROWS + 1)
    ]
    upsert(db, Resident.__table__, rows, key=("id",), update=None)


def test_rows_there_are_get_their_keys(database_url: str) -> None:
    at(database_url, plant, write=True)
    rewind(database_url, revision="0018")
    migrate(database_url)
    named = text("SELECT name_key, phone_key FROM resident ORDER BY id")
    rows = at(database_url, lambda db: [tuple(row) for row in db.execute(named)])
    assert rows == [(f"ada{number}", "4321") for number in range(1, ROWS + 1)]
