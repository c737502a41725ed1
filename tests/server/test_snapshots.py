"""`GET /v1/sync/snapshots`: immutable, packed, in ranges, and never more than may be held."""

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import zstandard
from sqlalchemy import Connection, func, select, update

from server.clock import now_ms
from server.db.store import Store
from server.db.tables import Assignment, Snapshot
from server.replication import snapshots
from server.replication.queries import bucket_heads
from server.replication.submit import Draft
from sync.canonical import canonical, digest_of, record_hash
from tests.server.desk import Desk
from tests.server.phones import RawPhone, bearer, held
from tests.world import DAY_MS, World, done, settle

pytestmark = [pytest.mark.anyio, pytest.mark.db]
TAKES = ["manifest", "snapshot"]


@pytest.fixture
async def bucket(store: Store, world: World) -> str:
    """The bucket of grid G1, grown large enough for a snapshot."""
    await store.write(lambda db: settle(db, world, "G1", snapshots.RECORDS_MIN))
    return f"grid:{world.grids['G1']}"


@pytest.fixture
async def phone(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


async def offered(phone: RawPhone, bucket: str) -> str:
    """The path of the snapshot that a reply offers of a bucket."""
    reply = await phone.sync(takes=TAKES)
    page = next(each for each in reply["buckets"] if each["id"] == bucket)
    assert (page["put"], page["more"], page["from"], page["seq"]) == ([], True, 0, 0)
    phone.cursors.pop(bucket)
    return f"/v1/sync/snapshots/{bucket}/{page['snapshot']['epoch']}/{page['snapshot']['seq']}"


async def raw(phone: RawPhone, path: str, **headers: str) -> httpx.Response:
    """The reply to a request for a file, its content as it was sent."""
    named = {"accept-encoding": "gzip", **bearer(phone.token)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = phone.client.build_request("GET", path, headers=named)
    answer = await phone.client.send(request, stream=True)
    content = b"".join([each async for each in answer.aiter_raw()])
    return httpx.Response(
        answer.status_code,
        headers={k: v for k, v in answer.headers.items() if k != "content-encoding"},
        content=content,
        extensions={"coding": answer.headers.get("content-encoding")},
    )


async def move_one(store: Store, world: World) -> str:
    """Let the office move a household out of G1; return its id."""
    home = world.households["G1"]
    draft = Draft(record=home, kind="household", base=1, set={"grid": world.grids["G2"]})
    await store.write(lambda db: done(db, world.importer, [draft]))
    return home


async def stored(store: Store) -> int:
    statement = select(func.count()).select_from(Snapshot.__table__)
    return int(await store.read(lambda db: db.execute(statement).scalar_one()))


async def test_a_snapshot_is_the_bucket_and_gives_its_digest(
    store: Store, phone: RawPhone, bucket: str
) -> None:
    answer = await raw(phone, await offered(phone, bucket))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"
    value = json.loads(gzip.decompress(answer.content))
    head = (await store.read(lambda db: bucket_heads(db, [bucket])))[bucket]
    assert (value["epoch"], value["seq"], value["count"]) == (1, head.seq, head.count)
    hashes = [record_hash(canonical(each)) for each in value["records"]]
    assert digest_of(hashes) == value["digest"] == head.digest
    assert len(hashes) == value["count"]


async def test_what_was_put_away_is_in_no_snapshot(
    client: httpx.AsyncClient, world: World, phone: RawPhone, bucket: str
) -> None:
    home, why = world.households["G1"], {"text": "The house was pulled down."}
    await Desk(client, world).done(f"/v1/records/{home}/archive", "dispatcher", why, rev=1)
    answer = await raw(phone, await offered(phone, bucket))
    value = json.loads(gzip.decompress(answer.content))
    assert home not in {each["record"] for each in value["records"]}
    hashes = [record_hash(canonical(each)) for each in value["records"]]
    assert digest_of(hashes) == value["digest"]
    assert len(hashes) == value["count"]


async def test_it_costs_hardly_more_than_the_packed_state(phone: RawPhone, bucket: str) -> None:
    answer = await raw(phone, await offered(phone, bucket))
    records = json.loads(gzip.decompress(answer.content))["records"]
    state = b",".join(canonical(each) for each in records)
    assert len(answer.content) <= 1.05 * len(gzip.compress(state, mtime=0))


async def test_ranges_in_any_cut_give_the_same_bytes(phone: RawPhone, bucket: str) -> None:
    path = await offered(phone, bucket)
    whole = await raw(phone, path)
    size, tag = len(whole.content), whole.headers["etag"]
    pieces = b""
    for first in range(0, size, 7_001):
        asked = f"bytes={first}-{min(first + 7_000, size - 1)}"
        piece = await raw(phone, path, range=asked, if_range=tag)
        assert piece.status_code == 206
        assert piece.headers["content-range"] == f"{asked.replace('=', ' ')}/{size}"
        pieces += piece.content
    assert pieces == whole.content
    tail = await raw(phone, path, range="bytes=-10")
    assert (tail.status_code, tail.content) == (206, whole.content[-10:])
    rest = await raw(phone, path, range=f"bytes={size - 3}-")
    assert (rest.status_code, rest.content) == (206, whole.content[-3:])


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-9", "if_range": '"another"'},
        {"range": "bytes=9-0"},
        {"range": "bytes=0-1,4-5"},
        {"range": "lines=0-9"},
        {"range": "bytes=-"},
    ],
)
async def test_what_is_not_one_range_of_this_file_is_answered_whole(
    phone: RawPhone, bucket: str, headers: dict[str, str]
) -> None:
    path = await offered(phone, bucket)
    whole = await raw(phone, path)
    answer = await raw(phone, path, **headers)
    assert (answer.status_code, answer.content) == (200, whole.content)


