"""The read path: what a replica is missing, from one consistent snapshot.

Pages are made of stored bytes: a record's body is written once, when it changes, and only
joined here. A bucket whose seq and digest the phone already has costs nothing in the reply.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import Connection

from server.replication import feed_queries, queries, snapshots
from server.replication.queries import BucketHead, empty_head
from sync.exchange import Offer, Take
from sync.manifest import part_digests, part_of
from sync.scope import scope_change
from sync.wire import BucketCursor, Gone, RawPage

PAGE_ROWS_MAX = 500
PAGE_BYTES_MIN = 4 * 1024
PAGE_BYTES_MAX = 1024 * 1024
PAGE_BYTES_DEFAULT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """Scope changes and pages for one contact."""

    enter: tuple[str, ...]
    leave: tuple[str, ...]
    pages: tuple[RawPage, ...]


class MovedOn(Exception):  # noqa: N818 - asks to be read in one transaction
    """A bucket went on between two questions, so that their answers do not fit together."""


def allowed_heads(db: Connection, account: str, now_ms: int) -> Sequence[BucketHead]:
    """Heads of what a worker may hold now, in feed order: configuration, own, areas, grids.

    Nobody is assigned more than `GRIDS_MAX` grids; if an area grew beyond that, the first ones
    count, and `jingwei doctor` tells.
    """
    return feed_queries.allowed_heads(db, account, now_ms)


def allowed_buckets(db: Connection, account: str, now_ms: int) -> list[str]:
    """Every bucket a worker may hold now, in feed order."""
    return [head.id for head in allowed_heads(db, account, now_ms)]


def may_hold(db: Connection, account: str, bucket: str, now_ms: int) -> bool:
    """Say whether a bucket is one of `allowed_buckets`."""
    if "\0" in bucket:  # which PostgreSQL would not even compare
        return False
    return feed_queries.may_hold(db, account, bucket, now_ms)


def page_bytes(asked: int | None) -> int:
    """The byte budget of one reply: what the phone asked for, inside the server's limits."""
    if asked is None:
        return PAGE_BYTES_DEFAULT
    return min(max(asked, PAGE_BYTES_MIN), PAGE_BYTES_MAX)


def pull(
    db: Connection,
    heads: Sequence[BucketHead],
    listed: Sequence[BucketCursor],
    *,
    budget: int,
    takes: Collection[str] = (),
) -> Pulled:
    """Pages for the buckets whose `heads` differ from what the phone listed.

    Items take at most `budget` bytes, but there is always one; a bucket that did not fit has no
    items and `more`. `takes` are words of `sync.exchange.Take`: what a phone can do with a
    bucket that would have to be sent from its start.

    Raises:
        MovedOn: if a bucket is no longer where its head says; never in a transaction.
    """
    cursors = {each.id: each for each in listed}
    enter, leave = scope_change(list(cursors), [each.id for each in heads])
    offers = _offers(db, heads, cursors) if Take.SNAPSHOT in takes else {}
    pages: list[RawPage] = []
    left = budget
    for head in heads:
        cursor = cursors.get(head.id)
        page = _instead(head, cursor, offer=offers.get(head.id), takes=takes)
        if page is None:
            page = _page(db, head, cursor, budget=left, first=left == budget)
        if page is None:
            continue
        left -= sum(map(len, page.items))
        pages.append(page)
    return Pulled(enter=tuple(enter), leave=tuple(leave), pages=tuple(pages))


def _offers(
    db: Connection, heads: Sequence[BucketHead], cursors: Mapping[str, BucketCursor]
) -> dict[str, Offer]:
    """Snapshots of the buckets of which the phone holds nothing."""
    nothing = BucketCursor(id="")
    fresh = [head for head in heads if cursors.get(head.id, nothing).seq == 0]
    return snapshots.offers(db, fresh)


def _instead(
    head: BucketHead,
    cursor: BucketCursor | None,
    *,
    offer: Offer | None,
    takes: Collection[str],
) -> RawPage | None:
    """A page that sends no items, because the phone has a cheaper way to the same end."""
    compares = (
        cursor is not None
        and cursor.seq > 0
        and Take.MANIFEST in takes
        and must_reset(head, cursor)
    )
    if offer is None and not compares:
        return None
    return RawPage(
        id=head.id,
        epoch=head.epoch,
        from_seq=0,
        seq=0,
        digest=head.digest,
        count=head.count,
        reset=cursor is not None,
        more=head.seq > 0,
        snapshot=offer,
    )


