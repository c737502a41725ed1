"""Questions about photos: uploads, blobs, who declared them and who may see them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from server.areas.scope import Scope, within
from server.db.bulk import insert_new
from server.db.tables import (
    MediaBlob,
    MediaCopy,
    MediaDeclaration,
    MediaUpload,
    RecordRow,
    Report,
    Task,
)

DECLARATIONS_MAX = 500
MediaRow = Row[*tuple[Any, ...]]
_upload = MediaUpload.__table__.c
_blob = MediaBlob.__table__.c
_copy = MediaCopy.__table__.c
_declaration = MediaDeclaration.__table__.c
_record = RecordRow.__table__.c
_task = Task.__table__.c
_report = Report.__table__.c


# uploads


def add_upload(db: Connection, row: dict[str, Any]) -> None:
    """Store a new upload."""
    insert_new(db, MediaUpload.__table__, [row], ("id",))


def drop_earlier(db: Connection, media: str, *, account: str, device: str | None) -> list[str]:
    """Forget the unfinished uploads of a hash whose owner starts again; return their ids."""
    earlier = (
        delete(MediaUpload.__table__)
        .where(
            *_owned(account, device),
            _upload.hash == media,
            _upload.finished_ms.is_(None),
        )
        .returning(_upload.id)
    )
    return list(db.execute(earlier).scalars())


def _owned(account: str, device: str | None) -> list[ColumnElement[bool]]:
    mine = _upload.device_id.is_(None) if device is None else _upload.device_id == device
    return [_upload.account_id == account, mine]


def upload_of(
    db: Connection, upload: str, *, account: str, device: str | None
) -> MediaRow | None:
    """The upload with this id if it is the caller's, else None."""
    statement = select(*_upload).where(_upload.id == upload, *_owned(account, device))
    return db.execute(statement).one_or_none()


def usage(db: Connection, *, account: str, device: str | None, since_ms: int) -> MediaRow:
    """What an account uses: `open`, `device_bytes` unfinished, `begun_bytes` since a time."""
    unfinished = _upload.finished_ms.is_(None)
    own_device = _owned(account, device)[1]
    recent = _upload.created_ms >= since_ms
    total = func.coalesce(func.sum(_upload.size).filter(unfinished, own_device), 0)
    begun = func.coalesce(func.sum(_upload.size).filter(recent), 0)
    statement = select(
        func.count().filter(unfinished).label("open"),
        total.label("device_bytes"),
        begun.label("begun_bytes"),
    ).where(_upload.account_id == account)
    return db.execute(statement).one()


def drop_upload(db: Connection, upload: str) -> None:
    """Forget an upload."""
    db.execute(delete(MediaUpload.__table__).where(_upload.id == upload))


def finish_upload(db: Connection, upload: str, now_ms: int) -> bool:
    """Mark an upload as finished; False if it is gone or was finished before."""
    statement = (
        update(MediaUpload.__table__)
        .where(_upload.id == upload, _upload.finished_ms.is_(None))
        .values(finished_ms=now_ms)
    )
    return db.execute(statement).rowcount > 0


# blobs


def blob_with(db: Connection, media: str) -> MediaRow | None:
    """What is known of the bytes with this hash, or None."""
    return db.execute(select(*_blob).where(_blob.hash == media)).one_or_none()


def is_kept(db: Connection, blob: str) -> bool:
    """Say whether some bytes are known to be stored under this key, or yet to be removed."""
    return bool(db.execute(select(exists().where(_blob.blob == blob))).scalar())


def has_copy(db: Connection, media: str, account: str) -> bool:
    """Say whether an account showed that it has these bytes."""
    found = exists().where(_copy.hash == media, _copy.account_id == account)
    return bool(db.execute(select(found)).scalar())


def add_blob(db: Connection, row: dict[str, Any]) -> bool:
    """Store what became of some bytes; False if that was known already."""
    return insert_new(db, MediaBlob.__table__, [row], ("hash",)) == 1


