"""All questions about identity numbers, the names of their keys and who looked at them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, update

from server.areas.scope import Scope
from server.areas.scoped import RESIDENTS
from server.db.bulk import among, upsert
from server.db.reach import everywhere
from server.db.tables import DataKeyRow, ResidentIdentifier

DbRow = Row[*tuple[Any, ...]]
_kept = ResidentIdentifier.__table__.c
_data_key = DataKeyRow.__table__.c


def kept_in(db: Connection, scope: Scope, resident_id: str, *, now_ms: int) -> Sequence[DbRow]:
    """What is kept of one resident in scope and has not expired, by kind."""
    people = RESIDENTS.within(db, scope)
    statement = (
        select(*_kept)
        .join(people, people.c.id == _kept.resident_id)
        .where(_kept.resident_id == resident_id, _kept.expires_ms > now_ms)
    )
    return db.execute(statement.order_by(_kept.kind)).all()


def found_in(
    db: Connection, scope: Scope, kind: str, indexes: Collection[bytes], *, now_ms: int
) -> Sequence[DbRow]:
    """`(resident_id, household_id)` in scope with one of some blind indexes, by id."""
    people = RESIDENTS.within(db, scope)
    statement = (
        select(_kept.resident_id, people.c.household_id)
        .join(people, people.c.id == _kept.resident_id)
        .where(
            _kept.kind == kind,
            _kept.blind_index.in_(list(indexes)),
            _kept.expires_ms > now_ms,
        )
    )
    return db.execute(statement.order_by(_kept.resident_id)).all()


def index_of(db: Connection, resident_id: str, kind: str) -> bytes | None:
    """The blind index of what is kept under one kind, expired or not; None if nothing is."""
    everywhere(db)
    statement = select(_kept.blind_index).where(
        _kept.resident_id == resident_id, _kept.kind == kind
    )
    found = db.execute(statement).scalar_one_or_none()
    return None if found is None else bytes(found)


def keep(db: Connection, row: Mapping[str, Any]) -> None:
    """Store one sealed number in the place of what was there."""
    key = ("resident_id", "kind")
    others = tuple(name for name in row if name not in key)
    everywhere(db)
    upsert(db, ResidentIdentifier.__table__, [row], key=key, update=others)


def remove(db: Connection, resident_id: str, kind: str, *, now_ms: int) -> bool:
    """Delete one number and doom the key that sealed it; False if there was none."""
    named = (_kept.resident_id == resident_id) & (_kept.kind == kind)
    return _remove(db, named, now_ms) > 0


def forget_identifiers(db: Connection, record_ids: Sequence[str], *, now_ms: int) -> None:
    """Delete the numbers of erased residents; doom what sealed them, and erased households'."""
    ids = list(record_ids)
    _remove(db, among(db, _kept.resident_id, ids), now_ms)
    doom(db, among(db, _data_key.household_id, ids), now_ms)


def expired(db: Connection, *, now_ms: int) -> int:
    """How many numbers have expired."""
    everywhere(db)
    statement = select(func.count()).where(_kept.expires_ms <= now_ms)
    return int(db.execute(statement).scalar_one())


def forget_expired(db: Connection, *, now_ms: int) -> int:
    """Delete what has expired, doom the keys that sealed it, and return how many those were."""
    return _remove(db, _kept.expires_ms <= now_ms, now_ms)


def _remove(db: Connection, named: Any, now_ms: int) -> int:
    everywhere(db)
    sealed_by = select(_kept.data_key).where(named).distinct()
    keys = list(db.execute(sealed_by).scalars())
    if not keys:
        return 0
    doom(db, among(db, _data_key.id, keys), now_ms)
    return db.execute(delete(ResidentIdentifier.__table__).where(named)).rowcount


def doom(db: Connection, named: Any, now_ms: int) -> None:
    """Let data keys seal nothing any more; they are destroyed soon."""
    changed = update(DataKeyRow.__table__).where(named, _data_key.doomed_ms.is_(None))
    db.execute(changed.values(doomed_ms=now_ms))


