"""One bucket derived once more from its records' truth, and what of it is stored otherwise.

`jingwei doctor` compares with it and rebuilds with it, so both mean the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Table

from server.replication import feed_queries, rebuild_queries
from server.replication.alias_queries import aliases_among
from server.replication.deriving import UNREADABLE, Derived, derive, octets, wrong_columns
from server.replication.differences import Difference
from server.replication.gather import area_no_of
from server.replication.projections import PROJECTIONS
from server.replication.queries import BucketHead, DbRow
from server.replication.retelling import Retold, has_strayed
from sync.canonical import EMPTY_DIGEST, digest_toggle, record_hash
from sync.codec import decode_record
from sync.fields import INT_LIMIT, is_id
from sync.record import Record
from sync.state import merged_into

CHUNK_ROWS = 500
NOTHING_TOLD = Retold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One record: what is stored, what should be, and the names of what differs.

    `row` is None if nothing is stored, `derived` if the truth cannot be read and nobody else
    knows it. `retold` says that it follows from the log instead of the stored truth. `seq` is
    the right one once the bucket was walked, None if it has to give out a new one.
    """

    id: str
    kind: str
    row: DbRow | None
    derived: Derived | None
    retold: bool
    typed: Mapping[Any, Any] | None
    what: tuple[str, ...]
    seq: int | None = None

    @property
    def hash(self) -> str:
        """The hash that must be stored: of what follows, else of the bytes that are there."""
        return record_hash(self.kept_body) if self.derived is None else self.derived.hash

    @property
    def kept_body(self) -> bytes:
        """The stored bytes, empty if there are none."""
        return b"" if self.row is None else octets(self.row.body)

    def differences(self) -> Iterator[Difference]:
        """Yield what differs, in the order of writing."""
        for each in self.what:
            yield Difference(record=self.id, kind=self.kind, what=each)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketExamined:
    """What of a bucket does not follow from its records.

    `digest` and `count` are right. `last_seq` is the last number that was given out. `exits`
    are the ids of those that contradict the bucket. `what` names what is wrong with the head.
    """

    bucket: str
    head: BucketHead | None
    area_no: int
    last_seq: int
    digest: str
    count: int
    faulty: tuple[Examined, ...]
    exits: tuple[str, ...]
    what: tuple[str, ...]

    def differences(self) -> Iterator[Difference]:
        """Yield what differs, records by seq and then the bucket."""
        for each in self.faulty:
            yield from each.differences()
        for what in self.what:
            yield Difference(record=self.bucket, kind="bucket", what=what)


def examine(
    db: Connection, bucket: str, head: BucketHead | None, told: Retold = NOTHING_TOLD
) -> BucketExamined:
    """Derive a bucket once more; `head` is its stored one, None if that is lost.

    Without a transaction that sees one snapshot, or the bucket's lock, it may see differences
    that are none.
    """
    area_no = _area_no(db, bucket)
    walk = _Walk(limit=INT_LIMIT if head is None else head.seq)
    for rows in rebuild_queries.bucket_chunks(db, bucket, chunk_rows=CHUNK_ROWS):
        walk.take(_page(db, rows, area_no, told))
    walk.take(_strayed(db, bucket, area_no, told))
    last_seq = _last_seq(db, bucket, walk.last) if head is None else head.seq
    exits = tuple(rebuild_queries.false_exits(db, bucket, last_seq))
    return BucketExamined(
        bucket=bucket,
        head=head,
        area_no=area_no,
        last_seq=last_seq,
        digest=walk.digest,
        count=walk.count,
        faulty=tuple(walk.faulty),
        exits=exits,
        what=(*_wrong_with_head(head, walk, last_seq), *(("exits",) if exits else ())),
    )


def _area_no(db: Connection, bucket: str) -> int:
    name = bucket.partition(":")[2]
    return 0 if name and not is_id(name) else area_no_of(db, [bucket], {})[bucket]


def _last_seq(db: Connection, bucket: str, last: int) -> int:
    left = rebuild_queries.last_exit(db, bucket)
    return max(last, left if left <= INT_LIMIT else 0)


def _wrong_with_head(head: BucketHead | None, walk: "_Walk", last_seq: int) -> Iterator[str]:
    if head is None:
        if walk.count or last_seq:
            yield "head missing"
        return
    if (walk.digest, walk.count) != (head.digest, head.count):
        yield "digest"
    if head.first_epoch > head.epoch:
        yield "epoch"


class _Walk:
    """Digest, count and faults of a bucket while its records pass by in the order of seq."""

    def __init__(self, *, limit: int) -> None:
        self.digest, self.count, self.last = EMPTY_DIGEST, 0, 0
        self.faulty: list[Examined] = []
        self._limit = limit

    def take(self, records: Iterable[Examined]) -> None:
        for each in records:
            seq = self._right_seq(each)
            wrong = each.row is not None and seq != each.row.seq
            examined = replace(each, seq=seq, what=(*each.what, *(("seq",) if wrong else ())))
            if seq != 0:
                self.digest = digest_toggle(self.digest, examined.hash)
                self.count += 1
                self.last = max(self.last, seq or 0)
            if examined.what:
                self.faulty.append(examined)

    def _right_seq(self, each: Examined) -> int | None:
        """The stored seq, 0 for what is in no feed, None if a new one has to be given out."""
        seq = 0 if each.row is None else each.row.seq
        if not (seq > 0 if each.derived is None else _belongs(each.derived, seq, each.row)):
            return 0
        return seq if self.last < seq <= self._limit and "bucket" not in each.what else None


