"""Questions about conflicts."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.tables import Account, Area, Conflict, Device, MutationRow, RecordRow

ConflictRow = Row[*tuple[Any, ...]]
_conflict = Conflict.__table__.c
_account = Account.__table__.c
_owner = Account.__table__.alias("owner")
_log = MutationRow.__table__.c


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
    joined = (
        Conflict.__table__.join(RecordRow.__table__, record.id == _conflict.record_id)
        .outerjoin(Account.__table__, _account.id == _conflict.closed_by)
        .outerjoin(_owner, _owner.c.id == _conflict.owner)
    )
    statement = (
        select(
            *_conflict,
            record.rev,
            _account.login.label("closed_by_login"),
            _owner.c.login.label("owner_login"),
        )
        .select_from(joined)
        .where(within(_conflict.area_no, scope), record.restricted.is_(None))
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


def authors_of(
    db: Connection, heads: Collection[tuple[str, int]]
) -> dict[tuple[str, int], ConflictRow]:
    """`(device, n)` to `(device_id, n, login, role)` of who said it; ids come from a scope.

    That is the actor of the mutation if it had one, else the account of the device.
    """
    device = Device.__table__.c
    statement = (
        select(_log.device_id, _log.n, _account.login, _account.role)
        .join(Device.__table__, device.id == _log.device_id)
        .join(Account.__table__, _account.id == func.coalesce(_log.actor, device.account_id))
        .where(
            among(db, _log.device_id, sorted({each for each, _ in heads})),
            among(db, _log.n, sorted({n for _, n in heads})),
        )
    )
    return {(row.device_id, row.n): row for row in db.execute(statement)}


def save_note(db: Connection, conflict_id: str, note: str) -> None:
    """Keep why a conflict was settled as it was."""
    db.execute(update(Conflict.__table__).where(_conflict.id == conflict_id).values(note=note))


def save_owner(db: Connection, conflict_id: str, account: str | None) -> None:
    """Say who looks after a conflict."""
    db.execute(
        update(Conflict.__table__).where(_conflict.id == conflict_id).values(owner=account)
    )


def dispatcher_row(db: Connection, named: str, *, by_id: bool) -> ConflictRow | None:
    """`(id, lo, hi)` of the active dispatcher with this id or login, and of the own area.

    Both numbers are None for one who answers for everything.
    """
    area = Area.__table__.c
    statement = (
        select(_account.id, area.lo, area.hi)
        .outerjoin(Area.__table__, area.id == _account.area_id)
        .where(
            (_account.id if by_id else _account.login) == named,
            _account.role == "dispatcher",
            _account.active,
        )
    )
    return db.execute(statement).one_or_none()
