"""Who lived at a dwelling: those who do, and those whose moves say that they left it."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.tables import Claim, Dwelling, Household
from server.households.queries import RegistryRow
from sync.lifecycle import MOVE

_claim = Claim.__table__.c
_dwelling = Dwelling.__table__.c
_household = Household.__table__.c


def dwelling_standing(db: Connection, scope: Scope, dwelling_id: str) -> RegistryRow | None:
    """`(id, archived)` of one dwelling in scope, or None."""
    statement = select(_dwelling.id, _dwelling.archived).where(
        within(_dwelling.area_no, scope), _dwelling.id == dwelling_id
    )
    return db.execute(statement).one_or_none()


def living_at(
    db: Connection, scope: Scope, dwelling_id: str, *, limit: int
) -> Sequence[RegistryRow]:
    """`(id, status, created_ms)` of the households of a dwelling, the newest first."""
    statement = (
        select(_household.id, _household.status, _household.created_ms)
        .where(
            within(_household.area_no, scope),
            _household.dwelling_id == dwelling_id,
            ~_household.archived,
        )
        .order_by(_household.created_ms.desc(), _household.id.desc())
        .limit(limit)
    )
    return db.execute(statement).all()


def moves_from(db: Connection, dwelling_id: str, *, limit: int) -> Sequence[RegistryRow]:
    """`(household, created_ms)` of those that left a dwelling and still are known.

    Where they live now may be out of anybody's scope: only that they left is asked. What was
    erased has no row any more, and is not found.
    """
    statement = (
        select(_household.id, func.max(_household.created_ms).label("created_ms"))
        .join(Claim.__table__, _claim.parent_id == _household.id)
        .where(_claim.moved_from_id == dwelling_id, _claim.act == MOVE)
        .group_by(_household.id)
        .order_by(func.max(_claim.moved_ms).desc(), _household.id)
        .limit(limit)
    )
    return db.execute(statement).all()


def moves_of(db: Connection, households: Sequence[str], *, limit: int) -> Sequence[RegistryRow]:
    """`(parent_id, moved_from_id, moved_ms)` of the moves of some households, in order."""
    statement = (
        select(_claim.parent_id, _claim.moved_from_id, _claim.moved_ms)
        .where(among(db, _claim.parent_id, list(households)), _claim.act == MOVE)
        .order_by(_claim.parent_id, _claim.moved_ms, _claim.at_ms, _claim.id)
        .limit(limit)
    )
    return db.execute(statement).all()
