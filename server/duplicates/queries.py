"""What the finder of duplicates asks: records in order, who shares a key with them, rulings.

A key that more than `SHARED_MAX` records of the scope have says nothing of two of them: it is
left out by counting, so that a page costs as much in a large town as in a small one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    literal_column,
    select,
    tuple_,
)

from server.areas.scope import Scope, within
from server.db.bulk import among, insert_new
from server.db.tables import Account, Household, NotSame, RecordRow, Resident

SHARED_MAX: Final = 20
NAMES_MAX: Final = 20_000
DbRow = Row[*tuple[Any, ...]]
_household = Household.__table__.c
_resident = Resident.__table__.c
_ruling = NotSame.__table__.c
_account = Account.__table__.c
_PEOPLE = Resident.__table__.outerjoin(
    Household.__table__, _household.id == _resident.household_id
)
_NEIGHBOURS = Household.__table__.join(
    Resident.__table__, _household.id == _resident.household_id
)
_PERSON = (
    _resident.id,
    _resident.household_id,
    _household.dwelling_id,
    _resident.name_key,
    _resident.phone_key,
    _resident.birth_year,
)
_HOME = (_household.id, _household.dwelling_id, _household.door_key, _household.phone_key)


def people_from(
    db: Connection, scope: Scope, *, first: str | None, limit: int
) -> Sequence[DbRow]:
    """Residents in scope from the id `first` on, that one included, by id."""
    statement = select(*_PERSON).select_from(_PEOPLE).where(_lives(_resident, scope))
    if first is not None:
        statement = statement.where(_resident.id >= first)
    return db.execute(statement.order_by(_resident.id).limit(limit)).all()


def homes_from(
    db: Connection, scope: Scope, *, first: str | None, limit: int
) -> Sequence[DbRow]:
    """Households in scope from the id `first` on, that one included, by id."""
    statement = select(*_HOME).where(_lives(_household, scope))
    if first is not None:
        statement = statement.where(_household.id >= first)
    return db.execute(statement.order_by(_household.id).limit(limit)).all()


def people_sharing(
    db: Connection, scope: Scope, name: str, keys: Collection[str]
) -> Sequence[DbRow]:
    """Residents in scope whose column `name` holds one of `keys` that few others have."""
    told = _few(db, scope, _resident[name], keys)
    statement = select(*_PERSON).select_from(_PEOPLE)
    return db.execute(
        statement.where(_kept(_resident, scope), among(db, _resident[name], told))
    ).all()


def homes_sharing(
    db: Connection, scope: Scope, name: str, keys: Collection[str]
) -> Sequence[DbRow]:
    """Households in scope whose column `name` holds one of `keys` that few others have."""
    told = _few(db, scope, _household[name], keys)
    return db.execute(
        select(*_HOME).where(_kept(_household, scope), among(db, _household[name], told))
    ).all()


def neighbours(db: Connection, scope: Scope, dwellings: Collection[str]) -> Sequence[DbRow]:
    """Residents in scope of some dwellings, of which few residents share the birth year."""
    shared = (_household.dwelling_id, _resident.birth_year)
    counted = (
        select(*shared)
        .select_from(_NEIGHBOURS)
        .where(
            _kept(_resident, scope),
            among(db, _household.dwelling_id, sorted(dwellings)),
            _resident.birth_year.is_not(None),
        )
        .group_by(*shared)
        .having(func.count().between(2, SHARED_MAX))
    )
    statement = select(*_PERSON).select_from(_NEIGHBOURS)
    return db.execute(
        statement.where(
            _kept(_resident, scope),
            among(db, _household.dwelling_id, sorted(dwellings)),
            tuple_(*shared).in_(counted),
        )
    ).all()


def behind_one_door(
    db: Connection, scope: Scope, dwellings: Collection[str]
) -> Sequence[DbRow]:
    """Households in scope of some dwellings of which few share the door."""
    shared = (_household.dwelling_id, _household.door_key)
    counted = (
        select(*shared)
        .where(
            _kept(_household, scope),
            among(db, _household.dwelling_id, sorted(dwellings)),
            _household.door_key.is_not(None),
        )
        .group_by(*shared)
        .having(func.count().between(2, SHARED_MAX))
    )
    return db.execute(
        select(*_HOME).where(
            _kept(_household, scope),
            among(db, _household.dwelling_id, sorted(dwellings)),
            tuple_(*shared).in_(counted),
        )
    ).all()


def homes_with(db: Connection, scope: Scope, ids: Collection[str]) -> Sequence[DbRow]:
    """The households in scope among some ids."""
    statement = select(*_HOME).where(
        _kept(_household, scope), among(db, _household.id, sorted(ids))
    )
    return db.execute(statement).all()


def names_in(db: Connection, scope: Scope, households: Collection[str]) -> Sequence[DbRow]:
    """`(household_id, name_key)` of the residents of some households, at most `NAMES_MAX`."""
    statement = select(_resident.household_id, _resident.name_key).where(
        _kept(_resident, scope),
        among(db, _resident.household_id, sorted(households)),
        _resident.name_key.is_not(None),
    )
    return db.execute(statement.order_by(_resident.id).limit(NAMES_MAX)).all()


def _lives(of: Any, scope: Scope) -> ColumnElement[bool]:
    return and_(within(of.area_no, scope), ~of.archived)


def _kept(of: Any, scope: Scope) -> ColumnElement[bool]:
    """Like `_lives`, where something more telling than the area is asked for.

    An expression, so that the index of areas is not walked: that would read the whole scope.
    """
    return and_(within(of.area_no + literal_column("0"), scope), ~of.archived)


def _few(db: Connection, scope: Scope, column: Any, keys: Collection[str]) -> list[str]:
    """Those of `keys` that at least two and at most `SHARED_MAX` records of the scope have."""
    statement = (
        select(column)
        .where(_kept(column.table.c, scope), among(db, column, sorted(keys)))
        .group_by(column)
        .having(func.count().between(2, SHARED_MAX))
    )
    return list(db.execute(statement).scalars())


def ruled_among(db: Connection, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of some pairs of which a person said that they are not the same."""
    firsts = sorted({first for first, _ in pairs})
    statement = select(_ruling.first_id, _ruling.second_id).where(
        among(db, _ruling.first_id, firsts)
    )
    ruled = {(row.first_id, row.second_id) for row in db.execute(statement)}
    return ruled.intersection(pairs)


def rule(db: Connection, row: Mapping[str, Any]) -> None:
    """Remember that two records are not the same; who said so first counts."""
    insert_new(db, NotSame.__table__, [row], ("first_id", "second_id"))


def rulings_in(
    db: Connection,
    scope: Scope,
    kind: str,
    *,
    after: tuple[str, str] | None,
    limit: int,
) -> Sequence[DbRow]:
    """Rulings with the `login` of who made each, of pairs whose records both are in scope."""
    record, other = RecordRow.__table__.alias("one"), RecordRow.__table__.alias("other")
    statement = (
        select(*_ruling, _account.login)
        .join(record, record.c.id == _ruling.first_id)
        .join(other, other.c.id == _ruling.second_id)
        .join(Account.__table__, _account.id == _ruling.by_id)
        .where(
            within(record.c.area_no, scope),
            within(other.c.area_no, scope),
            _ruling.kind == kind,
        )
    )
    if after is not None:
        statement = statement.where(
            (_ruling.first_id > after[0])
            | ((_ruling.first_id == after[0]) & (_ruling.second_id > after[1]))
        )
    ordered = statement.order_by(_ruling.first_id, _ruling.second_id)
    return db.execute(ordered.limit(limit)).all()
