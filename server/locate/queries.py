"""Questions about the areas and people around a grid."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.periods import holds_at
from server.db.tables import Account, Area, Assignment
from server.identity.principal import Role

AnyRow = Row[*tuple[Any, ...]]
_area = Area.__table__.c
_account = Account.__table__.c
_assignment = Assignment.__table__.c


def areas_named(db: Connection, area_ids: Collection[str]) -> Sequence[AnyRow]:
    """`(id, code, name)` of areas; an area's name is public, so there is no scope."""
    statement = select(_area.id, _area.code, _area.name)
    return db.execute(statement.where(among(db, _area.id, area_ids))).all()


def workers_at(
    db: Connection, scope: Scope, area_nos: Collection[int], *, now_ms: int
) -> Sequence[AnyRow]:
    """Workers assigned at `now_ms` to areas in scope whose span begins at one of `area_nos`.

    `(lo, area_id, code, account_id, login)` by area and login, each worker once an area.
    """
    statement = (
        select(
            _area.lo,
            _area.id.label("area_id"),
            _area.code,
            _account.id.label("account_id"),
            _account.login,
        )
        .distinct()
        .join(Assignment.__table__, _assignment.area_id == _area.id)
        .join(Account.__table__, _account.id == _assignment.account_id)
        .where(
            within(_area.lo, scope),
            among(db, _area.lo, area_nos),
            holds_at(_assignment, now_ms),
            _account.active.is_(True),
            _account.role == Role.WORKER.value,
        )
        .order_by(_area.lo, _account.login)
    )
    return db.execute(statement).all()
