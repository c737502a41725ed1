"""Which district keys are in use, and which of them seals."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update

from server.db.bulk import insert_new
from server.db.reach import everywhere
from server.db.tables import DistrictKeyRow, ResidentIdentifier
from server.sealed.keyring import DistrictKey
from server.sealed.sealing import InUse

_key = DistrictKeyRow.__table__.c
_kept = ResidentIdentifier.__table__.c


def in_use(db: Connection) -> Sequence[InUse]:
    """Every district key that something may depend on, by id."""
    rows = db.execute(select(*_key).order_by(_key.id)).all()
    return [
        InUse(id=row.id, check=bytes(row.check_value), seals=bool(row.seals)) for row in rows
    ]


def hold_current(db: Connection) -> str | None:
    """The id of the key that seals; it stays so until the transaction ends."""
    statement = select(_key.id).where(_key.seals).with_for_update(read=True)
    return db.execute(statement).scalar_one_or_none()


def note_first(db: Connection, key: DistrictKey, *, now_ms: int) -> str:
    """Let `key` be the one that seals if there is none, and return the one that does."""
    found = hold_current(db)
    if found is None:
        _note(db, key, now_ms)
        found = key.id
    return found


def make_current(db: Connection, key: DistrictKey, *, now_ms: int) -> None:
    """Let `key` be the one that seals from now on. The others stay in use."""
    db.execute(update(DistrictKeyRow.__table__).where(_key.seals).values(seals=False))
    _note(db, key, now_ms)
    db.execute(update(DistrictKeyRow.__table__).where(_key.id == key.id).values(seals=True))


def _note(db: Connection, key: DistrictKey, now_ms: int) -> None:
    row = {"id": key.id, "check_value": key.check(), "seals": True, "noted_ms": now_ms}
    insert_new(db, DistrictKeyRow.__table__, [row], ("id",))


def retire(db: Connection, key_id: str) -> bool:
    """Take a key out of use that does not seal and made no index; say whether it was."""
    everywhere(db)
    needed = select(_kept.resident_id).where(_kept.index_key == key_id).exists()
    statement = delete(DistrictKeyRow.__table__).where(_key.id == key_id, ~_key.seals, ~needed)
    return db.execute(statement).rowcount > 0


def indexed_by(db: Connection) -> dict[str, int]:
    """How many numbers have an index of each district key."""
    everywhere(db)
    statement = select(_kept.index_key, func.count()).group_by(_kept.index_key)
    return {row[0]: int(row[1]) for row in db.execute(statement.order_by(_kept.index_key))}
