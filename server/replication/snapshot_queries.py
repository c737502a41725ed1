"""What snapshots ask the database: bodies to pack, packed files, and what must be dropped."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, null, select

from server.db import tables
from server.db.bulk import among, insert_new
from server.db.direct import Direct
from server.replication.queries import BUCKET_EXIT, RECORD, DbRow

SNAPSHOT = tables.Snapshot.__table__
_KEPT = SNAPSHOT.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which file: a bucket at one seq of one epoch, and how it is packed."""

    bucket: str
    epoch: int
    seq: int
    coding: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored file; `content` are its bytes if they were asked for."""

    etag: str
    size: int
    content: bytes | None


def bodies(db: Connection, bucket: str, *, limit: int) -> Sequence[bytes]:
    """The bodies of what is in a bucket by id: what was made together packs together."""
    columns = RECORD.c
    statement = select(columns.body).where(columns.bucket == bucket, columns.seq > 0)
    return db.execute(statement.order_by(columns.id).limit(limit)).scalars().all()


def newest(db: Connection, buckets: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Bucket to `(epoch, seq)` of its newest stored snapshot, for those that have one."""
    statement = (
        select(_KEPT.bucket, _KEPT.epoch, func.max(_KEPT.seq).label("seq"))
        .where(among(db, _KEPT.bucket, list(buckets)))
        .group_by(_KEPT.bucket, _KEPT.epoch)
        .order_by(_KEPT.bucket, _KEPT.epoch)
    )
    return {row.bucket: (row.epoch, row.seq) for row in db.execute(statement)}


_THIS = (
    _KEPT.bucket == bindparam("bucket"),
    _KEPT.epoch == bindparam("epoch"),
    _KEPT.seq == bindparam("seq"),
    _KEPT.coding == bindparam("coding"),
)
_WHOLE = Direct(select(_KEPT.etag, _KEPT.size, _KEPT.body).where(*_THIS))
_ABOUT = Direct(select(_KEPT.etag, _KEPT.size, null()).where(*_THIS))
_SPAN = Direct(
    select(
        func.substr(
            _KEPT.body, bindparam("first", type_=Integer), bindparam("length", type_=Integer)
        )
    ).where(*_THIS)
)


def kept(db: Connection, key: Key, *, content: bool) -> Kept | None:
    """One stored snapshot, or None; with its bytes if `content`."""
    rows = (_WHOLE if content else _ABOUT).rows(db, asdict(key))
    return Kept(*rows[0]) if rows else None


def span(db: Connection, key: Key, *, first: int, length: int) -> bytes | None:
    """`length` bytes from `first` of a snapshot, or None if it is not stored any more."""
    values = {**asdict(key), "first": first + 1, "length": length}
    rows = _SPAN.rows(db, values)
    return bytes(rows[0][0]) if rows else None


def something_left(db: Connection, bucket: str, after_seq: int) -> bool:
    """Whether a record left the bucket after `after_seq`."""
    columns = BUCKET_EXIT.c
    statement = select(columns.seq).where(columns.bucket == bucket, columns.seq > after_seq)
    return db.execute(statement.limit(1)).first() is not None


def keep(db: Connection, row: dict[str, Any]) -> None:
    """Store a snapshot unless it is there; the same key always has the same bytes."""
    insert_new(db, SNAPSHOT, [row], key=("bucket", "epoch", "seq", "coding"))


def drop(db: Connection, buckets: Iterable[str]) -> None:
    """Drop every snapshot of some buckets."""
    db.execute(SNAPSHOT.delete().where(among(db, _KEPT.bucket, list(buckets))))


def drop_older(db: Connection, bucket: str, *, seq: int) -> None:
    """Drop what is stored of a bucket from before `seq`."""
    db.execute(SNAPSHOT.delete().where(_KEPT.bucket == bucket, _KEPT.seq < seq))


def by_age(db: Connection) -> Sequence[DbRow]:
    """`(bucket, epoch, seq, coding, size, made_ms)` of every snapshot, newest first."""
    columns = (_KEPT.bucket, _KEPT.epoch, _KEPT.seq, _KEPT.coding, _KEPT.size, _KEPT.made_ms)
    order = (_KEPT.made_ms.desc(), _KEPT.bucket, _KEPT.seq.desc(), _KEPT.coding)
    return db.execute(select(*columns).order_by(*order)).all()


def drop_made_by(db: Connection, made_ms: int) -> int:
    """Drop what was made at `made_ms` or before and return how many that were."""
    return db.execute(SNAPSHOT.delete().where(_KEPT.made_ms <= made_ms)).rowcount
