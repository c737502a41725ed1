"""What the feed and the comparison of the whole store ask the database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Connection,
    RowMapping,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)

from server.db.bulk import among
from server.db.direct import Direct, as_text
from server.replication.queries import (
    BUCKET,
    BUCKET_EXIT,
    GRIDS_HELD,
    RECORD,
    BucketHead,
    DbRow,
    empty_head,
)

# the feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What happened in a bucket, in columns, each by seq.

    The record with `seqs[i]` has `hashes[i]` and `bodies[i]`; what left is in `gone` as `(seq,
    record, why, to)`. `position` is `(epoch, seq, digest)` of the bucket when this was read.
    """

    seqs: Sequence[int]
    hashes: Sequence[str]
    bodies: Sequence[bytes]
    gone: Sequence[tuple[int, str, str, str | None]]
    position: tuple[int, int, str] | None

    @property
    def count(self) -> int:
        """How many things happened."""
        return len(self.seqs) + len(self.gone)


_EXIT = BUCKET_EXIT.c
_THERE = select(
    RECORD.c.seq,
    RECORD.c.hash,
    RECORD.c.body,
    cast(null(), Text).label("record_id"),
    cast(null(), Text).label("why"),
    cast(null(), Text).label("to_bucket"),
).where(RECORD.c.bucket == bindparam("bucket"), RECORD.c.seq > bindparam("after"))
_GONE = select(
    _EXIT.seq, null(), null(), as_text(_EXIT.record_id), _EXIT.why, _EXIT.to_bucket
).where(_EXIT.bucket == bindparam("bucket"), _EXIT.seq > bindparam("after"))
_FEED = union_all(_THERE, _GONE).order_by("seq").limit(bindparam("limit"))
_FIRST = _THERE.order_by(RECORD.c.seq).limit(bindparam("limit"))


def _in_arrays(rows: Select[Any] | CompoundSelect[Any]) -> Direct:
    """The rows of a feed as one row of arrays, with where the bucket stands in that moment.

    PostgreSQL sends five hundred rows as three arrays for less than as rows, and asyncpg reads
    them for less: it makes no object a row.
    """
    part = rows.subquery("part")
    there, gone = part.c.body.is_not(None), part.c.body.is_(None)
    arrays = select(
        *(
            func.array_agg(part.c[name]).filter(there).label(name)
            for name in ("seq", "hash", "body")
        ),
        *(
            func.array_agg(part.c[name]).filter(gone).label(f"gone_{name}")
            for name in ("seq", "record_id", "why", "to_bucket")
        ),
    ).subquery("arrays")
    head = BUCKET.c
    statement = select(*arrays.c, head.epoch, head.seq, head.digest).select_from(
        BUCKET.join(arrays, true())
    )
    return Direct(statement.where(head.id == bindparam("bucket")))


_FEED_ROWS, _FIRST_ROWS = Direct(_FEED), Direct(_FIRST)
_FEED_ARRAYS, _FIRST_ARRAYS = _in_arrays(_FEED), _in_arrays(_FIRST)


def feed(db: Connection, bucket: str, after_seq: int, *, limit: int) -> Happened:
    """The first `limit` things that happened in a bucket after `after_seq`.

    Who starts from 0 holds nothing, so nothing of it has left.
    """
    values = {"bucket": bucket, "after": after_seq, "limit": limit}
    if db.dialect.name == "postgresql":
        arrays = _FEED_ARRAYS if after_seq > 0 else _FIRST_ARRAYS
        return _of_arrays(arrays.rows(db, values))
    rows = _FEED_ROWS if after_seq > 0 else _FIRST_ROWS
    return _of_rows(rows.rows(db, values))


def _of_arrays(rows: Sequence[DbRow]) -> Happened:
    if not rows:
        return Happened(seqs=(), hashes=(), bodies=(), gone=(), position=(0, 0, ""))
    seqs, hashes, bodies, gone_seqs, records, whys, tos, *position = rows[0]
    left = () if gone_seqs is None else tuple(zip(gone_seqs, records, whys, tos, strict=True))
    epoch, seq, digest = position
    return Happened(
        seqs=seqs or (),
        hashes=hashes or (),
        bodies=bodies or (),
        gone=left,
        position=(epoch, seq, digest),
    )


