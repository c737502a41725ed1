"""How the feeds of buckets go on when records change: seq, digest, count, what left.

A record that was put away, erased or restricted, or left by date, lives in its bucket with
seq 0: it is in no feed, digest or manifest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from server.replication.gather import Stored
from server.replication.queries import BucketHead
from sync.canonical import EMPTY_DIGEST, digest_toggle
from sync.exchange import Why
from sync.leaving import in_feeds
from sync.record import Record
from sync.state import is_tombstone, merged_into, restricted_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record before and after, with the bytes a phone will get.

    `hidden` says that it left by date, with what it belongs to, and is still in no feed.
    """

    record: Record
    before: Stored | None
    state: Mapping[str, Any]
    body: bytes
    hash: str
    hidden: bool = False

    @property
    def visible(self) -> bool:
        """Whether a phone could tell the difference, so that it belongs in the feed."""
        before = self.before
        return (
            before is None
            or before.hash != self.hash
            or before.record.bucket != self.record.bucket
        )

    @property
    def was_there(self) -> bool:
        """Whether the feed of its bucket held the record before."""
        return self.before is not None and self.before.seq > 0

    @property
    def is_there(self) -> bool:
        """Whether the feed of its bucket holds the record now."""
        return in_feeds(self.record) and not self.hidden

    @property
    def left_bucket(self) -> str:
        """The bucket it lived in before."""
        return self.record.bucket if self.before is None else self.before.record.bucket

    @property
    def left_hash(self) -> str:
        """The hash its bucket's digest held before; the empty one if there was none."""
        return EMPTY_DIGEST if self.before is None else self.before.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How the feeds of the locked buckets go on.

    `running` holds seq, digest and count of each bucket afterwards, `seqs` the seq of each
    record, `exits` what left a bucket, `entered` what came back into one.
    """

    running: Mapping[str, list[Any]]
    seqs: Mapping[str, int]
    exits: Sequence[Mapping[str, Any]]
    entered: Mapping[str, list[str]]


def advanced(
    changes: Sequence[Change], heads: Mapping[str, BucketHead], *, now_ms: int
) -> Advance:
    """Give every visible change the next seq of its bucket; note what left a bucket.

    Digest and count are kept with the seq, under the same lock.
    """
    running: dict[str, list[Any]] = {
        key: [head.seq, head.digest, head.count] for key, head in heads.items()
    }
    seqs: dict[str, int] = {}
    exits: list[dict[str, Any]] = []
    entered: dict[str, list[str]] = {}
    for each in changes:
        record_id, bucket = each.record.id, each.record.bucket
        if not each.visible:
            seqs[record_id] = each.before.seq if each.before is not None else 0
            continue
        stays = each.was_there and each.is_there and each.left_bucket == bucket
        if each.was_there:
            _leave(running[each.left_bucket], each.left_hash)
            if not stays:
                exits.append(_exit_row(each, running[each.left_bucket], now_ms))
        seqs[record_id] = _enter(running[bucket], each.hash) if each.is_there else 0
        if each.before is not None and each.is_there and not stays:
            # Only a record that came back can have left; a new one never did.
            entered.setdefault(bucket, []).append(record_id)
    return Advance(running=running, seqs=seqs, exits=exits, entered=entered)


def _leave(head: list[Any], left_hash: str) -> None:
    head[1] = digest_toggle(head[1], left_hash)
    head[2] -= 1


def _enter(head: list[Any], new_hash: str) -> int:
    head[0] += 1
    head[1] = digest_toggle(head[1], new_hash)
    head[2] += 1
    return int(head[0])


def _exit_row(change: Change, head: list[Any], now_ms: int) -> dict[str, Any]:
    """Why a record left its bucket: moved, put away, hidden, or erased."""
    head[0] += 1
    return {
        "bucket": change.left_bucket,
        "record_id": change.record.id,
        "seq": head[0],
        "why": _why(change).value,
        "to_bucket": change.record.bucket if change.is_there else None,
        "left_ms": now_ms,
        "merged_into": None if is_tombstone(change.record) else merged_into(change.record),
    }


def _why(change: Change) -> Why:
    if is_tombstone(change.record):
        return Why.ERASED
    if change.is_there:
        return Why.MOVED
    return Why.HIDDEN if restricted_for(change.record) else Why.ARCHIVED


def heads_after(
    heads: Mapping[str, BucketHead], running: Mapping[str, list[Any]]
) -> dict[str, BucketHead]:
    """The heads of locked buckets after an advance."""
    return {
        key: replace(head, seq=running[key][0], digest=running[key][1], count=running[key][2])
        for key, head in heads.items()
    }


def bucket_rows(heads: Iterable[BucketHead]) -> list[dict[str, Any]]:
    """The rows of locked buckets, by id."""
    return [
        {
            "id": head.id,
            "epoch": head.epoch,
            "seq": head.seq,
            "digest": head.digest,
            "count": head.count,
            "tombstone_floor": head.tombstone_floor,
        }
        for head in sorted(heads, key=lambda each: each.id)
    ]
