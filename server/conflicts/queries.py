"""Questions about conflicts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.tables import Account, Conflict, Device, RecordRow

ConflictRow = Row[*tuple[Any, ...]]
_conflict = Conflict.__table__.c
_account = Account.__table__.c


def conflicts_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after: tuple[int, str] | None = None,
    limit: int,
) -> Sequence[ConflictRow]:
    """Conflicts whose columns equal `equal`, newest first, with the record's `rev`."""
    record = RecordRow.__table__.c
    joined = Conflict.__table__.join(
        RecordRow.__table__, record.id == _conflict.record_id
    ).outerjoin(Account.__table__, _account.id == _conflict.closed_by)
    statement = (
        select(*_conflict, record.rev, _account.login.label("closed_by_login"))
        .select_from(joined)
        .where(within(_conflict.area_no, scope))
    )
    for name, value in equal.items():
        statement = statement.where(_conflict[name] == value)
    if after is not None:
        opened_ms, last_id = after
        statement = statement.where(
            (_conflict.opened_ms < opened_ms)
            | ((_conflict.opened_ms == opened_ms) & (_conflict.id < last_id))
        )
    newest = (_conflict.opened_ms.desc(), _conflict.id.desc())
    return db.execute(statement.order_by(*newest).limit(limit)).all()


def owners_of(db: Connection, device_ids: Sequence[str]) -> dict[str, ConflictRow]:
    """Device id to `(device, login, role)` of its account; ids come from a scope."""
    device = Device.__table__.c
    statement = (
        select(device.id.label("device"), _account.login, _account.role)
        .join(Account.__table__, _account.id == device.account_id)
        .where(among(db, device.id, list(device_ids)))
    )
    return {row.device: row for row in db.execute(statement)}