def restore_blob(db: Connection, media: str, now_ms: int) -> bool:
    """Keep a stored blob from now on, also one that nothing declared; False if it is gone."""
    held = (_blob.hash == media, _blob.state == "stored")
    kept = update(MediaBlob.__table__).where(*held).values(drop_ms=None, stored_ms=now_ms)
    return db.execute(kept).rowcount > 0


def note_copy(db: Connection, media: str, account: str, now_ms: int) -> None:
    """Note that an account has the bytes; its devices are not asked for them any more."""
    row = {"hash": media, "account_id": account, "uploaded_ms": now_ms}
    insert_new(db, MediaCopy.__table__, [row], ("hash", "account_id"))
    stop_asking(db, media, account)


def stop_asking(db: Connection, media: str, account: str) -> None:
    """Ask an account's devices for these bytes no more."""
    statement = update(MediaDeclaration.__table__).where(
        _declaration.hash == media, _declaration.account_id == account, _declaration.waiting
    )
    db.execute(statement.values(waiting=False))


# who may see what


def readable_blob(
    db: Connection, media: str, *, account: str, through: ColumnElement[bool]
) -> MediaRow | None:
    """The stored blob with this hash if the caller may see it, else None.

    Everybody sees what they uploaded themselves. Others see it through a record for which
    somebody who has the bytes declared it, when `through` holds for that record: a hash that
    was only copied from elsewhere opens nothing.
    """
    shown = exists(
        select(_record.id)
        .join(MediaDeclaration.__table__, _declaration.record_id == _record.id)
        .join(
            MediaCopy.__table__,
            (_copy.hash == _declaration.hash) & (_copy.account_id == _declaration.account_id),
        )
        .where(_declaration.hash == media, through)
    )
    own = exists().where(_copy.hash == media, _copy.account_id == account)
    statement = select(*_blob).where(
        _blob.hash == media, _blob.state == "stored", or_(own, shown)
    )
    return db.execute(statement).one_or_none()


def in_scope(scope: Scope) -> ColumnElement[bool]:
    """The condition that a record lies in the caller's area."""
    return within(_record.area_no, scope)


def of_their_work(account: str) -> ColumnElement[bool]:
    """The condition that a record is a task of this worker, or a report of its incident."""
    task = exists().where(_task.id == _record.id, _task.assignee_id == account)
    report = exists(
        select(_report.id)
        .join(Task.__table__, _task.incident_id == _report.incident_id)
        .where(_report.id == _record.id, _task.assignee_id == account)
    )
    return or_(task, report)


def declared_by(account: str) -> ColumnElement[bool]:
    """The condition that a declaration is the caller's own."""
    return _declaration.account_id == account


def declarations_of(
    db: Connection, record: str, allowed: ColumnElement[bool]
) -> Sequence[MediaRow]:
    """What a record's photos are, where `allowed` holds, by hash; at most 500.

    `hash`, `declared_ms` (the earliest), `state`, `code`, `media_type`, `served_size`, and
    `under_way`: whether somebody is sending it.
    """
    under_way = exists().where(
        _upload.hash == _declaration.hash,
        _upload.account_id == _declaration.account_id,
        _upload.finished_ms.is_(None),
    )
    statement = (
        select(
            _declaration.hash,
            _declaration.declared_ms,
            _blob.state,
            _blob.code,
            _blob.media_type,
            _blob.served_size,
            _copy.account_id.label("holder"),
            under_way.label("under_way"),
        )
        .join(RecordRow.__table__, _record.id == _declaration.record_id)
        .outerjoin(MediaBlob.__table__, _blob.hash == _declaration.hash)
        .outerjoin(
            MediaCopy.__table__,
            (_copy.hash == _declaration.hash) & (_copy.account_id == _declaration.account_id),
        )
        .where(_declaration.record_id == record, allowed)
        .order_by(_declaration.hash, _declaration.declared_ms)
        .limit(DECLARATIONS_MAX)
    )
    return db.execute(statement).all()