async def test_a_range_behind_the_end_says_where_the_end_is(
    phone: RawPhone, bucket: str
) -> None:
    path = await offered(phone, bucket)
    whole = await raw(phone, path)
    for asked in (f"bytes={len(whole.content)}-", "bytes=-0"):
        answer = await raw(phone, path, range=asked)
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(whole.content)}"
    known = await raw(phone, path, if_none_match=whole.headers["etag"])
    assert (known.status_code, known.content) == (304, b"")


async def test_zstd_is_another_file_with_the_same_content(phone: RawPhone, bucket: str) -> None:
    path = await offered(phone, bucket)
    packed = await raw(phone, path)
    other = await raw(phone, path, accept_encoding="zstd")
    assert other.extensions["coding"] == "zstd"
    assert other.headers["etag"] != packed.headers["etag"]
    content = zstandard.ZstdDecompressor().decompressobj().decompress(other.content)
    assert content == gzip.decompress(packed.content)
    assert (await raw(phone, path, accept_encoding="identity")).status_code == 406


async def test_it_never_changes_while_the_bucket_does(
    store: Store, world: World, phone: RawPhone, bucket: str
) -> None:
    path = await offered(phone, bucket)
    before = await raw(phone, path)
    await store.write(lambda db: settle(db, world, "G1", 3))
    again = await raw(phone, path)
    assert again.content == before.content
    assert await offered(phone, bucket) == path
    fields: dict[str, Any] = {"id": bucket, "epoch": 1, "seq": int(path.rsplit("/", 1)[1])}
    digest = json.loads(gzip.decompress(before.content))["digest"]
    phone.cursors[bucket] = {**fields, "digest": digest}
    assert len(held(await phone.sync(takes=TAKES))) == 3


async def test_what_was_never_stored_leads_to_what_can_be(
    store: Store, world: World, phone: RawPhone, bucket: str
) -> None:
    path = await offered(phone, bucket)
    await store.write(lambda db: settle(db, world, "G1", 1))
    moved = await raw(phone, path)
    assert moved.status_code == 307
    assert (await raw(phone, moved.headers["location"])).status_code == 200


