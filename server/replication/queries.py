"""Questions the write path and the feed ask the database, one function per question."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    Table,
    bindparam,
    literal_column,
    select,
    update,
)

from geo.areas import LEVEL_GRID
from server.db import tables
from server.db.bulk import (
    Upsert,
    among,
    among_listed,
    insert_new,
    joined,
    listed,
    upsert,
    upsert_all,
)
from server.db.periods import holds_at
from server.db.reach import WALLED, everywhere
from sync.canonical import EMPTY_DIGEST
from sync.exchange import GRIDS_MAX

ACCOUNT = tables.Account.__table__
AREA = tables.Area.__table__
ASSIGNMENT = tables.Assignment.__table__
BUCKET = tables.Bucket.__table__
BUCKET_EXIT = tables.BucketExit.__table__
CONFLICT = tables.Conflict.__table__
COUNTER = tables.Counter.__table__
DEVICE = tables.Device.__table__
ERASURE = tables.Erasure.__table__
GRID = tables.Grid.__table__
HELD = tables.HeldRow.__table__
INCARNATION = tables.Incarnation.__table__
MUTATION = tables.MutationRow.__table__
RECORD = tables.RecordRow.__table__
DbRow = Any
"""A row of one of the selects below: one attribute a selected column."""
Rows = Sequence[Mapping[str, Any]]
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
    first_epoch: int = 1


def empty_head(bucket: str) -> BucketHead:
    """The head of a bucket that nothing was ever put into; it has no row."""
    return BucketHead(
        id=bucket, epoch=1, seq=0, digest=EMPTY_DIGEST, count=0, tombstone_floor=0
    )


def _locking(dialect: str, statement: Select[Any]) -> Select[Any]:
    """Add FOR UPDATE where rows can be locked; SQLite has one writer at a time already."""
    return statement.with_for_update() if dialect == "postgresql" else statement


INCARNATION_ID = (
    select(INCARNATION.c.id)
    .order_by(INCARNATION.c.created_ms.desc())
    .limit(literal_column("1"))
)


def incarnation(db: Connection) -> str:
    """The id of this store's life: it changes when a backup is restored."""
    return str(db.execute(INCARNATION_ID).scalar_one())


def begin_incarnation(db: Connection, incarnation_id: str, now_ms: int) -> None:
    """Begin a new life of this store, later than every other one."""
    latest = db.execute(
        select(INCARNATION.c.created_ms).order_by(INCARNATION.c.created_ms.desc())
    )
    created_ms = max(now_ms, (latest.scalar() or 0) + 1)
    db.execute(INCARNATION.insert().values(id=incarnation_id, created_ms=created_ms))


# devices

ANY_LEASE = "*"
"""In place of a lease: the device may show any, once, because its last one may be lost."""


def forgive_leases(db: Connection) -> int:
    """Let every phone show any lease once more, and return how many those are."""
    done = db.execute(
        update(DEVICE)
        .where(~DEVICE.c.console, DEVICE.c.lease.is_not(None) | (DEVICE.c.last_n > 0))
        .values(lease=ANY_LEASE, lease_previous=None)
    )
    return done.rowcount


@cache
def _devices(dialect: str) -> Select[Any]:
    statement = select(*DEVICE.c).where(among_listed(dialect, DEVICE.c.id, "ids"))
    return _locking(dialect, statement.order_by(DEVICE.c.id))


def lock_devices(db: Connection, device_ids: Collection[str]) -> dict[str, DbRow]:
    """The rows of the devices that exist, locked in id order until the transaction ends."""
    found = db.execute(_devices(db.dialect.name), {"ids": listed(db, device_ids)})
    return {row.id: row for row in found}


def lock_device(db: Connection, device_id: str) -> DbRow | None:
    """The device's row, locked until the transaction ends, or None."""
    return lock_devices(db, [device_id]).get(device_id)


def console_of(db: Connection, account_id: str) -> str | None:
    """The id of the account's console device, or None before its first write."""
    statement = select(DEVICE.c.id).where(DEVICE.c.account_id == account_id, DEVICE.c.console)
    return db.execute(statement.order_by(DEVICE.c.created_ms).limit(1)).scalar()


