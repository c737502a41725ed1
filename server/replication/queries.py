"""Questions the write path and the feed ask the database, one function per question."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select, update

from server.db import tables
from server.db.bulk import among, insert_new, upsert

ACCOUNT = tables.Account.__table__
AREA = tables.Area.__table__
ASSIGNMENT = tables.Assignment.__table__
BUCKET = tables.Bucket.__table__
BUCKET_EXIT = tables.BucketExit.__table__
CONFLICT = tables.Conflict.__table__
COUNTER = tables.Counter.__table__
DEVICE = tables.Device.__table__
GRID = tables.Grid.__table__
INCARNATION = tables.Incarnation.__table__
MUTATION = tables.MutationRow.__table__
RECORD = tables.RecordRow.__table__
DbRow = Any
"""A row of one of the selects below: one attribute a selected column."""
LEVEL_GRID = 5
GRIDS_VERSION = "grids"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketHead:
    """Where one bucket's feed stands; read and written under the bucket's row lock."""

    id: str
    epoch: int
    seq: int
    digest: str
    count: int
    tombstone_floor: int


def _locked(db: Connection, statement: Select[Any]) -> Select[Any]:
    """Add FOR UPDATE where rows can be locked; SQLite has one writer at a time already."""
    return statement.with_for_update() if db.dialect.name == "postgresql" else statement


def incarnation(db: Connection) -> str:
    """The id of this store's life: it changes when a backup is restored."""
    return str(
        db.execute(
            select(INCARNATION.c.id).order_by(INCARNATION.c.created_ms.desc())
        ).scalar_one()
    )


# devices


def lock_device(db: Connection, device_id: str) -> DbRow | None:
    """The device's row, locked until the transaction ends, or None."""
    columns = DEVICE.c
    statement = select(*columns).where(columns.id == device_id)
    return db.execute(_locked(db, statement)).one_or_none()


def console_of(db: Connection, account_id: str) -> str | None:
    """The id of the account's console device, or None before its first write."""
    statement = select(DEVICE.c.id).where(DEVICE.c.account_id == account_id, DEVICE.c.console)
    return db.execute(statement.order_by(DEVICE.c.created_ms).limit(1)).scalar()


def add_device(db: Connection, row: Mapping[str, Any]) -> None:
    """Insert a device unless its id exists."""
    insert_new(db, DEVICE, [row], key=("id",))


def save_device(db: Connection, device_id: str, values: Mapping[str, Any]) -> None:
    """Store what a contact or a batch changed about a device."""
    db.execute(update(DEVICE).where(DEVICE.c.id == device_id).values(**values))


def settled_rows(db: Connection, device_id: str, numbers: Sequence[int]) -> Sequence[DbRow]:
    """The stored mutations of a device among `numbers`, in order of n."""
    columns = MUTATION.c
    statement = (
        select(*columns)
        .where(columns.device_id == device_id, among(db, columns.n, numbers))
        .order_by(columns.n)
    )
    return db.execute(statement).all()


