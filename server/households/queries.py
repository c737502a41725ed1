"""Questions about the household registry. Every one starts from a scope."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from server.areas.scope import Scope, within
from server.db.tables import Conflict, Dwelling, Household, Resident, Visit

RESIDENTS_MAX = 500
RegistryRow = Row[*tuple[Any, ...]]
_household = Household.__table__.c
_dwelling = Dwelling.__table__.c
_resident = Resident.__table__.c
_visit = Visit.__table__.c


def _households(scope: Scope) -> Select[*tuple[Any, ...]]:
    dwelling = (_dwelling.code.label("dwelling_code"), _dwelling.address)
    joined = Household.__table__.outerjoin(
        Dwelling.__table__, _dwelling.id == _household.dwelling_id
    )
    return (
        select(*_household, *dwelling)
        .select_from(joined)
        .where(within(_household.area_no, scope))
    )


def households_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after_id: str | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Households whose columns equal `equal`, with code and address of the dwelling, by id."""
    statement = _households(scope)
    for name, value in equal.items():
        statement = statement.where(_household[name] == value)
    if after_id is not None:
        statement = statement.where(_household.id > after_id)
    return db.execute(statement.order_by(_household.id).limit(limit)).all()


def dwellings_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after_id: str | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Dwellings whose columns equal `equal`, by id."""
    statement = select(*_dwelling).where(within(_dwelling.area_no, scope))
    for name, value in equal.items():
        statement = statement.where(_dwelling[name] == value)
    if after_id is not None:
        statement = statement.where(_dwelling.id > after_id)
    return db.execute(statement.order_by(_dwelling.id).limit(limit)).all()


def dwelling_in(db: Connection, scope: Scope, dwelling_id: str) -> RegistryRow | None:
    """`(id, area_no)` of one dwelling, or None."""
    statement = select(_dwelling.id, _dwelling.area_no).where(
        within(_dwelling.area_no, scope), _dwelling.id == dwelling_id
    )
    return db.execute(statement).one_or_none()


def residents_in(
    db: Connection, scope: Scope, *, equal: dict[str, Any], limit: int = RESIDENTS_MAX
) -> Sequence[RegistryRow]:
    """Residents whose columns equal `equal`, by id, at most `limit`."""
    statement = select(*_resident).where(within(_resident.area_no, scope))
    for name, value in equal.items():
        statement = statement.where(_resident[name] == value)
    return db.execute(statement.order_by(_resident.id).limit(limit)).all()


def visits_in(
    db: Connection,
    scope: Scope,
    household_id: str,
    *,
    after: tuple[int, str] | None,
    limit: int,
) -> Sequence[RegistryRow]:
    """Visits to one household that were not put away, the newest arrival first."""
    statement = select(*_visit).where(
        within(_visit.area_no, scope),
        _visit.household_id == household_id,
        ~_visit.archived,
    )
    if after is not None:
        arrived_ms, visit_id = after
        statement = statement.where(
            (_visit.created_ms < arrived_ms)
            | ((_visit.created_ms == arrived_ms) & (_visit.id < visit_id))
        )
    newest = (_visit.created_ms.desc(), _visit.id.desc())
    return db.execute(statement.order_by(*newest).limit(limit)).all()


def contested_fields(db: Connection, scope: Scope, record_id: str) -> list[str]:
    """Names of the fields of one record on which values disagree, sorted."""
    conflict = Conflict.__table__.c
    statement = (
        select(conflict.field)
        .where(
            within(conflict.area_no, scope),
            conflict.record_id == record_id,
            conflict.status == "open",
        )
        .order_by(conflict.field)
    )
    return list(db.execute(statement).scalars())