def add_device(db: Connection, row: Mapping[str, Any]) -> None:
    """Insert a device unless its id exists."""
    insert_new(db, DEVICE, [row], key=("id",))


def device_changed(device: DbRow, values: Mapping[str, Any]) -> Upsert:
    """What a batch changed about a locked device, to be saved with everything else."""
    rows = [{**device._asdict(), **values}] if values else []
    return Upsert(table=DEVICE, rows=rows, key=("id",), update=tuple(values))


def settled_rows(db: Connection, device_id: str, numbers: Sequence[int]) -> Sequence[DbRow]:
    """The stored mutations of a device among `numbers`, in order of n.

    Beside them what became of those that waited: `became`, and `refused` as 0 or 1.
    """
    columns, held = MUTATION.c, HELD.c
    refused = (held.status == "refused").label("refused")
    statement = (
        select(*columns, held.became, refused)
        .outerjoin(HELD, (held.device_id == columns.device_id) & (held.n == columns.n))
        .where(columns.device_id == device_id, among(db, columns.n, numbers))
        .order_by(columns.n)
    )
    return db.execute(statement).all()


def mutations_added(rows: Rows) -> Upsert:
    """Append settled mutations. A duplicate `(device, n)` is a broken caller and raises."""
    return Upsert(table=MUTATION, rows=rows, key=("device_id", "n"), update=None)


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


_HELD, _GRID_AREA = AREA.alias("held"), AREA.alias("grid")
GRIDS_HELD = (
    select(_GRID_AREA.c.id, _GRID_AREA.c.lo)
    .select_from(ASSIGNMENT)
    .join(_HELD, _HELD.c.id == ASSIGNMENT.c.area_id)
    .join(_GRID_AREA, _GRID_AREA.c.lo.between(_HELD.c.lo, _HELD.c.hi))
    .where(
        ASSIGNMENT.c.account_id == bindparam("account"),
        holds_at(ASSIGNMENT.c, bindparam("now")),
        _GRID_AREA.c.level == literal_column(str(LEVEL_GRID)),
    )
    .distinct()
    .order_by(_GRID_AREA.c.lo)
    .limit(literal_column(str(GRIDS_MAX)))
    .subquery("grids_held")
)
"""The grids that `account` answers for at `now`, in order of the area tree, as many as may be.

The limit stands in the text: PostgreSQL plans anew each time what has it as a parameter.
"""


# records


@cache
def _records(dialect: str) -> Select[Any]:
    columns = RECORD.c
    return select(
        columns.id,
        columns.kind,
        columns.bucket,
        columns.area_no,
        columns.rev,
        columns.seq,
        columns.truth,
        columns.hash,
    ).where(among_listed(dialect, columns.id, "ids"))


def record_rows(db: Connection, record_ids: Sequence[str]) -> Sequence[DbRow]:
    """The stored rows of `record_ids` that exist, in no order."""
    return db.execute(_records(db.dialect.name), {"ids": listed(db, record_ids)}).all()


@cache
def _revs(dialect: str) -> Select[Any]:
    columns = RECORD.c
    return select(columns.id, columns.rev, columns.bucket).where(
        among_listed(dialect, columns.id, "ids")
    )


