"""Questions about the place tree."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.periods import holds_at
from server.db.tables import Area, AreaCode, Assignment
from server.identity.principal import AreaSpan, Principal, Role
from server.problems import InvalidParameter
from sync.fields import is_id

ASSIGNMENTS_MAX = 200
AreaRow = Row[*tuple[Any, ...]]
_area = Area.__table__.c
_former = AreaCode.__table__.c


def scope_of(db: Connection, principal: Principal, now_ms: int) -> Scope:
    """What `principal` may see at `now_ms`; an empty scope sees nothing.

    A worker sees the areas assigned at that time (at most 200), others their account's area.
    """
    if principal.role is not Role.WORKER:
        return (principal.area,)
    assignment = Assignment.__table__.c
    statement = (
        select(_area.id, _area.lo, _area.hi)
        .join(Assignment.__table__, assignment.area_id == _area.id)
        .where(
            assignment.account_id == principal.account,
            holds_at(assignment, now_ms),
        )
        .order_by(_area.lo)
        .limit(ASSIGNMENTS_MAX)
    )
    return tuple(AreaSpan(id=row.id, lo=row.lo, hi=row.hi) for row in db.execute(statement))


def narrowed(db: Connection, scope: Scope, area: str | None) -> Scope:
    """The part of `scope` below `area` (its code or id); all of it without an area.

    Raises:
        InvalidParameter: if no area in scope has this code or id.
    """
    if area is None:
        return scope
    named = _area.id == area if is_id(area) else _area.code == area
    statement = select(_area.id, _area.lo, _area.hi).where(within(_area.lo, scope), named)
    row = db.execute(statement).one_or_none()
    if row is None:
        raise InvalidParameter("area: is no area you may see", parameter="area")
    return (AreaSpan(id=row.id, lo=row.lo, hi=row.hi),)


def former_codes(db: Connection, area_ids: Collection[str]) -> Sequence[AreaRow]:
    """What these areas were called before: `(area_id, code, name, valid_from_ms, valid_to_ms)`.

    The earliest first.
    """
    statement = select(*_former).where(among(db, _former.area_id, area_ids))
    return db.execute(statement.order_by(_former.area_id, _former.valid_to_ms)).all()


def ever_coded(db: Connection, code: str) -> list[str]:
    """The ids of the areas that have or had this code."""
    now = select(_area.id).where(_area.code == code)
    before = select(_former.area_id).where(_former.code == code)
    return list(db.execute(now.union(before)).scalars())


def areas_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    among_ids: Collection[str] | None = None,
    after_lo: int | None,
    limit: int,
) -> Sequence[AreaRow]:
    """Areas whose columns equal `equal`, in tree order (parents first), at most `limit`.

    With `among_ids` those of them only.
    """
    statement = select(
        _area.id, _area.code, _area.name, _area.level, _area.parent_id, _area.lo
    ).where(within(_area.lo, scope))
    for name, value in equal.items():
        statement = statement.where(_area[name] == value)
    if among_ids is not None:
        statement = statement.where(among(db, _area.id, among_ids))
    if after_lo is not None:
        statement = statement.where(_area.lo > after_lo)
    return db.execute(statement.order_by(_area.lo).limit(limit)).all()
