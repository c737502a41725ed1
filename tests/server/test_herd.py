"""Phones that come back all at once lose nothing; `python -m bench.herd` does it with 2,000."""

from collections.abc import AsyncIterator

import pytest

from bench.herd import QUEUED, audit, heads, prepare, reconnect
from bench.servers import UNLIMITED, Running, server
from server.clock import now_ms
from server.db.store import Store
from server.replication.submit import Console, Draft, require_done, submit

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PHONES = 150
LIMIT_S = 400
"""On a machine that has other work; most of the time goes by in waits of `Retry-After`."""
NARROW = {
    **UNLIMITED,
    "JINGWEI_LIMIT_REQUESTS": "4",
    "JINGWEI_LIMIT_WAITING": "32",
    "JINGWEI_ALLOW_UNSAFE": "true",
}


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Running]:
    """`jingwei serve` with room for few; on PostgreSQL in two processes."""
    workers = 1 if database_url.startswith("sqlite") else 2
    with server(database_url, workers=workers, settings=NARROW) as started:
        yield started


async def test_a_herd_is_served_without_losing_or_doubling_anything(
    running: Running, store: Store
) -> None:
    phones = await prepare(store, phones=PHONES)
    cursors = await store.read(heads)
    herd = await reconnect(running, phones, cursors, spread_s=0.5, limit_s=LIMIT_S)
    assert len(herd.done_s) == PHONES
    assert herd.answers[503] > 0, "the test is about a server that has to refuse"
    assert set(herd.answers) == {200, 503}
    assert herd.without_retry_after == 0
    assert herd.lost_replies > 0
    assert await store.read(lambda db: audit(db, phones)) == {
        "mutations": PHONES * QUEUED,
        "lost": 0,
        "applied_twice": 0,
    }


async def test_the_audit_of_a_herd_finds_what_is_missing_and_what_came_twice(
    store: Store,
) -> None:
    phones = await prepare(store, phones=2)
    everything = 2 * QUEUED
    found = await store.read(lambda db: audit(db, phones))
    assert found["lost"] == 2 * everything, "neither a mutation nor its effect"
    home = phones[0].households[0]

    def edit_twice(db: object) -> None:
        console = Console(account=phones[0].phone.account, role="admin")
        for base, number in ((1, "111"), (2, "222")):
            draft = Draft(
                record=home, kind="household", base=base, set={"contact_phone": number}
            )
            require_done(submit(db, console, [draft], now_ms=now_ms()))

    await store.write(edit_twice)
    found = await store.read(lambda db: audit(db, phones))
    assert found["applied_twice"] == 1