def record_revs(db: Connection, record_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Record id to `(rev, bucket)` as committed now, for those that exist."""
    rows = db.execute(_revs(db.dialect.name), {"ids": listed(db, record_ids)})
    return {row.id: (row.rev, row.bucket) for row in rows}


def add_records(db: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert records that do not exist yet and return how many were really new."""
    return insert_new(db, RECORD, rows, key=("id",))


def records_replaced(rows: Rows) -> Upsert:
    """Replace records by id."""
    changed = ("bucket", "area_no", "rev", "seq", "truth", "body", "hash", "restricted")
    return Upsert(table=RECORD, rows=rows, key=("id",), update=changed)


# buckets


def heads_by_id(rows: Iterable[RowMapping]) -> dict[str, BucketHead]:
    """Heads by the id of their bucket."""
    return {row["id"]: BucketHead(**row) for row in rows}


@cache
def _buckets(dialect: str, *, locked: bool) -> Select[Any]:
    statement = select(*BUCKET.c).where(among_listed(dialect, BUCKET.c.id, "ids"))
    statement = statement.order_by(BUCKET.c.id)
    return _locking(dialect, statement) if locked else statement


def bucket_heads(db: Connection, bucket_ids: Sequence[str]) -> dict[str, BucketHead]:
    """Heads of the buckets that exist."""
    statement = _buckets(db.dialect.name, locked=False)
    return heads_by_id(db.execute(statement, {"ids": listed(db, bucket_ids)}).mappings())


def lock_buckets(db: Connection, bucket_ids: Iterable[str]) -> dict[str, BucketHead]:
    """Lock the buckets in id order, making the missing ones first, and return their heads.

    A row that does not exist cannot be locked, so it is inserted empty before the lock.
    """
    wanted = sorted(set(bucket_ids))
    statement, ids = _buckets(db.dialect.name, locked=True), {"ids": listed(db, wanted)}
    heads = heads_by_id(db.execute(statement, ids).mappings())
    missing = [each for each in wanted if each not in heads]
    if not missing:
        return heads
    empty = {"epoch": 1, "seq": 0, "digest": "0" * 16, "count": 0, "tombstone_floor": 0}
    insert_new(db, BUCKET, [{"id": each, **empty} for each in missing], key=("id",))
    return heads_by_id(db.execute(statement, ids).mappings())


def buckets_replaced(rows: Rows) -> Upsert:
    """Store the heads of locked buckets."""
    return Upsert(table=BUCKET, rows=rows, key=("id",), update=("seq", "digest", "count"))


def exits_noted(rows: Rows) -> Upsert:
    """Note records that left a bucket, one row per bucket and record."""
    changed = ("seq", "why", "to_bucket", "left_ms", "merged_into")
    return Upsert(table=BUCKET_EXIT, rows=rows, key=("bucket", "record_id"), update=changed)


def drop_exits(db: Connection, bucket: str, record_ids: Sequence[str]) -> None:
    """Forget that records left `bucket`: they are back."""
    columns = BUCKET_EXIT.c
    db.execute(
        BUCKET_EXIT.delete().where(
            columns.bucket == bucket, among(db, columns.record_id, list(record_ids))
        )
    )


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


def projections_replaced(table: Table, rows: Rows) -> Upsert:
    """Insert or replace projection rows by id; `created_ms` keeps its first value."""
    changed = tuple(name for name in rows[0] if name not in {"id", "created_ms"})
    return Upsert(table=table, rows=rows, key=("id",), update=changed)


def drop_projections(db: Connection, table: Table, record_ids: Sequence[str]) -> None:
    """Remove the typed rows of records that were erased."""
    everywhere(db)
    db.execute(table.delete().where(among(db, table.c.id, list(record_ids))))


def erased_among(db: Connection, record_ids: Iterable[str]) -> set[str]:
    """Which of `record_ids` were erased."""
    columns = ERASURE.c
    statement = select(columns.record_id).where(
        among(db, columns.record_id, sorted(record_ids))
    )
    return set(db.execute(statement).scalars())


def save(db: Connection, parts: Iterable[Upsert]) -> None:
    """Write what plans change, all tables at once where the database can.

    Rows of different parts may be of the same table, but not the same rows.
    """
    written = joined(parts)
    if any(each.table.name in WALLED for each in written):
        everywhere(db)
    upsert_all(db, written)


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
    """`(id, code, area_no, geom)` of every grid in force, by code."""
    columns = (GRID.c.id, GRID.c.code, GRID.c.area_no, GRID.c.geom)
    statement = select(*columns).where(GRID.c.valid_to_ms.is_(None))
    return db.execute(statement.order_by(GRID.c.code)).all()
