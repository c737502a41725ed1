"""What the feed and the comparison of the whole store ask the database."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, null, select, type_coerce, union_all

from server.db.bulk import among
from server.replication.queries import BUCKET_EXIT, RECORD, DbRow

# the feed


_EXIT = BUCKET_EXIT.c
_THERE = select(
    RECORD.c.seq,
    RECORD.c.hash,
    RECORD.c.body,
    type_coerce(null(), _EXIT.record_id.type).label("record_id"),
    type_coerce(null(), _EXIT.why.type).label("why"),
    type_coerce(null(), _EXIT.to_bucket.type).label("to_bucket"),
).where(RECORD.c.bucket == bindparam("bucket"), RECORD.c.seq > bindparam("after"))
_GONE = select(_EXIT.seq, null(), null(), _EXIT.record_id, _EXIT.why, _EXIT.to_bucket).where(
    _EXIT.bucket == bindparam("bucket"), _EXIT.seq > bindparam("after")
)
_FEED = union_all(_THERE, _GONE).order_by("seq").limit(bindparam("limit"))
_FIRST = _THERE.order_by(RECORD.c.seq).limit(bindparam("limit"))


def feed_rows(db: Connection, bucket: str, after_seq: int, *, limit: int) -> Sequence[DbRow]:
    """What happened in a bucket after `after_seq`, by seq.

    A record that is there has `hash` and `body`; one that left has `record_id`, `why` and
    `to_bucket` instead. Who starts from 0 holds nothing, so nothing of it has left.
    """
    values = {"bucket": bucket, "after": after_seq, "limit": limit}
    return db.execute(_FEED if after_seq > 0 else _FIRST, values).all()


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
