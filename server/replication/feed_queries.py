"""What the feed and the comparison of the whole store ask the database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
    union_all,
)

from server.db.bulk import among
from server.db.direct import Direct, as_text
from server.db.reach import everywhere
from server.replication.announcement_queries import AREAS_ANNOUNCED
from server.replication.queries import (
    BUCKET,
    BUCKET_EXIT,
    GRIDS_HELD,
    RECORD,
    BucketHead,
    DbRow,
    empty_head,
)
from sync.canonical import feed_item

# the feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What happened in a bucket, by seq: `items[i]` was put at `seqs[i]`.

    What left is in `gone` as `(seq, record, why, to, merged_into)`. `position` is
    `(epoch, seq, digest)` of the bucket when this was read, None if that was the transaction
    which read its head.
    """

    seqs: Sequence[int]
    items: Sequence[bytes]
    gone: Sequence[tuple[int, str, str, str | None, str | None]] = ()
    position: tuple[int, int, str] | None = None

    @property
    def count(self) -> int:
        """How many things happened."""
        return len(self.seqs) + len(self.gone)


_EXIT, _HEAD = BUCKET_EXIT.c, BUCKET.c
_PUT_AFTER = (RECORD.c.bucket == bindparam("bucket"), RECORD.c.seq > bindparam("after"))
_LEFT_AFTER = (_EXIT.bucket == bindparam("bucket"), _EXIT.seq > bindparam("after"))
_THERE = select(
    RECORD.c.seq, RECORD.c.hash, RECORD.c.body, *(cast(null(), Text) for _ in range(4))
).where(*_PUT_AFTER)
_GONE = select(
    _EXIT.seq,
    null(),
    null(),
    as_text(_EXIT.record_id),
    _EXIT.why,
    _EXIT.to_bucket,
    as_text(_EXIT.merged_into),
).where(*_LEFT_AFTER)
_FEED_ROWS = Direct(union_all(_THERE, _GONE).order_by("seq").limit(bindparam("limit")))
_FIRST_ROWS = Direct(_THERE.order_by(RECORD.c.seq).limit(bindparam("limit")))
_POSITION = Direct(
    select(_HEAD.epoch, _HEAD.seq, _HEAD.digest).where(_HEAD.id == bindparam("bucket"))
)


def _bytes(text: str) -> ColumnElement[bytes]:
    return literal_column(f"'\\x{text.encode().hex()}'::bytea", LargeBinary)


_ITEM = (  # what `sync.canonical.feed_item` makes
    _bytes('{"hash":"')
    .concat(func.convert_to(RECORD.c.hash, literal_column("'UTF8'"), type_=LargeBinary))
    .concat(_bytes('",'))
    .concat(func.substr(RECORD.c.body, literal_column("2"), type_=LargeBinary))
)


@cache
def _page_arrays(limit: int) -> Direct:
    """A page as one row of arrays, with where the bucket stands in that moment.

    PostgreSQL sends five hundred rows as two arrays for less than as rows, and asyncpg reads
    them for less: it makes no object a row. The limit stands in the text, because PostgreSQL
    plans anew each time what has it as a parameter.
    """
    items = (
        select(RECORD.c.seq, _ITEM.label("item"))
        .where(*_PUT_AFTER)
        .order_by(RECORD.c.seq)
        .limit(literal_column(str(limit)))
        .subquery("items")
    )
    arrays = select(
        func.array_agg(items.c.seq).label("seqs"), func.array_agg(items.c.item).label("items")
    ).subquery("arrays")
    left = exists(select(_EXIT.seq).where(*_LEFT_AFTER))
    columns = (arrays.c.seqs, arrays.c["items"], _HEAD.epoch, _HEAD.seq, _HEAD.digest)
    statement = select(left, *columns).select_from(BUCKET.join(arrays, true()))
    return Direct(statement.where(_HEAD.id == bindparam("bucket")))


def feed(db: Connection, bucket: str, after_seq: int, *, limit: int) -> Happened:
    """The first `limit` things that happened in a bucket after `after_seq`.

    Who starts from 0 holds nothing, so nothing of it has left.
    """
    values = {"bucket": bucket, "after": after_seq, "limit": limit}
    if db.dialect.name != "postgresql":
        return Happened(**_in_rows(db, values))
    for left, seqs, items, *position in _page_arrays(limit).rows(db, values):
        if left and after_seq > 0:
            break
        return Happened(seqs=seqs or (), items=items or (), position=_position([position]))
    found = _in_rows(db, values)
    return Happened(**found, position=_position(_POSITION.rows(db, {"bucket": bucket})))


def _in_rows(db: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    statement = _FEED_ROWS if values["after"] > 0 else _FIRST_ROWS
    rows = statement.rows(db, values)
    there = [row for row in rows if row[2] is not None]
    return {
        "seqs": [row[0] for row in there],
        "items": [feed_item(row[2], row[1]) for row in there],
        "gone": [(row[0], *row[3:]) for row in rows if row[2] is None],
    }


def _position(rows: Sequence[DbRow]) -> tuple[int, int, str]:
    """What the rows say, or what no bucket ever has."""
    epoch, seq, digest = rows[0] if rows else (0, 0, "")
    return epoch, seq, digest


_FIRST = 2**60  # more than any area number, so that areas come before all grids
_ALLOWED = union_all(
    select(
        literal("config").label("id"),
        literal_column(str(-2 * _FIRST), BigInteger).label("place"),
    ),
    select(
        literal("user:").concat(bindparam("account_text", type_=Text)),
        literal_column(str(1 - 2 * _FIRST), BigInteger),
    ),
    select(
        literal("area:").concat(as_text(AREAS_ANNOUNCED.c.id)),
        AREAS_ANNOUNCED.c.lo - literal_column(str(_FIRST), BigInteger),
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


_HOLDS = Direct(select(_ALLOWED.c.id).where(_ALLOWED.c.id == bindparam("bucket")))


def may_hold(db: Connection, account: str, bucket: str, now_ms: int) -> bool:
    """Whether a bucket is among those of `allowed_heads`."""
    values = {"account": account, "account_text": account, "now": now_ms}
    return bool(_HOLDS.rows(db, {**values, "bucket": bucket}))


def allowed_heads(db: Connection, account: str, now_ms: int) -> Sequence[BucketHead]:
    """Heads of what a worker may hold now: configuration, own, areas, then grids.

    A bucket that nothing was ever put into has no row, and an empty head.
    """
    values = {"account": account, "account_text": account, "now": now_ms}
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
    everywhere(db)
    statement = select(*table.c).where(among(db, table.c.id, list(record_ids)))
    return db.execute(statement).mappings().all()