def _of_rows(rows: Sequence[DbRow]) -> Happened:
    """Rows of a transaction, which cannot have seen anything but its own snapshot."""
    there = [row for row in rows if row[2] is not None]
    return Happened(
        seqs=[row[0] for row in there],
        hashes=[row[1] for row in there],
        bodies=[row[2] for row in there],
        gone=[(row[0], *row[3:]) for row in rows if row[2] is None],
        position=None,
    )


_ALLOWED = union_all(
    select(literal("config").label("id"), literal(-2, BigInteger).label("place")),
    select(
        literal("user:").concat(bindparam("account_text", type_=Text)), literal(-1, BigInteger)
    ),
    select(literal("grid:").concat(as_text(GRIDS_HELD.c.id)), GRIDS_HELD.c.lo),
).subquery("allowed")
_HEADS = Direct(
    select(
        _ALLOWED.c.id,
        BUCKET.c.epoch,
        BUCKET.c.seq,
        BUCKET.c.digest,
        BUCKET.c.count,
        BUCKET.c.tombstone_floor,
        BUCKET.c.first_epoch,
    )
    .select_from(_ALLOWED.outerjoin(BUCKET, BUCKET.c.id == _ALLOWED.c.id))
    .order_by(_ALLOWED.c.place)
)


def allowed_heads(
    db: Connection, account: str, now_ms: int, *, limit: int
) -> Sequence[BucketHead]:
    """Heads of what a worker may hold now: configuration, own, then at most `limit` grids.

    A bucket that nothing was ever put into has no row, and an empty head.
    """
    values = {"account": account, "account_text": account, "now": now_ms, "limit": limit}
    return [_head(row) for row in _HEADS.rows(db, values)]


def _head(row: DbRow) -> BucketHead:
    bucket, epoch, seq, digest, count, floor, first_epoch = row
    if epoch is None:
        return empty_head(bucket)
    return BucketHead(
        id=bucket,
        epoch=epoch,
        seq=seq,
        digest=digest,
        count=count,
        tombstone_floor=floor,
        first_epoch=first_epoch,
    )


def manifest_rows(db: Connection, bucket: str) -> Sequence[DbRow]:
    """`(id, hash)` of every record in the bucket, by id; what was put away is not in it."""
    columns = RECORD.c
    statement = select(columns.id, columns.hash).where(
        columns.bucket == bucket, columns.seq > 0
    )
    return db.execute(statement.order_by(columns.id)).all()


def bodies_in(
    db: Connection, buckets: Sequence[str], record_ids: Sequence[str]
) -> Sequence[DbRow]:
    """`(hash, body)` of the asked records that live in one of `buckets`, by id."""
    columns = RECORD.c
    statement = (
        select(columns.hash, columns.body)
        .where(
            among(db, columns.id, list(record_ids)),
            among(db, columns.bucket, list(buckets)),
            columns.seq > 0,
        )
        .order_by(columns.id)
    )
    return db.execute(statement).all()


# the whole store, for comparison


def record_chunks(db: Connection, *, chunk_rows: int) -> Iterator[list[DbRow]]:
    """Every record, by id, in chunks of at most `chunk_rows`."""
    columns = RECORD.c
    after: str | None = None
    while True:
        statement = select(*columns).order_by(columns.id).limit(chunk_rows)
        if after is not None:
            statement = statement.where(columns.id > after)
        rows = list(db.execute(statement).all())
        if not rows:
            return
        yield rows
        after = rows[-1].id


def projection_rows(
    db: Connection, table: Any, record_ids: Sequence[str]
) -> Sequence[RowMapping]:
    """The rows of a projection table for some records, in no order."""
    statement = select(*table.c).where(among(db, table.c.id, list(record_ids)))
    return db.execute(statement).mappings().all()