def add_mutations(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append settled mutations. A duplicate `(device, n)` is a broken caller and raises."""
    upsert(db, MUTATION, rows, key=("device_id", "n"), update=None)


# accounts, areas, authority


def account_area_no(db: Connection, account_id: str) -> int:
    """The first area number of the account's area; 0 when it has none."""
    statement = (
        select(AREA.c.lo)
        .join(ACCOUNT, ACCOUNT.c.area_id == AREA.c.id)
        .where(ACCOUNT.c.id == account_id)
    )
    return int(db.execute(statement).scalar() or 0)


def area_numbers(db: Connection, area_ids: Iterable[str]) -> dict[str, int]:
    """Area id to its first number, for those that exist."""
    statement = select(AREA.c.id, AREA.c.lo).where(among(db, AREA.c.id, list(area_ids)))
    return {row.id: row.lo for row in db.execute(statement)}


def assignments_of(db: Connection, account_id: str) -> Sequence[DbRow]:
    """`(lo, hi, valid_from_ms, valid_to_ms)` of all an account's assignments, oldest first."""
    statement = (
        select(AREA.c.lo, AREA.c.hi, ASSIGNMENT.c.valid_from_ms, ASSIGNMENT.c.valid_to_ms)
        .join(AREA, AREA.c.id == ASSIGNMENT.c.area_id)
        .where(ASSIGNMENT.c.account_id == account_id)
        .order_by(ASSIGNMENT.c.valid_from_ms)
    )
    return db.execute(statement).all()


def grids_assigned(db: Connection, account_id: str, now_ms: int, *, limit: int) -> list[str]:
    """Ids of the grids inside the account's assignments valid at `now_ms`, by area number."""
    held, grid = AREA.alias("held"), AREA.alias("grid")
    assignment = ASSIGNMENT.c
    statement = (
        select(grid.c.id, grid.c.lo)
        .select_from(ASSIGNMENT)
        .join(held, held.c.id == assignment.area_id)
        .join(grid, grid.c.lo.between(held.c.lo, held.c.hi))
        .where(
            assignment.account_id == account_id,
            assignment.valid_from_ms <= now_ms,
            (assignment.valid_to_ms.is_(None)) | (assignment.valid_to_ms > now_ms),
            grid.c.level == LEVEL_GRID,
        )
        .distinct()
        .order_by(grid.c.lo)
        .limit(limit)
    )
    return [row.id for row in db.execute(statement)]


# records


def record_rows(db: Connection, record_ids: Sequence[str]) -> Sequence[DbRow]:
    """The stored rows of `record_ids` that exist, in no order."""
    columns = RECORD.c
    statement = select(
        columns.id,
        columns.kind,
        columns.bucket,
        columns.area_no,
        columns.rev,
        columns.seq,
        columns.truth,
        columns.hash,
    ).where(among(db, columns.id, list(record_ids)))
    return db.execute(statement).all()


def record_revs(db: Connection, record_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Record id to `(rev, bucket)` as committed now, for those that exist."""
    columns = RECORD.c
    statement = select(columns.id, columns.rev, columns.bucket).where(
        among(db, columns.id, list(record_ids))
    )
    return {row.id: (row.rev, row.bucket) for row in db.execute(statement)}


def add_records(db: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert records that do not exist yet and return how many were really new."""
    return insert_new(db, RECORD, rows, key=("id",))


def save_records(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace records by id."""
    changed = ("bucket", "area_no", "rev", "seq", "truth", "body", "hash")
    upsert(db, RECORD, rows, key=("id",), update=changed)


# buckets


def _heads(rows: Iterable[RowMapping]) -> dict[str, BucketHead]:
    return {row["id"]: BucketHead(**row) for row in rows}


def bucket_heads(db: Connection, bucket_ids: Sequence[str]) -> dict[str, BucketHead]:
    """Heads of the buckets that exist."""
    columns = BUCKET.c
    return _heads(
        db.execute(select(*columns).where(among(db, columns.id, list(bucket_ids)))).mappings()
    )


def lock_buckets(db: Connection, bucket_ids: Iterable[str]) -> dict[str, BucketHead]:
    """Lock the buckets in id order, making the missing ones first, and return their heads.

    A row that does not exist cannot be locked, so it is inserted empty before the lock.
    """
    wanted = sorted(set(bucket_ids))
    columns = BUCKET.c
    statement = _locked(
        db, select(*columns).where(among(db, columns.id, wanted)).order_by(columns.id)
    )
    heads = _heads(db.execute(statement).mappings())
    missing = [each for each in wanted if each not in heads]
    if not missing:
        return heads
    empty = {"epoch": 1, "seq": 0, "digest": "0" * 16, "count": 0, "tombstone_floor": 0}
    insert_new(db, BUCKET, [{"id": each, **empty} for each in missing], key=("id",))
    return _heads(db.execute(statement).mappings())


def save_buckets(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the heads of locked buckets."""
    upsert(db, BUCKET, rows, key=("id",), update=("seq", "digest", "count"))


def save_exits(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note records that left a bucket, one row per bucket and record."""
    upsert(
        db,
        BUCKET_EXIT,
        rows,
        key=("bucket", "record_id"),
        update=("seq", "why", "to_bucket"),
    )


def drop_exits(db: Connection, bucket: str, record_ids: Sequence[str]) -> None:
    """Forget that records left `bucket`: they are back."""
    columns = BUCKET_EXIT.c
    db.execute(
        BUCKET_EXIT.delete().where(
            columns.bucket == bucket, among(db, columns.record_id, list(record_ids))
        )
    )


# the feed


def feed_rows(db: Connection, bucket: str, after_seq: int, *, limit: int) -> Sequence[DbRow]:
    """`(seq, hash, body)` of the bucket's records changed after `after_seq`, by seq."""
    columns = RECORD.c
    statement = (
        select(columns.seq, columns.hash, columns.body)
        .where(columns.bucket == bucket, columns.seq > after_seq)
        .order_by(columns.seq)
        .limit(limit)
    )
    return db.execute(statement).all()


def exit_rows(db: Connection, bucket: str, after_seq: int, to_seq: int) -> Sequence[DbRow]:
    """Records that left the bucket with seq in `(after_seq, to_seq]`, by seq."""
    columns = BUCKET_EXIT.c
    statement = (
        select(columns.record_id, columns.why, columns.to_bucket)
        .where(columns.bucket == bucket, columns.seq > after_seq, columns.seq <= to_seq)
        .order_by(columns.seq)
    )
    return db.execute(statement).all()


def manifest_rows(db: Connection, bucket: str) -> Sequence[DbRow]:
    """`(id, hash)` of every record in the bucket, by id."""
    columns = RECORD.c
    statement = select(columns.id, columns.hash).where(columns.bucket == bucket)
    return db.execute(statement.order_by(columns.id)).all()


def bodies_in(
    db: Connection, buckets: Sequence[str], record_ids: Sequence[str]
) -> Sequence[DbRow]:
    """`(hash, body)` of the asked records that live in one of `buckets`, by id."""
    columns = RECORD.c
    statement = (
        select(columns.hash, columns.body)
        .where(
            among(db, columns.id, list(record_ids)), among(db, columns.bucket, list(buckets))
        )
        .order_by(columns.id)
    )
    return db.execute(statement).all()


# conflicts and counters


def open_conflict_rows(db: Connection, record_ids: Sequence[str]) -> Sequence[DbRow]:
    """`(id, record_id, field)` of the open conflicts of some records."""
    columns = CONFLICT.c
    statement = select(columns.id, columns.record_id, columns.field).where(
        among(db, columns.record_id, list(record_ids)), columns.status == "open"
    )
    return db.execute(statement).all()


def save_conflicts(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Open or update conflicts by id."""
    upsert(db, CONFLICT, rows, key=("id",), update=("choices", "live", "area_no"))


def close_conflict(db: Connection, conflict_id: str, values: Mapping[str, Any]) -> None:
    """Close one conflict with who, when and what was chosen."""
    columns = CONFLICT.c
    db.execute(update(CONFLICT).where(columns.id == conflict_id).values(**values))


def save_projection(db: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace projection rows by id; `created_ms` keeps its first value."""
    changed = tuple(name for name in rows[0] if name not in {"id", "created_ms"})
    upsert(db, table, rows, key=("id",), update=changed)


def next_number(db: Connection, name: str) -> int:
    """Advance a named counter by one and return it; the row stays locked until the end."""
    columns = COUNTER.c
    insert_new(db, COUNTER, [{"name": name, "value": 0}], key=("name",))
    statement = (
        update(COUNTER)
        .where(columns.name == name)
        .values(value=columns.value + 1)
        .returning(columns.value)
    )
    return int(db.execute(statement).scalar_one())


def counter_value(db: Connection, name: str) -> int:
    """What a named counter stands at; 0 before its first use."""
    columns = COUNTER.c
    return int(db.execute(select(columns.value).where(columns.name == name)).scalar() or 0)


def grid_shapes(db: Connection) -> Sequence[DbRow]:
    """`(id, code, geom)` of every grid, by code."""
    columns = GRID.c
    return db.execute(
        select(columns.id, columns.code, columns.geom).order_by(columns.code)
    ).all()


def record_count(db: Connection, kind: str) -> int:
    """How many records of a kind are stored."""
    columns = RECORD.c
    return int(db.execute(select(func.count()).where(columns.kind == kind)).scalar_one())


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


def all_bucket_heads(db: Connection) -> list[BucketHead]:
    """The heads of all buckets, by id."""
    columns = BUCKET.c
    return list(_heads(db.execute(select(*columns).order_by(columns.id)).mappings()).values())


def projection_rows(
    db: Connection, table: Any, record_ids: Sequence[str]
) -> Sequence[RowMapping]:
    """The rows of a projection table for some records, in no order."""
    statement = select(*table.c).where(among(db, table.c.id, list(record_ids)))
    return db.execute(statement).mappings().all()