def doom_key(db: Connection, key_id: str, *, now_ms: int) -> None:
    """Doom one data key."""
    doom(db, _data_key.id == key_id, now_ms)


def live_key(
    db: Connection, household_id: str, new_id: str, *, now_ms: int
) -> tuple[str, bool]:
    """`(id, used)` of a household's key, `new_id` if it had none; `used`: it sealed some."""
    live = select(_data_key.id).where(
        _data_key.household_id == household_id, _data_key.doomed_ms.is_(None)
    )
    found = db.execute(live).scalar_one_or_none()
    if found is None:
        row = {"id": new_id, "household_id": household_id, "made_ms": now_ms}
        db.execute(insert(DataKeyRow.__table__).values(row))
        return new_id, False
    everywhere(db)
    return str(found), bool(db.execute(select(_used(found))).scalar_one())


def _used(key_id: Any) -> Any:
    return exists().where(_kept.data_key == key_id)


def hold_live(db: Connection, key_id: str) -> bool:
    """Say whether a data key is not doomed, and keep it so until the transaction ends."""
    statement = select(_data_key.id).where(
        _data_key.id == key_id, _data_key.doomed_ms.is_(None)
    )
    return db.execute(statement.with_for_update(read=True)).first() is not None


def data_keys(
    db: Connection, *, after: str | None, limit: int, doomed: bool | None = None
) -> Sequence[DbRow]:
    """`(id, household_id, doomed_ms, used)` of data keys, by id."""
    everywhere(db)
    used = _used(_data_key.id).label("used")
    statement = select(_data_key.id, _data_key.household_id, _data_key.doomed_ms, used)
    if after is not None:
        statement = statement.where(_data_key.id > after)
    if doomed is not None:
        wanted = _data_key.doomed_ms.is_not(None) if doomed else _data_key.doomed_ms.is_(None)
        statement = statement.where(wanted)
    return db.execute(statement.order_by(_data_key.id).limit(limit)).all()


def sealed_by(db: Connection, key_id: str) -> Sequence[DbRow]:
    """`(resident_id, kind, sealed)` of what one data key sealed."""
    everywhere(db)
    statement = select(_kept.resident_id, _kept.kind, _kept.sealed)
    return db.execute(statement.where(_kept.data_key == key_id)).all()


_RESEAL = (
    update(ResidentIdentifier.__table__)
    .where(
        _kept.resident_id == bindparam("resident"),
        _kept.kind == bindparam("of_kind"),
        _kept.data_key == bindparam("old_key"),
    )
    .values(sealed=bindparam("new_sealed"), data_key=bindparam("new_key"))
)


def reseal(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace sealed values; rows name `resident`, `of_kind`, `old_key`, `new_…`."""
    if rows:
        everywhere(db)
        db.execute(_RESEAL, list(rows))


def drop_data_key(db: Connection, key_id: str) -> None:
    """Forget a data key that was destroyed and that nothing needs."""
    everywhere(db)
    named = (_data_key.id == key_id) & _data_key.doomed_ms.is_not(None)
    db.execute(delete(DataKeyRow.__table__).where(named, ~_used(key_id)))


def indexed_otherwise(
    db: Connection, key_id: str, *, after: tuple[str, str] | None, limit: int
) -> Sequence[DbRow]:
    """What has an index of another district key than `key_id`, by resident and kind."""
    everywhere(db)
    statement = select(*_kept).where(_kept.index_key != key_id)
    if after is not None:
        resident, kind = after
        statement = statement.where(
            (_kept.resident_id > resident)
            | ((_kept.resident_id == resident) & (_kept.kind > kind))
        )
    return db.execute(statement.order_by(_kept.resident_id, _kept.kind).limit(limit)).all()


_REINDEX = (
    update(ResidentIdentifier.__table__)
    .where(
        _kept.resident_id == bindparam("resident"),
        _kept.kind == bindparam("of_kind"),
        _kept.sealed == bindparam("as_read"),
    )
    .values(blind_index=bindparam("new_index"), index_key=bindparam("new_key"))
)


def reindex(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace blind indexes of values that are as they were read."""
    if rows:
        everywhere(db)
        db.execute(_REINDEX, list(rows))
