"""All SQL about service points. A row is a version; one in force has no `valid_to_ms`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    insert,
    or_,
    select,
    update,
)

from geo.areas import line_of
from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.periods import holds_at
from server.db.tables import Area, ServicePoint

PointRow = Row[*tuple[Any, ...]]
_point = ServicePoint.__table__.c
_area = Area.__table__.c


def _points() -> Select[*tuple[Any, ...]]:
    statement = select(*_point, _area.code.label("area_code"))
    return statement.join(Area.__table__, _area.id == _point.area_id)


def _concerning(db: Connection, scope: Scope) -> ColumnElement[bool]:
    """The condition that a service point is of an area in scope, or of one above it."""
    above = sorted({number for span in scope for number in line_of(span.lo)})
    return or_(within(_point.area_no, scope), among(db, _point.area_no, above))


def points_for(
    db: Connection, scope: Scope, *, at_ms: int, after_id: str | None, limit: int
) -> Sequence[PointRow]:
    """Service points that concern `scope` as they stood at `at_ms`, by id, at most `limit`."""
    statement = _points().where(_concerning(db, scope), holds_at(_point, at_ms))
    if after_id is not None:
        statement = statement.where(_point.id > after_id)
    return db.execute(statement.order_by(_point.id).limit(limit)).all()


def point_at(db: Connection, scope: Scope, point_id: str, *, at_ms: int) -> PointRow | None:
    """A service point that concerns `scope` as it stood at `at_ms`, or None."""
    statement = _points().where(
        _concerning(db, scope), _point.id == point_id, holds_at(_point, at_ms)
    )
    return db.execute(statement).one_or_none()


def newest_point(db: Connection, scope: Scope, point_id: str) -> PointRow | None:
    """The newest version of a service point that concerns `scope`, or None."""
    statement = _points().where(_concerning(db, scope), _point.id == point_id)
    return db.execute(statement.order_by(_point.rev.desc()).limit(1)).one_or_none()


def locked_point(db: Connection, scope: Scope, point_id: str) -> PointRow | None:
    """The newest version of a service point of an area in scope; others have to wait."""
    statement = select(*_point).where(within(_point.area_no, scope), _point.id == point_id)
    statement = statement.order_by(_point.rev.desc()).limit(1)
    if db.dialect.name == "postgresql":
        statement = statement.with_for_update()
    return db.execute(statement).one_or_none()


def points_over(db: Connection, area_nos: Collection[int], *, at_ms: int) -> Sequence[PointRow]:
    """Service points at `at_ms` of the areas whose span begins at one of `area_nos`, by id.

    What an office is and when it is open is public, so there is no scope.
    """
    statement = _points().where(among(db, _point.area_no, area_nos), holds_at(_point, at_ms))
    return db.execute(statement.order_by(_point.area_no, _point.id)).all()


def area_in(db: Connection, scope: Scope, area_id: str, *, locked: bool) -> PointRow | None:
    """`(id, lo, level)` of an area in scope, or None; `locked` makes others wait."""
    statement = select(_area.id, _area.lo, _area.level).where(
        within(_area.lo, scope), _area.id == area_id
    )
    if locked and db.dialect.name == "postgresql":
        statement = statement.with_for_update()
    return db.execute(statement).one_or_none()


def in_force(db: Connection, area_id: str) -> int:
    """How many service points an area has."""
    statement = select(func.count()).where(
        _point.area_id == area_id, _point.valid_to_ms.is_(None)
    )
    return db.execute(statement).scalar_one()


def add_version(db: Connection, row: Mapping[str, Any]) -> None:
    """Insert a version."""
    db.execute(insert(ServicePoint.__table__).values(**row))


def end_version(db: Connection, point_id: str, rev: int, *, at_ms: int) -> None:
    """Say when a version ended."""
    db.execute(
        update(ServicePoint.__table__)
        .where(_point.id == point_id, _point.rev == rev)
        .values(valid_to_ms=at_ms)
    )


def taken(db: Connection, point_id: str) -> bool:
    """Tell whether a service point anywhere has this id."""
    statement = select(_point.id).where(_point.id == point_id).limit(1)
    return db.execute(statement).first() is not None