async def test_only_large_buckets_are_offered_and_only_to_those_who_take_them(
    phone: RawPhone, world: World, bucket: str
) -> None:
    reply = await phone.sync()
    assert all("snapshot" not in page for page in reply["buckets"])
    assert world.households["G1"] in held(reply)
    fresh = await RawPhone.enrol(phone.client, world.tokens["ann"])
    reply = await fresh.sync(takes=[*TAKES, "word-of-a-newer-phone"])
    assert [each["id"] for each in reply["buckets"] if "snapshot" in each] == [bucket]
    small = await raw(fresh, "/v1/sync/snapshots/config/1/1")
    assert small.status_code == 404


async def test_who_may_not_hold_the_bucket_gets_no_byte_of_it(
    client: httpx.AsyncClient, store: Store, world: World, phone: RawPhone, bucket: str
) -> None:
    path = await offered(phone, bucket)
    tag = (await raw(phone, path)).headers["etag"]
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    assert (await raw(cat, path)).status_code == 404
    await store.write(
        lambda db: db.execute(
            update(Assignment)
            .where(Assignment.account_id == world.accounts["ann"])
            .values(valid_to_ms=now_ms() - 1)
        )
    )
    for headers in ({}, {"range": "bytes=5-"}, {"if_none_match": tag}):
        assert (await raw(phone, path, **headers)).status_code == 404
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    assert (await raw(bob, path)).status_code == 200
    await client.post(f"/v1/devices/{bob.id}/revoke", headers=bearer(world.tokens["admin"]))
    assert (await raw(bob, path)).status_code == 403


async def test_snapshots_are_dropped_when_a_record_leaves(
    store: Store, world: World, phone: RawPhone, bucket: str
) -> None:
    path = await offered(phone, bucket)
    assert (await raw(phone, path)).status_code == 200
    assert await stored(store) == 1
    home = await move_one(store, world)
    assert await stored(store) == 0
    moved = await raw(phone, path)
    assert moved.status_code == 307
    newest = await raw(phone, moved.headers["location"])
    assert home.encode() not in gzip.decompress(newest.content)


async def test_a_file_made_while_a_record_leaves_is_not_stored(
    store: Store, world: World, bucket: str
) -> None:
    row = await snapshots.pack(store, bucket, "gzip", now_ms=now_ms())
    assert row is not None
    home = await move_one(store, world)
    assert home.encode() in gzip.decompress(row["body"])
    assert not await store.write(lambda db: snapshots.keep(db, row))
    assert await stored(store) == 0
    assert await snapshots.make(store, bucket, "gzip", now_ms=now_ms()) is not None


async def test_a_herd_of_phones_packs_a_bucket_once(
    store: Store, phone: RawPhone, bucket: str
) -> None:
    path = await offered(phone, bucket)
    answers = await asyncio.gather(*(raw(phone, path) for _ in range(10)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.content for each in answers}) == 1
    assert await stored(store) == 1


async def test_old_files_make_room(store: Store, world: World, bucket: str) -> None:
    now = now_ms()
    for made_ms in (now, now + 1, now + 2):
        await store.write(lambda db: settle(db, world, "G1", 1))
        assert await snapshots.make(store, bucket, "gzip", now_ms=made_ms)
    assert await stored(store) == 2
    old = now + 2

    def forgotten(*, dry_run: bool) -> Callable[[Connection], int]:
        return lambda db: snapshots.forget_old(db, before_ms=old, dry_run=dry_run)

    assert await store.write(forgotten(dry_run=True)) == 1
    assert await store.write(forgotten(dry_run=False)) == 1
    assert await stored(store) == 1
    await store.write(lambda db: settle(db, world, "G1", 1))
    row = await snapshots.pack(store, bucket, "gzip", now_ms=now + DAY_MS)
    assert row is not None
    room = row["size"]
    assert await store.write(lambda db: snapshots.keep(db, row, room_bytes=room))
    assert await stored(store) == 1
    newest = await store.read(
        lambda db: db.execute(select(Snapshot.__table__.c.seq)).scalar_one()
    )
    assert newest == row["seq"]
