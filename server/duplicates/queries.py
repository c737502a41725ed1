"""What the finder of duplicates asks: records in order, who shares a key with them, rulings.

A key that more than `SHARED_MAX` records of the scope have says nothing of two of them: it is
left out by counting, so that a page costs as much in a large town as in a small one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, select

from server.areas.scope import Scope, spans_named, within
from server.areas.scoped import HOUSEHOLDS, RESIDENTS, confine_to
from server.db.bulk import among, insert_new
from server.db.tables import Account, NotSame, RecordRow

SHARED_MAX: Final = 20
NAMES_MAX: Final = 20_000
DbRow = Row[*tuple[Any, ...]]
_ruling = NotSame.__table__.c
_account = Account.__table__.c


class _People:
    """Residents of a scope with their households, by area or by something more telling."""

    def __init__(self, db: Connection, scope: Scope, *, by_id: bool) -> None:
        confine_to(db, scope)
        self._db, self._named = db, spans_named(scope)
        people = RESIDENTS.within_spans(len(scope), by_id=by_id)
        homes = HOUSEHOLDS.within_spans(len(scope), by_id=True)
        self.c, self.homes = people.c, homes.c
        self.shown = select(
            people.c.id,
            people.c.household_id,
            homes.c.dwelling_id,
            people.c.name_key,
            people.c.phone_key,
            people.c.birth_year,
        ).select_from(people.join(homes, homes.c.id == people.c.household_id))
        self.lives = and_(~people.c.archived, ~homes.c.archived)

    def rows(self, statement: Any) -> Sequence[DbRow]:
        return self._db.execute(statement, self._named).all()


class _Homes:
    """Households of a scope, by area or by something more telling."""

    def __init__(self, db: Connection, scope: Scope, *, by_id: bool) -> None:
        confine_to(db, scope)
        self._db, self._named = db, spans_named(scope)
        homes = HOUSEHOLDS.within_spans(len(scope), by_id=by_id)
        self.c = homes.c
        self.shown = select(
            homes.c.id, homes.c.dwelling_id, homes.c.door_key, homes.c.phone_key
        )
        self.lives = ~homes.c.archived

    def rows(self, statement: Any) -> Sequence[DbRow]:
        return self._db.execute(statement, self._named).all()


def people_from(
    db: Connection, scope: Scope, *, first: str | None, limit: int
) -> Sequence[DbRow]:
    """Residents in scope from the id `first` on, that one included, by id."""
    return _from(_People(db, scope, by_id=False), first, limit)


def homes_from(
    db: Connection, scope: Scope, *, first: str | None, limit: int
) -> Sequence[DbRow]:
    """Households in scope from the id `first` on, that one included, by id."""
    return _from(_Homes(db, scope, by_id=False), first, limit)


def _from(of: _People | _Homes, first: str | None, limit: int) -> Sequence[DbRow]:
    statement = of.shown.where(of.lives)
    if first is not None:
        statement = statement.where(of.c.id >= first)
    return of.rows(statement.order_by(of.c.id).limit(limit))


def people_sharing(
    db: Connection, scope: Scope, name: str, keys: Collection[str]
) -> Sequence[DbRow]:
    """Residents in scope whose column `name` holds one of `keys` that few others have."""
    return _sharing(db, _People(db, scope, by_id=True), name, keys)


def homes_sharing(
    db: Connection, scope: Scope, name: str, keys: Collection[str]
) -> Sequence[DbRow]:
    """Households in scope whose column `name` holds one of `keys` that few others have."""
    return _sharing(db, _Homes(db, scope, by_id=True), name, keys)


def _sharing(
    db: Connection, of: _People | _Homes, name: str, keys: Collection[str]
) -> Sequence[DbRow]:
    column = of.c[name]
    counted = (
        of.shown.with_only_columns(column)
        .where(of.lives, among(db, column, sorted(keys)))
        .group_by(column)
        .having(func.count().between(2, SHARED_MAX))
    )
    told = [row[0] for row in of.rows(counted)]
    return of.rows(of.shown.where(of.lives, among(db, column, told)))


def neighbours(db: Connection, scope: Scope, dwellings: Collection[str]) -> Sequence[DbRow]:
    """Residents in scope of some dwellings, of which few residents share the birth year."""
    of = _People(db, scope, by_id=True)
    near = and_(
        of.lives,
        among(db, of.homes.dwelling_id, sorted(dwellings)),
        of.c.birth_year.is_not(None),
    )
    return _beside(of, near, (of.homes.dwelling_id, of.c.birth_year))


def behind_one_door(
    db: Connection, scope: Scope, dwellings: Collection[str]
) -> Sequence[DbRow]:
    """Households in scope of some dwellings of which few share the door."""
    of = _Homes(db, scope, by_id=True)
    near = and_(
        of.lives,
        among(db, of.c.dwelling_id, sorted(dwellings)),
        of.c.door_key.is_not(None),
    )
    return _beside(of, near, (of.c.dwelling_id, of.c.door_key))


def _beside(of: _People | _Homes, near: Any, shared: tuple[Any, Any]) -> Sequence[DbRow]:
    counted = (
        of.shown.with_only_columns(*shared)
        .where(near)
        .group_by(*shared)
        .having(func.count().between(2, SHARED_MAX))
    )
    few = {tuple(row) for row in of.rows(counted)}
    names = tuple(each.key for each in shared)
    rows = of.rows(of.shown.where(near)) if few else []
    return [row for row in rows if tuple(getattr(row, name) for name in names) in few]


def homes_with(db: Connection, scope: Scope, ids: Collection[str]) -> Sequence[DbRow]:
    """The households in scope among some ids."""
    of = _Homes(db, scope, by_id=True)
    return of.rows(of.shown.where(of.lives, among(db, of.c.id, sorted(ids))))


def names_in(db: Connection, scope: Scope, households: Collection[str]) -> Sequence[DbRow]:
    """`(household_id, name_key)` of the residents of some households, at most `NAMES_MAX`."""
    of = _People(db, scope, by_id=True)
    statement = of.shown.where(
        of.lives,
        among(db, of.c.household_id, sorted(households)),
        of.c.name_key.is_not(None),
    )
    return of.rows(statement.order_by(of.c.id).limit(NAMES_MAX))


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
