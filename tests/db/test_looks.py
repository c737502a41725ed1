"""What was done with identity numbers is in the access log when the schema is brought up."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from server.migrations import migrate, rewind
from tests.db.rows import ident
from tests.db.test_search_keys import at

pytestmark = pytest.mark.db
_INTO = """INSERT INTO identifier_access
  (id, account_id, resident_id, kind, act, purpose, at_ms)
  VALUES (CAST(:id AS ID), CAST(:account AS ID), CAST(:resident AS ID),
    'id_card', :act, 'school', :at)"""
ACTS = ("set", "reveal", "search", "remove")


def plant(db: Connection) -> None:
    for number, act in enumerate(ACTS, 1):
        row = {
            "id": ident(number),
            "account": ident(9),
            "resident": None if act == "search" else ident(5),
            "act": act,
            "at": number,
        }
        db.execute(
            text(
                _INTO.replace(
                    "AS ID", "AS uuid" if db.dialect.name == "postgresql" else "AS text"
                )
            ),
            row,
        )


def moved(db: Connection) -> list[Any]:
    statement = """SELECT act, kind, records, fields, purpose, at_ms, seq,
  (SELECT count(*) FROM access_record WHERE entry_id = access_entry.id)
FROM access_entry ORDER BY at_ms"""
    return [tuple(row) for row in db.execute(text(statement))]


def test_what_was_done_with_numbers_moves_into_the_access_log(database_url: str) -> None:
    rewind(database_url, revision="0031")
    at(database_url, plant, write=True)
    migrate(database_url)
    one = f'["{ident(5)}"]'
    expected = [
        (act, "identifier", records, '["id_card"]', "school", number, None, ways)
        for number, (act, records, ways) in enumerate(
            zip(ACTS, (one, one, "[]", one), (1, 1, 0, 1), strict=True), 1
        )
    ]
    assert at(database_url, moved) == expected
    rewind(database_url, revision="0031")
    migrate(database_url)
    assert at(database_url, moved) == expected
