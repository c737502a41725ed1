"""What is no longer wanted: erased photos, unattached ones, abandoned uploads."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, select, update

from server.db.bulk import among, insert_new
from server.db.tables import MediaBlob, MediaCopy, MediaDeclaration, MediaUpload
from server.media.queries import MediaRow

_upload = MediaUpload.__table__.c
_blob = MediaBlob.__table__.c
_copy = MediaCopy.__table__.c
_declaration = MediaDeclaration.__table__.c


def erase_media(db: Connection, record_ids: Sequence[str], now_ms: int) -> list[str]:
    """Forget the photos of some records; return the hashes that nothing else declares.

    Those are not taken again, and their blobs are removed by the next `collect`. Only hashes
    remain. A photo that another record declares as well stays with that record.
    """
    named = among(db, _declaration.record_id, list(record_ids))
    gone = delete(MediaDeclaration.__table__).where(named).returning(_declaration.hash)
    hashes = sorted(set(db.execute(gone).scalars()))
    still = select(_declaration.hash).where(among(db, _declaration.hash, hashes))
    alone = sorted(set(hashes) - set(db.execute(still).scalars()))
    if not alone:
        return []
    empty = {"state": "erased", "size": 0, "attached": True, "stored_ms": now_ms}
    rows = [{"hash": each, **empty} for each in alone]
    insert_new(db, MediaBlob.__table__, rows, ("hash",))
    mark = update(MediaBlob.__table__).where(among(db, _blob.hash, alone))
    cleared = {"media_type": None, "served_hash": None, "served_size": None, "code": None}
    db.execute(mark.values(state="erased", drop_ms=now_ms, size=0, **cleared))
    for table, column in (
        (MediaCopy.__table__, _copy.hash),
        (MediaUpload.__table__, _upload.hash),
    ):
        db.execute(delete(table).where(among(db, column, alone)))
    return alone


def attach_declared(db: Connection, *, limit: int) -> int:
    """Note of blobs that a record declares that they are attached; return how many."""
    found = (
        select(_blob.hash)
        .where(~_blob.attached, exists().where(_declaration.hash == _blob.hash))
        .order_by(_blob.stored_ms)
        .limit(limit)
    )
    statement = update(MediaBlob.__table__).where(_blob.hash.in_(found))
    return db.execute(statement.values(attached=True, drop_ms=None)).rowcount


def mark_unattached(db: Connection, *, before_ms: int, now_ms: int, limit: int) -> int:
    """Mark blobs that nothing declared since `before_ms` as to be dropped; return how many."""
    found = (
        select(_blob.hash)
        .where(
            ~_blob.attached,
            _blob.state == "stored",
            _blob.drop_ms.is_(None),
            _blob.stored_ms < before_ms,
            ~exists().where(_declaration.hash == _blob.hash),
        )
        .order_by(_blob.stored_ms)
        .limit(limit)
    )
    statement = update(MediaBlob.__table__).where(_blob.hash.in_(found))
    return db.execute(statement.values(drop_ms=now_ms)).rowcount


def begin_dropping(db: Connection, *, before_ms: int, limit: int) -> None:
    """Give up blobs marked before `before_ms` that nothing declared since.

    Between mark and drop a declaration that was under way has long been committed.
    """
    found = (
        select(_blob.hash)
        .where(
            ~_blob.attached,
            _blob.state == "stored",
            _blob.drop_ms < before_ms,
            ~exists().where(_declaration.hash == _blob.hash),
        )
        .order_by(_blob.drop_ms)
        .limit(limit)
    )
    statement = update(MediaBlob.__table__).where(_blob.hash.in_(found))
    db.execute(statement.values(state="dropping"))


def to_remove(db: Connection, *, limit: int) -> Sequence[MediaRow]:
    """`(hash, blob, state)` of given-up photos that may still be stored, oldest first."""
    statement = (
        select(_blob.hash, _blob.blob, _blob.state)
        .where(_blob.state.in_(("erased", "dropping")), _blob.drop_ms.is_not(None))
        .order_by(_blob.drop_ms, _blob.hash)
        .limit(limit)
    )
    return db.execute(statement).all()


def forget_blobs(db: Connection, hashes: Sequence[str]) -> None:
    """Note that the bytes of given-up photos are gone: only an erased hash stays known."""
    among_them = among(db, _blob.hash, list(hashes))
    dropping = delete(MediaBlob.__table__).where(among_them, _blob.state == "dropping")
    gone = list(db.execute(dropping.returning(_blob.hash)).scalars())
    db.execute(delete(MediaCopy.__table__).where(among(db, _copy.hash, gone)))
    erased = update(MediaBlob.__table__).where(among_them, _blob.state == "erased")
    db.execute(erased.values(blob=None, drop_ms=None))


def old_uploads(
    db: Connection, *, before_ms: int, after: str, limit: int
) -> Sequence[MediaRow]:
    """Uploads begun before `before_ms`, by id beyond `after`."""
    statement = (
        select(*_upload)
        .where(_upload.created_ms < before_ms, *([_upload.id > after] if after else []))
        .order_by(_upload.id)
        .limit(limit)
    )
    return db.execute(statement).all()


def unfinished_among(db: Connection, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that are unfinished uploads."""
    statement = select(_upload.id).where(
        among(db, _upload.id, list(ids)), _upload.finished_ms.is_(None)
    )
    return set(db.execute(statement).scalars())