def must_reset(head: BucketHead, cursor: BucketCursor) -> bool:
    """Say whether a replica of the bucket must be compared from the start.

    True when the seq numbering restarted, when the phone is ahead of the server (a restored
    backup), when tombstones it needs are gone, or when equal cursors carry different digests.
    Who started in the present epoch started after the floor was raised to where it is, and
    needs nothing of what was forgotten, however little it has read so far.
    """
    return (
        not head.first_epoch <= cursor.epoch <= head.epoch
        or cursor.seq > head.seq
        or (cursor.epoch < head.epoch and 0 < cursor.seq < head.tombstone_floor)
        or (cursor.seq == head.seq and cursor.digest != head.digest)
    )


def _page(
    db: Connection, head: BucketHead, cursor: BucketCursor | None, *, budget: int, first: bool
) -> RawPage | None:
    """One bucket's page, or None when the phone has everything."""
    reset = cursor is not None and must_reset(head, cursor)
    start = 0 if cursor is None or reset else cursor.seq
    if cursor is not None and not reset and start == head.seq:
        return None
    part = _Part(items=(), gone=(), reached=start)
    if start < head.seq and budget > 0:
        part = _part(db, head, start, budget=budget, first=first)
    return RawPage(
        id=head.id,
        epoch=cursor.epoch if cursor is not None and start > 0 else head.epoch,
        from_seq=start,
        seq=part.reached,
        digest=head.digest,
        count=head.count,
        items=part.items,
        gone=part.gone,
        reset=reset,
        more=part.reached < head.seq,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """As much of a feed as fits, and the seq it reaches."""

    items: tuple[bytes, ...]
    gone: tuple[Gone, ...]
    reached: int


def _part(db: Connection, head: BucketHead, start: int, *, budget: int, first: bool) -> _Part:
    """What happened after `start` within `budget` bytes of items.

    The `first` item of a reply is there however large it is, so that paging gets on.
    """
    found = feed_queries.feed(db, head.id, start, limit=PAGE_ROWS_MAX)
    if found.position not in {None, (head.epoch, head.seq, head.digest)}:
        raise MovedOn
    items = found.items
    fit = _fitting(items, budget) or (1 if first and items else 0)
    gone = found.gone
    if fit < len(items):
        gone = [each for each in gone if each[0] < found.seqs[fit]]
    reached = max((start, *found.seqs[:fit][-1:], *(each[0] for each in gone[-1:])))
    ended = fit == len(items) and found.count < PAGE_ROWS_MAX
    return _Part(
        items=tuple(items[:fit]),
        gone=tuple(
            Gone(record=record, why=why, to=to, merged_into=into)
            for _, record, why, to, into in gone
        ),
        reached=head.seq if ended else reached,
    )


def _fitting(items: Sequence[bytes], budget: int) -> int:
    """How many of the first items fit into `budget` bytes."""
    if sum(map(len, items)) <= budget:
        return len(items)
    return bisect_right(list(accumulate(map(len, items))), budget)


def _head_of(db: Connection, bucket: str) -> dict[str, object]:
    head = queries.bucket_heads(db, [bucket]).get(bucket, empty_head(bucket))
    return {
        "id": head.id,
        "epoch": head.epoch,
        "seq": head.seq,
        "digest": head.digest,
        "count": head.count,
    }


def manifest(db: Connection, bucket: str, parts: Collection[str] = ()) -> dict[str, object]:
    """Ids and hashes of a bucket, or of some parts of it, with the head they belong to."""
    rows = feed_queries.manifest_rows(db, bucket)
    listed = [[row.id, row.hash] for row in rows if not parts or part_of(row.id) in parts]
    return {**_head_of(db, bucket), "records": listed}


def manifest_parts(db: Connection, bucket: str) -> dict[str, object]:
    """The digest of each part of a bucket, with the head they belong to."""
    rows = feed_queries.manifest_rows(db, bucket)
    digests = part_digests((row.id, row.hash) for row in rows)
    return {**_head_of(db, bucket), "parts": list(digests)}