def _belongs(derived: Derived, seq: int, row: DbRow | None) -> bool:
    """Whether the feed has to hold a record; a stored one may have left it by date."""
    if row is not None and seq == 0 and derived.may_have_left:
        return False
    return derived.there


def _page(db: Connection, rows: list[DbRow], area_no: int, told: Retold) -> Iterator[Examined]:
    known = told.of(db, [row.id for row in rows])
    here = [
        (row, *_believed(row, known.get(row.id), area_no))
        for row in rows
        if row.id not in known or not has_strayed(row, known[row.id])
    ]
    derivable = [derived for _, derived, _ in here if derived is not None]
    typed, aliases = _typed_rows(db, derivable), _aliases(db, derivable)
    for row, derived, retold in here:
        wrong = [*_wrong_with_row(row, derived, area_no, retold=retold)]
        found = typed.get(row.id)
        if derived is not None:
            wrong += _wrong_beside(derived, found, aliases)
        yield Examined(
            id=row.id,
            kind=row.kind if derived is None else derived.record.kind,
            row=row,
            derived=derived,
            retold=retold,
            typed=found,
            what=tuple(wrong),
        )


def _believed(row: DbRow, told: Record | None, area_no: int) -> tuple[Derived | None, bool]:
    """What follows from the stored truth, or from the log, and whether it was the log.

    The log counts if the truth cannot be read, or if the stored bytes bear it out against it.
    """
    stored = _derived(row, area_no)
    if told is None or told.bucket != row.bucket:
        return stored, False
    if stored is None:
        return derive(told, area_no), True
    body = octets(row.body)
    retold = None if stored.body == body else derive(told, area_no)
    if retold is not None and retold.body == body:
        return retold, True
    return stored, False


def _derived(row: DbRow, area_no: int) -> Derived | None:
    try:
        record = decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
        return derive(record, area_no)
    except UNREADABLE:
        return None


def _wrong_with_row(
    row: DbRow, derived: Derived | None, area_no: int, *, retold: bool
) -> Iterator[str]:
    body = octets(row.body)
    if derived is None or retold:
        yield "truth"
    if row.area_no != area_no:
        yield "area_no"
    if derived is not None and derived.body != body:
        yield "body"
    if row.hash != (record_hash(body) if derived is None else derived.hash):
        yield "hash"


def _strayed(db: Connection, bucket: str, area_no: int, told: Retold) -> Iterator[Examined]:
    """The records that the log puts here and that are not stored, or in another bucket."""
    ids = told.strayed.get(bucket, ())
    for at in range(0, len(ids), CHUNK_ROWS):
        chunk = ids[at : at + CHUNK_ROWS]
        known = told.of(db, chunk)
        rows = {row.id: row for row in rebuild_queries.whole_records(db, sorted(known))}
        astray = {
            key: derive(record, area_no)
            for key, record in known.items()
            if key not in rows or has_strayed(rows[key], record)
        }
        derivable = list(astray.values())
        typed, aliases = _typed_rows(db, derivable), _aliases(db, derivable)
        for key, derived in sorted(astray.items()):
            yield Examined(
                id=key,
                kind=derived.record.kind,
                row=rows.get(key),
                derived=derived,
                retold=True,
                typed=typed.get(key),
                what=(
                    "bucket" if key in rows else "missing",
                    *_wrong_beside(derived, typed.get(key), aliases),
                ),
            )


def _aliases(db: Connection, derived: Sequence[Derived]) -> dict[str, str]:
    return aliases_among(db, [each.record.id for each in derived])


def _wrong_beside(
    derived: Derived, found: Mapping[Any, Any] | None, aliases: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong with what is stored beside a record: its typed row and its alias."""
    for each in wrong_columns(derived.typed, found):
        yield f"projection {each}"
    if aliases.get(derived.record.id) != merged_into(derived.record):
        yield "alias"


def _typed_rows(db: Connection, derived: Sequence[Derived]) -> dict[str, Mapping[Any, Any]]:
    by_kind: dict[str, list[str]] = {}
    for each in derived:
        by_kind.setdefault(each.record.kind, []).append(each.record.id)
    return {
        found["id"]: found
        for kind, ids in by_kind.items()
        for found in _readable(db, PROJECTIONS[kind][0], ids)
    }


def _readable(db: Connection, table: Table, ids: Sequence[str]) -> Iterable[Mapping[Any, Any]]:
    """Typed rows; one whose geometry cannot be read comes without it."""
    try:
        return feed_queries.projection_rows(db, table, ids)
    except UNREADABLE:
        if len(ids) == 1:
            return rebuild_queries.typed_rows_without_shapes(db, table, ids)
    half = len(ids) // 2
    return [*_readable(db, table, ids[:half]), *_readable(db, table, ids[half:])]
