"""What is held for a period is ended by a job, and a dry run says what that would be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import SubjectCopy, SubjectRequest, SubjectStep
from server.maintain import Wanted, maintain
from server.privacy.catalogue import Entry, table_entries
from server.privacy.periods import COLLECTED, JOBS, periods, without_end
from server.settings import Settings
from sync.holding import Retention
from tests.world import DAY_MS, World

OLD, YOUNG = 1_100, 1
TABLES = (SubjectCopy, SubjectRequest, SubjectStep)


def test_every_table_that_holds_something_for_a_period_has_a_job() -> None:
    assert without_end(table_entries()) == []
    assert periods(table_entries()) == JOBS.keys()


def test_a_period_without_a_job_and_a_job_without_a_period_are_found() -> None:
    some = next(each.holding for each in table_entries() if each.holding is not None)
    held = replace(some, retention=Retention.PROOF)
    kept = replace(some, retention=Retention.STORE)
    entries = [
        Entry(place="a", name="x", holding=held),
        Entry(place="b", name="x", holding=kept),
        Entry(place="c", name="x", holding=None),
    ]
    assert without_end(entries, {"a": "job"}) == []
    assert without_end(entries, {"b": "job"}) == [
        "a: held for a period that no job ends",
        "b: a job ends what is held for no period",
    ]


def aged(db: Connection, *, world: World, now: int) -> None:
    """One closed request with its copy: long ago, and yesterday."""
    account, resident = world.accounts["dispatcher"], new_id()
    for days in (OLD, YOUNG):
        at, request = now - days * DAY_MS, new_id()
        rows: list[tuple[Any, dict[str, Any]]] = [
            (
                SubjectRequest,
                {
                    "id": request,
                    "asked": "access",
                    "about": "resident",
                    "record_id": resident,
                    "verified": "document_seen",
                    "state": "answered",
                    "received_ms": at,
                    "received_by": account,
                    "due_ms": at,
                    "closed_ms": at,
                    "rev": 1,
                },
            ),
            (
                SubjectStep,
                {
                    "request_id": request,
                    "rev": 1,
                    "at_ms": at,
                    "account_id": account,
                    "act": "received",
                },
            ),
            (
                SubjectCopy,
                {
                    "request_id": request,
                    "made_ms": at,
                    "expires_ms": at + 7 * DAY_MS,
                    "sha256": "",
                    "body": b"{}",
                },
            ),
        ]
        for table, row in rows:
            db.execute(insert(table.__table__).values(**row))


def counts(db: Connection) -> list[int]:
    return [
        int(db.execute(select(func.count()).select_from(each.__table__)).scalar_one())
        for each in TABLES
    ]


@pytest.mark.anyio
@pytest.mark.db
async def test_maintenance_ends_what_is_old_and_says_before_what_that_is(
    store: Store, world: World, database_url: str, tmp_path: Path
) -> None:
    now = now_ms()
    await store.write(lambda db: aged(db, world=world, now=now))
    settings = Settings(allow_unsafe=True, sealed_vault=str(tmp_path))
    said = {}
    for dry_run in (True, False):
        wanted = Wanted(tombstone_days=30, access_days=1_095, dry_run=dry_run)
        said[dry_run] = await maintain(database_url, settings, wanted)
        assert await store.read(counts) == ([2] * 3 if dry_run else [1] * 3)
    named = [each.partition(":")[0] for each in said[True]]
    assert {*JOBS.values()} - {COLLECTED} <= set(named)
    for line in (
        "requests of people closed long ago: 1 forgotten",
        "copies for people that expired: 1 destroyed",
    ):
        assert line in said[True]
        assert line in said[False]
