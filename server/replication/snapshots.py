"""Snapshots: a large bucket as one packed, immutable file for phones that hold nothing of it.

One is made when it is first asked for, at the head of that moment, and stored in the database,
so that every worker process has it. It is good for phones that come later too: they page on
from its seq. What left a bucket must not be in a file of it: the write path drops a bucket's
snapshots in the transaction in which something leaves, and a file that was being made meanwhile
is not stored.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import zstandard
from sqlalchemy import Connection

from server.db.store import Store
from server.replication import queries, snapshot_queries
from server.replication.queries import BucketHead
from server.replication.snapshot_queries import Key
from sync.exchange import BucketPage, Offer
from sync.snapshot import assemble_snapshot

RECORDS_MIN = 500
RECORDS_MAX = 20_000
NEAR_ROWS = 500
KEPT_BYTES_MAX = 256 * 1024 * 1024
KEPT_DAYS = 7
_GZIP_LEVEL = 9
_ZSTD_LEVEL = 12
_MADE_ATTEMPTS = 3


def is_large(head: BucketHead) -> bool:
    """Say whether a bucket is worth a snapshot, and small enough for one."""
    return RECORDS_MIN <= head.count <= RECORDS_MAX


def offers(db: Connection, heads: Iterable[BucketHead]) -> dict[str, Offer]:
    """What to offer of buckets that a phone starts: a stored file near the head, else the head.

    Near is what costs less to page on from than to pack anew.
    """
    large = [each for each in heads if is_large(each)]
    stored = snapshot_queries.newest(db, [each.id for each in large]) if large else {}
    return {each.id: _offer(each, stored.get(each.id)) for each in large}


def _offer(head: BucketHead, stored: tuple[int, int] | None) -> Offer:
    near = max(NEAR_ROWS, head.count // 4)
    if stored is not None and stored[0] == head.epoch and head.seq - stored[1] <= near:
        return Offer(epoch=stored[0], seq=stored[1])
    return Offer(epoch=head.epoch, seq=head.seq)


def drop_snapshots(db: Connection, buckets: Sequence[str]) -> None:
    """Drop every snapshot of some buckets; call in the transaction in which something leaves.

    The caller holds the locks of the buckets, and what leaves is noted as an exit: by that a
    file which is being made at the same time is known to hold it, and is not stored.
    """
    if buckets:
        snapshot_queries.drop(db, buckets)


async def make(store: Store, bucket: str, coding: str, *, now_ms: int) -> Key | None:
    """Pack a bucket as it is now and store it; None if it is no longer one to pack.

    Safe to do twice at once: the same key has the same bytes.
    """
    for _ in range(_MADE_ATTEMPTS):
        row = await pack(store, bucket, coding, now_ms=now_ms)
        if row is None:
            return None
        if await store.write(partial(keep, row=row)):
            return Key(bucket=bucket, epoch=row["epoch"], seq=row["seq"], coding=coding)
    return None


async def pack(store: Store, bucket: str, coding: str, *, now_ms: int) -> dict[str, Any] | None:
    """Return the row of a snapshot of a bucket as it is now, not stored yet."""
    head, bodies = await store.read(lambda db: _content(db, bucket))
    if head is None:
        return None
    key = Key(bucket=bucket, epoch=head.epoch, seq=head.seq, coding=coding)
    packed = await asyncio.to_thread(_packed, _content_bytes(head, bodies), coding)
    return _row(key, packed, now_ms)


def _content(db: Connection, bucket: str) -> tuple[BucketHead | None, Sequence[bytes]]:
    head = queries.bucket_heads(db, [bucket]).get(bucket)
    if head is None or not is_large(head):
        return None, ()
    return head, snapshot_queries.bodies(db, bucket, limit=RECORDS_MAX)


def _content_bytes(head: BucketHead, bodies: Sequence[bytes]) -> bytes:
    page = BucketPage(
        id=head.id,
        epoch=head.epoch,
        from_seq=0,
        seq=head.seq,
        digest=head.digest,
        count=head.count,
    )
    return assemble_snapshot(page, bodies)


def _packed(content: bytes, coding: str) -> bytes:
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(content)
    return gzip.compress(content, compresslevel=_GZIP_LEVEL, mtime=0)


def _row(key: Key, packed: bytes, now_ms: int) -> dict[str, Any]:
    return {
        "bucket": key.bucket,
        "epoch": key.epoch,
        "seq": key.seq,
        "coding": key.coding,
        "etag": f'"{hashlib.sha256(packed).hexdigest()[:32]}"',
        "size": len(packed),
        "made_ms": now_ms,
        "body": packed,
    }


def keep(db: Connection, row: dict[str, Any], *, room_bytes: int = KEPT_BYTES_MAX) -> bool:
    """Store a file unless something left its bucket since; keep this one and the one before.

    The oldest files of all buckets make room for it, up to `room_bytes`.
    """
    bucket, seq = row["bucket"], row["seq"]
    queries.lock_buckets(db, [bucket])
    if snapshot_queries.something_left(db, bucket, seq):
        return False
    before = snapshot_queries.newest(db, [bucket]).get(bucket)
    if before is not None:
        snapshot_queries.drop_older(db, bucket, seq=min(before[1], seq))
    snapshot_queries.keep(db, row)
    _make_room(db, room_bytes)
    return True


def _make_room(db: Connection, room_bytes: int) -> int:
    """Drop the oldest files beyond `room_bytes` and return how many those were."""
    total = 0
    for row in snapshot_queries.by_age(db):
        total += row.size
        if total > room_bytes:
            return snapshot_queries.drop_made_by(db, row.made_ms)
    return 0


def forget_old(db: Connection, *, before_ms: int, dry_run: bool) -> int:
    """Drop the files made before `before_ms` and return how many those are."""
    old = [row for row in snapshot_queries.by_age(db) if row.made_ms < before_ms]
    if old and not dry_run:
        snapshot_queries.drop_made_by(db, before_ms - 1)
    return len(old)
