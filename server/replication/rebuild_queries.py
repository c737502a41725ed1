"""What the comparison of the store with itself asks, and what a rebuild changes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, select, union, union_all, update

from server.db.bulk import among, upsert
from server.db.reach import everywhere
from server.replication.queries import (
    BUCKET,
    BUCKET_EXIT,
    MUTATION,
    RECORD,
    DbRow,
    Rows,
)

_R, _EXIT, _B = RECORD.c, BUCKET_EXIT.c, BUCKET.c
_RECORD_COLUMNS = tuple(column.name for column in _R if column.name != "id")


def all_buckets(db: Connection) -> list[str]:
    """Every bucket that has a head, a record or an exit, by id."""
    named = union(select(_B.id), select(_R.bucket), select(_EXIT.bucket)).subquery()
    return list(db.execute(select(named.c.id).order_by(named.c.id)).scalars())


def is_used(db: Connection, bucket: str) -> bool:
    """Say whether a bucket has a head, a record or an exit."""
    named = union_all(
        select(_B.id).where(_B.id == bucket),
        select(_R.bucket).where(_R.bucket == bucket),
        select(_EXIT.bucket).where(_EXIT.bucket == bucket),
    )
    return db.execute(named.limit(1)).first() is not None


def bucket_chunks(db: Connection, bucket: str, *, chunk_rows: int) -> Iterator[list[DbRow]]:
    """Every record of a bucket by seq and then id, in chunks of at most `chunk_rows`."""
    statement = select(*_R).where(_R.bucket == bucket).order_by(_R.seq, _R.id)
    statement = statement.limit(chunk_rows)
    rows = list(db.execute(statement).all())
    while rows:
        yield rows
        last = rows[-1]
        behind = (_R.seq > last.seq) | (_R.id > last.id)
        rows = list(db.execute(statement.where(_R.seq >= last.seq, behind)).all())


def record_places(db: Connection, *, chunk_rows: int) -> Iterator[list[DbRow]]:
    """`(id, bucket, rev)` of every record, by id, in chunks of at most `chunk_rows`."""
    statement = select(_R.id, _R.bucket, _R.rev).order_by(_R.id).limit(chunk_rows)
    rows = list(db.execute(statement).all())
    while rows:
        yield rows
        rows = list(db.execute(statement.where(_R.id > rows[-1].id)).all())


def last_exit(db: Connection, bucket: str) -> int:
    """The greatest seq at which something left a bucket, 0 if nothing did."""
    statement = select(func.max(_EXIT.seq)).where(_EXIT.bucket == bucket)
    return int(db.execute(statement).scalar() or 0)


def false_exits(db: Connection, bucket: str, last_seq: int) -> list[str]:
    """Ids of exits that contradict their bucket, by id.

    Those after `last_seq`, those of records that are there, those at the seq of a record.
    """
    there = select(_R.id).where(_R.id == _EXIT.record_id, _R.bucket == bucket, _R.seq > 0)
    taken = select(_R.id).where(_R.bucket == bucket, _R.seq == _EXIT.seq)
    statement = select(_EXIT.record_id).where(
        _EXIT.bucket == bucket, (_EXIT.seq > last_seq) | there.exists() | taken.exists()
    )
    return list(db.execute(statement.order_by(_EXIT.record_id)).scalars())


def typed_rows_without_record(
    db: Connection, table: Table, kind: str, *, chunk_rows: int
) -> Iterator[list[str]]:
    """Ids in a kind's table that are no record of that kind, by id, in chunks."""
    everywhere(db)
    statement = select(table.c.id).where(~_is_record(table, kind)).order_by(table.c.id)
    statement = statement.limit(chunk_rows)
    found = list(db.execute(statement).scalars())
    while found:
        yield found
        found = list(db.execute(statement.where(table.c.id > found[-1])).scalars())


def drop_typed_rows(db: Connection, table: Table, ids: Sequence[str]) -> int:
    """Remove rows of a kind's table and return how many were there."""
    everywhere(db)
    return db.execute(table.delete().where(among(db, table.c.id, list(ids)))).rowcount


def of_kind(db: Connection, kind: str, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that are records of the kind."""
    statement = select(_R.id).where(_R.kind == kind, among(db, _R.id, list(ids)))
    return set(db.execute(statement).scalars())


def _is_record(table: Table, kind: str) -> Any:
    return select(_R.id).where(_R.id == table.c.id, _R.kind == kind).exists()


def typed_rows_without_shapes(
    db: Connection, table: Table, ids: Sequence[str]
) -> Sequence[RowMapping]:
    """Typed rows without their geometry, for when that cannot be read."""
    everywhere(db)
    columns = [column for column in table.c if column.name != "geom"]
    statement = select(*columns).where(among(db, table.c.id, list(ids)))
    return db.execute(statement).mappings().all()


def whole_records(db: Connection, ids: Sequence[str]) -> Sequence[DbRow]:
    """Every column of the records of `ids` that are stored, by id."""
    return db.execute(select(*_R).where(among(db, _R.id, list(ids))).order_by(_R.id)).all()


def mentions(db: Connection, ids: Sequence[str]) -> dict[str, DbRow]:
    """`(record_id, rows, first_ms, last_ms)` of the log by the records that it names.

    `rows` mutations were received from `first_ms` to `last_ms`.
    """
    columns = MUTATION.c
    statement = (
        select(
            columns.record_id,
            func.count().label("rows"),
            func.min(columns.received_ms).label("first_ms"),
            func.max(columns.received_ms).label("last_ms"),
        )
        .where(among(db, columns.record_id, list(ids)))
        .group_by(columns.record_id)
    )
    return {row.record_id: row for row in db.execute(statement)}


def replace_records(db: Connection, rows: Rows) -> None:
    """Replace every column of stored records."""
    upsert(db, RECORD, rows, key=("id",), update=_RECORD_COLUMNS)


def drop_exits(db: Connection, bucket: str, ids: Sequence[str]) -> None:
    """Forget exits of a locked bucket that contradict it."""
    listed = among(db, _EXIT.record_id, list(ids))
    db.execute(BUCKET_EXIT.delete().where(_EXIT.bucket == bucket, listed))


def put_head(db: Connection, bucket: str, values: Mapping[str, Any]) -> None:
    """Change the head of a locked bucket, its epoch too if it is among the values."""
    db.execute(update(BUCKET).where(_B.id == bucket).values(**values))
