"""A violated rule has the same name on both databases."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from server.db.constraints import FOREIGN_KEY, PROBLEM_SLUGS, problem_slug, violated
from server.db.store import Store
from server.db.tables import METADATA, Account, Assignment, Bucket, Conflict, MutationRow
from tests.db.rows import bucket, ident, mutation

pytestmark = pytest.mark.db


def account(number: int, login: str) -> dict[str, Any]:
    row = {"id": ident(number), "login": login, "role": "admin", "area_id": None}
    return {**row, "active": True, "created_ms": 1}


def conflict(number: int) -> dict[str, Any]:
    row = {"id": ident(number), "record_id": ident(1), "kind": "household", "field": "door"}
    return {**row, "area_no": 0, "choices": "[]", "live": "1", "status": "open", "opened_ms": 1}


def writer(table: Any, *rows: dict[str, Any]) -> Callable[[Connection], Any]:
    return lambda db: [db.execute(insert(table.__table__).values(**row)) for row in rows]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("work", "name"),
    [
        (writer(Account, account(1, "x"), account(2, "x")), "uq_account_login"),
        (writer(Account, {**account(1, "x"), "role": "king"}), "ck_account_role"),
        (writer(Bucket, bucket("a", seq=-1)), "ck_bucket_seq"),
        (writer(Conflict, conflict(1), conflict(2)), "uq_conflict_open"),
        (writer(MutationRow, mutation(1), mutation(1)), "uq_mutation_device_id_n"),
        (writer(MutationRow, mutation(0)), "ck_mutation_n"),
        (writer(MutationRow, mutation(1, outcome="lost")), "ck_mutation_outcome"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_constraints_are_known_by_name(store: Store, work: Any, name: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        await store.write(work)
    assert violated(refused.value) == name
    assert problem_slug(refused.value) == PROBLEM_SLUGS.get(name)


@pytest.mark.anyio
async def test_a_foreign_key_is_checked_on_both(store: Store) -> None:
    row = {"id": ident(1), "account_id": ident(2), "area_id": ident(3), "valid_from_ms": 1}
    with pytest.raises(IntegrityError) as refused:
        await store.write(writer(Assignment, row))
    expected = {FOREIGN_KEY, "fk_assignment_account_id", "fk_assignment_area_id"}
    assert violated(refused.value) in expected


def test_every_named_problem_belongs_to_a_real_constraint() -> None:
    names = {str(index.name) for table in METADATA.tables.values() for index in table.indexes}
    for table in METADATA.tables.values():
        names |= {f"pk_{table.name}"}
        for each in table.constraints:
            columns = "_".join(getattr(each, "columns", {}).keys())
            names |= {f"uq_{table.name}_{columns}"}
    assert set(PROBLEM_SLUGS) <= names
