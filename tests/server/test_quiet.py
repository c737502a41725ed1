"""A call that brings no work asks without locks: it must see one moment, or go the long way."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from server.clock import now_ms
from server.db.store import Store
from server.db.tables import Device
from server.replication import contact_queries, feed_queries, pull, quiet
from server.replication.contact_queries import Standing
from server.replication.push import Phone, push
from sync.exchange import SyncRequest
from sync.wire import BucketCursor, decode_request
from tests.server.phones import RawPhone
from tests.world import World, settle

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
async def phone(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


class Raced:
    """A store in which something happens between what a call reads and what it notes."""

    def __init__(self, store: Store, between: Callable[[], Awaitable[None]]) -> None:
        self.ask = store.ask
        self._note = store.note
        self._between = between

    async def note(self, work: Any) -> Any:
        await self._between()
        return await self._note(work)


async def standing(store: Store, device: str) -> Standing:
    """How a device stands now."""
    found = await store.ask(lambda db: contact_queries.standing(db, device, 0))
    assert found is not None
    return found[0]


def caller(phone: RawPhone, world: World) -> Phone:
    return Phone(device=phone.id, account=world.accounts["ann"], role="worker")


def asked(phone: RawPhone) -> SyncRequest:
    return decode_request(phone.body())


async def test_a_quiet_call_is_answered_like_one_that_locks(
    store: Store, world: World, phone: RawPhone
) -> None:
    await phone.sync()
    phone.cursors[f"grid:{world.grids['G1']}"] |= {"seq": 1, "digest": "0" * 16}
    who, now = caller(phone, world), now_ms()
    short = await quiet.quiet_call(store, who, asked(phone), now_ms=now)
    assert short is not None
    contact, seen = short
    before = phone.lease
    phone.lease = contact.lease
    long = await push(store, who, asked(phone), received_ms=now)
    look = partial(quiet.look, phone=who, asked=asked(phone), now_ms=now, revoked=False)
    assert seen == await store.read(look)
    assert seen.pulled.pages[0].items
    assert contact.settled_through == long.settled_through
    assert len({before, contact.lease, long.lease}) == 3


async def test_what_a_contact_says_is_kept(store: Store, world: World, phone: RawPhone) -> None:
    await phone.sync()
    phone.last_n = 7
    await phone.sync()
    kept = await standing(store, phone.id)
    assert (kept.last_n, kept.lease, kept.status) == (7, phone.lease, "active")
    assert f"grid:{world.grids['G1']}" in (kept.said or "")


@pytest.mark.parametrize(
    "changed",
    [
        {"lease": "another"},
        {"lease_previous": "another"},
        {"last_n": 9},
        {"said": '[["config",1,1,"0000000000000000",1]]'},
        {"settled_through": 3},
        {"status": "revoked"},
    ],
)
async def test_a_contact_is_not_noted_when_the_device_changed_meanwhile(
    store: Store, phone: RawPhone, changed: dict[str, Any]
) -> None:
    await phone.sync()
    seen = await standing(store, phone.id)
    row = update(Device).where(Device.id == phone.id).values(**changed)
    await store.write(lambda db: db.execute(row))
    values = {
        "lease": "mine",
        "lease_previous": seen.lease,
        "last_contact_ms": 1,
        "last_n": 1,
        "offset_ms": 1,
        "app_version": "1",
        "said": seen.said,
    }
    note = partial(contact_queries.note_contact, device=phone.id, seen=seen, values=values)
    assert await store.note(note) is False
    assert (await standing(store, phone.id)).lease != "mine"
    current = await standing(store, phone.id)
    assert await store.note(partial(note, seen=current)) is True
    assert (await standing(store, phone.id)).lease == "mine"


async def test_a_lost_race_is_answered_the_long_way(
    store: Store, world: World, phone: RawPhone
) -> None:
    await phone.sync()

    async def overtake() -> None:
        row = update(Device).where(Device.id == phone.id).values(last_n=5)
        await store.write(lambda db: db.execute(row))

    raced = Raced(store, overtake)
    who, now = caller(phone, world), now_ms()
    assert await quiet.quiet_call(raced, who, asked(phone), now_ms=now) is None
    assert await quiet.quiet_call(store, who, asked(phone), now_ms=now) is not None
    assert (await standing(store, phone.id)).last_n == 5


async def test_a_revoked_device_never_gets_the_short_answer(
    store: Store, world: World, phone: RawPhone
) -> None:
    await phone.sync()
    row = update(Device).where(Device.id == phone.id).values(status="revoked")
    await store.write(lambda db: db.execute(row))
    who = caller(phone, world)
    assert await quiet.quiet_call(store, who, asked(phone), now_ms=now_ms()) is None
    reply = await phone.sync()
    assert reply["buckets"] == []
    assert f"grid:{world.grids['G1']}" in reply["scope"]["leave"]


async def test_a_bucket_that_went_on_between_two_questions_is_noticed(
    store: Store, world: World
) -> None:
    account, bucket = world.accounts["ann"], f"grid:{world.grids['G1']}"
    old = await store.ask(lambda db: pull.allowed_heads(db, account, now_ms()))
    await store.write(lambda db: settle(db, world, "G1", 3))
    found = await store.ask(lambda db: feed_queries.feed(db, bucket, 0, limit=500))
    head = next(each for each in old if each.id == bucket)
    assert found.seqs[-1] == head.seq + 3

    def stale(db: Connection) -> pull.Pulled:
        return pull.pull(db, old, [], budget=pull.PAGE_BYTES_MAX)

    if store.dialect == "postgresql":  # SQLite asks inside a transaction, from its snapshot
        with pytest.raises(pull.MovedOn):
            await store.ask(stale)
    fresh = await store.ask(
        lambda db: pull.pull(
            db,
            pull.allowed_heads(db, account, now_ms()),
            [BucketCursor(id=bucket, epoch=head.epoch, seq=head.seq, digest=head.digest)],
            budget=pull.PAGE_BYTES_MAX,
        )
    )
    page = next(each for each in fresh.pages if each.id == bucket)
    assert (page.from_seq, page.seq, len(page.items)) == (head.seq, head.seq + 3, 3)


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_items_are_the_same_read_as_arrays_and_as_rows(
    store: Store, world: World, limit: int
) -> None:
    bucket = f"grid:{world.grids['G1']}"

    def both(db: Connection) -> tuple[Any, Any]:
        rows = feed_queries._in_rows(db, {"bucket": bucket, "after": 0, "limit": limit})
        return feed_queries.feed(db, bucket, 0, limit=limit), rows

    arrays, rows = await store.ask(both)
    assert list(arrays.items) == rows["items"]
    assert list(arrays.seqs) == rows["seqs"]
    assert 0 < arrays.count <= limit
    assert await store.read(lambda db: both(db)[1]) == rows
