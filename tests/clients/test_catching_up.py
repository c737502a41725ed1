"""First syncs, repairs and long absences of the reference phone against the running server."""

import asyncio
import gzip
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update
from typing_extensions import override

from clients.phone import Phone, SteppedClock
from server.clock import now_ms
from server.db.store import open_store
from server.db.tables import BucketExit, RecordRow
from server.replication.snapshots import RECORDS_MIN
from server.replication.submit import Draft
from server.replication.upkeep import forget_exits
from sync.canonical import canonical
from sync.outcome import Outcome
from tests.clients.test_real_server import Town, town
from tests.world import DAY_MS, done, settle

__all__ = ["town"]
pytestmark = pytest.mark.db
LARGE = RECORDS_MIN + 100


class _Cut(httpx.SyncByteStream):
    """The first bytes of a stream, then a connection that is gone."""

    def __init__(self, inner: httpx.SyncByteStream, limit: int) -> None:
        self._inner = inner
        self._left = limit

    @override
    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx.RemoteProtocolError("the connection closed early")

    @override
    def close(self) -> None:
        self._inner.close()


class Link(httpx.HTTPTransport):
    """A real connection that breaks off replies after `limit` bytes, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppedClock(wall_ms=now_ms(), uptime_ms=10**7, boot="b")
        self.limit: int | None = None
        self.paths: list[str] = []
        self.ranges: list[str | None] = []

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        self.ranges.append(request.headers.get("range"))
        response = super().handle_request(request)
        if self.limit is not None and isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Cut(response.stream, self.limit)
        return response

    def asked(self, what: str) -> int:
        """How many requests went to paths with `what` in them."""
        return sum(what in each for each in self.paths)


def in_store(town: Town, work: Callable[[Connection], Any]) -> Any:
    """Do something at the office."""

    async def run() -> Any:
        store = open_store(town.database_url, allow_unsafe=True)
        try:
            return await store.write(work)
        finally:
            await store.close()

    return asyncio.run(run())


def forget(town: Town, days: int) -> None:
    """Let `days` pass for what has left, and let maintenance run."""

    async def run() -> None:
        store = open_store(town.database_url, allow_unsafe=True)
        earlier = BucketExit.__table__.c.left_ms - days * DAY_MS
        await store.write(lambda db: db.execute(update(BucketExit).values(left_ms=earlier)))
        await forget_exits(store, before_ms=now_ms() - 30 * DAY_MS, dry_run=False)
        await store.close()

    asyncio.run(run())


def linked(town: Town, login: str) -> tuple[Phone, Link]:
    """A phone of a worker on a link of its own."""
    link = Link()
    http = httpx.Client(transport=link)
    town.clients.append(http)
    phone = Phone(":memory:", http, clock=link.clock, chance=random.Random(login))  # noqa: S311
    phone.enrol(town.url, town.world.tokens[login])
    town.phones.append(phone)
    return phone, link


def grid(town: Town, code: str) -> str:
    return f"grid:{town.world.grids[code]}"


def settled(town: Town, code: str, count: int) -> list[str]:
    made: list[str] = in_store(town, lambda db: settle(db, town.world, code, count))
    return made


def move(town: Town, record: str, base: int, code: str) -> None:
    draft = Draft(
        record=record, kind="household", base=base, set={"grid": town.world.grids[code]}
    )
    in_store(town, lambda db: done(db, town.world.importer, [draft]))


def test_a_large_bucket_comes_as_a_snapshot_and_then_by_pages(town):
    homes = settled(town, "G1", LARGE)
    first, link = linked(town, "ann")
    report = first.sync()
    assert report.up_to_date
    assert link.asked("/snapshots/") == 1
    assert report.put > LARGE
    late = settled(town, "G1", 5)
    second, link = linked(town, "ann")
    assert second.sync().up_to_date
    assert link.asked("/snapshots/") == 1
    assert {*homes, *late} <= second.bodies().keys()
    assert second.sync().put == 0
    assert first.sync().put == 5
    assert first.digests() == second.digests()


def test_a_link_that_breaks_every_few_bytes_never_asks_for_a_byte_twice(town):
    settled(town, "G1", LARGE)
    whole, _ = linked(town, "ann")
    whole.sync()
    phone, link = linked(town, "ann")
    link.limit = 4_000
    while (report := phone.sync()).failure is not None:
        assert len(link.paths) < 100
        assert not report.up_to_date
        assert not phone.is_up_to_date()
        link.clock.advance(3_600_000)
    assert report.up_to_date
    assert phone.bodies() == whole.bodies()
    starts = [int(each[6:-1]) for each in link.ranges if each is not None]
    assert len(starts) >= 3
    assert starts == sorted(set(starts))
    assert {after - before for before, after in itertools.pairwise(starts)} == {4_000}


def test_a_snapshot_that_is_not_what_it_says_is_not_used(town):
    settled(town, "G1", LARGE)
    phone, link = linked(town, "ann")
    damaged = gzip.compress(b'{"id":"x","epoch":1,"seq":1,"digest":"0","count":0,"records":[]}')
    phone._store.keep_piece(
        grid(town, "G1"), 0, path="/v1/sync/snapshots/x/1/1", etag='"x"', body=damaged
    )
    assert phone.sync().up_to_date
    assert link.asked("/snapshots/") >= 1
    assert phone._store.download_path(grid(town, "G1")) is None


def test_the_server_may_have_dropped_what_was_half_fetched(town):
    homes = settled(town, "G1", LARGE)
    phone, link = linked(town, "ann")
    link.limit = 4_000
    phone.sync()
    move(town, homes[0], 1, "G2")
    link.limit = None
    link.clock.advance(3_600_000)
    assert phone.sync().up_to_date
    assert homes[0] not in phone.bodies()


def test_one_damaged_record_costs_little_more_than_itself(town):
    homes = settled(town, "G1", LARGE)
    phone, link = linked(town, "ann")
    whole = phone.sync().bytes_down
    before = phone.bodies()
    phone._store._db.execute("UPDATE record SET body = x'7b7d' WHERE id = ?", (homes[7],))
    report = phone.sync()
    assert report.up_to_date
    assert phone.bodies() == before
    assert link.asked("/manifests/") == 2
    assert link.asked("/records") == 1
    assert report.bytes_down < whole / 2  # most of it is the digests of the parts


def test_what_is_missing_and_what_is_too_much_is_repaired_and_the_outbox_stays(town):
    homes = settled(town, "G1", LARGE)
    phone, link = linked(town, "ann")
    phone.sync()
    before = phone.bodies()
    n = phone.edit(homes[1], set={"door": "new"})
    link.limit = 0
    phone._store._db.execute("DELETE FROM record WHERE id IN (?, ?)", homes[:2])
    phone._store._db.execute(
        "INSERT INTO record SELECT replace(id, substr(id, 1, 8), 'ffffffff'), bucket, kind,"
        " rev, hash, body, 1 FROM record WHERE id = ?",
        (homes[3],),
    )
    assert phone.sync().failure.slug == "no-reply"
    assert phone.pending() == [n]
    link.limit = None
    report = phone.sync()
    assert report.up_to_date
    assert report.outcomes[n].outcome is Outcome.APPLIED
    assert phone.bodies().keys() == before.keys()
    assert phone.bodies()[homes[0]] == before[homes[0]]
    assert link.asked("/snapshots/") == 1


def test_a_repair_that_never_helps_ends_and_is_reported_once_a_day(town):
    homes = settled(town, "G1", 20)
    phone, link = linked(town, "ann")
    assert phone.sync().up_to_date
    table = RecordRow.__table__
    body = json.loads(phone.bodies()[homes[0]])
    body["state"]["door"] = "what the hash does not say"

    def damage(db: Connection) -> None:
        wrong = update(table).where(table.c.id == homes[0]).values(body=canonical(body))
        db.execute(wrong)

    in_store(town, damage)
    phone._store._db.execute("DELETE FROM record WHERE id = ?", (homes[0],))
    report = phone.sync()
    assert (report.diverged, report.up_to_date) == ((grid(town, "G1"),), False)
    assert homes[0] not in phone.bodies()
    requests = len(link.paths)
    link.clock.advance(3_600_000)
    again = phone.sync()
    assert again.diverged == (grid(town, "G1"),)
    assert len(link.paths) - requests == 1
    assert again.bytes_down < 2_000
    assert again.put == 0


def test_twenty_days_away_with_nine_hundred_mutations_ends_well(town):
    home = town.world.households["G1"]
    bob = town.phone("bob")
    assert bob.sync().up_to_date
    away = settled(town, "G1", 3)
    bob.sync()
    for number in range(450):
        bob.create("note", set={"parent": home, "text": f"{number}"})
        bob.edit(home, set={"door": f"{number}"})
    for each in away:
        move(town, each, 1, "G3")
    move(town, home, 1, "G2")
    forget(town, 31)
    bob._clock.advance(20 * DAY_MS)
    report = bob.sync()
    assert report.failure is None
    assert report.up_to_date
    assert len(report.outcomes) == 900
    assert bob.pending() == []
    assert {each.outcome for each in report.outcomes.values()} <= {
        Outcome.APPLIED,
        Outcome.MERGED,
        Outcome.UNCHANGED,
    }
    assert len(bob.records("note")) == 450
    assert not set(away) & bob.bodies().keys()
    assert bob.shown(home).state["door"] == "449"
