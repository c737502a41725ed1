"""Who lived at a dwelling: those who do, and those whose moves say that they left it."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from server.areas.scope import Scope, within
from server.areas.scoped import HOUSEHOLDS
from server.db.bulk import among
from server.db.tables import Claim, Dwelling, Erasure, MutationRow
from server.households.queries import RegistryRow
from sync.lifecycle import MOVE

_claim = Claim.__table__.c
_dwelling = Dwelling.__table__.c
_erasure = Erasure.__table__.c
_mutation = MutationRow.__table__.c


def dwelling_standing(db: Connection, scope: Scope, dwelling_id: str) -> RegistryRow | None:
    """`(id, archived)` of one dwelling in scope, or None."""
    statement = select(_dwelling.id, _dwelling.archived).where(
        within(_dwelling.area_no, scope), _dwelling.id == dwelling_id
    )
    return db.execute(statement).one_or_none()


def living_at(
    db: Connection, scope: Scope, dwelling_id: str, *, limit: int
) -> Sequence[RegistryRow]:
    """`(id, status)` of the households of a dwelling, the newest first."""
    homes = HOUSEHOLDS.within(db, scope).c
    statement = (
        select(homes.id, homes.status)
        .where(homes.dwelling_id == dwelling_id, ~homes.archived)
        .order_by(homes.created_ms.desc(), homes.id.desc())
        .limit(limit)
    )
    return db.execute(statement).all()


def left_from(db: Connection, dwelling_id: str, *, limit: int) -> Sequence[str]:
    """Ids of the households that moved away from a dwelling and were not erased.

    Where they live now may be out of anybody's scope: only that they left is asked.
    """
    erased = select(_erasure.record_id).where(_erasure.record_id == _claim.parent_id)
    statement = (
        select(_claim.parent_id)
        .where(_claim.moved_from_id == dwelling_id, _claim.act == MOVE, ~erased.exists())
        .group_by(_claim.parent_id)
        .order_by(func.max(_claim.moved_ms).desc(), _claim.parent_id)
        .limit(limit)
    )
    return list(db.execute(statement).scalars())


def first_told(db: Connection, households: Sequence[str]) -> dict[str, int]:
    """When each of some households was first written down, by the time of its author."""
    statement = (
        select(_mutation.record_id, func.min(_mutation.at_ms).label("at_ms"))
        .where(among(db, _mutation.record_id, list(households)))
        .group_by(_mutation.record_id)
    )
    return {row.record_id: row.at_ms for row in db.execute(statement)}


def moves_of(db: Connection, households: Sequence[str], *, limit: int) -> Sequence[RegistryRow]:
    """`(parent_id, moved_from_id, moved_ms)` of the moves of some households, in order."""
    statement = (
        select(_claim.parent_id, _claim.moved_from_id, _claim.moved_ms)
        .where(among(db, _claim.parent_id, list(households)), _claim.act == MOVE)
        .order_by(_claim.parent_id, _claim.moved_ms, _claim.at_ms, _claim.id)
        .limit(limit)
    )
    return db.execute(statement).all()
