"""All SQL about assignments that people make and end."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from server.areas.scope import Scope, within
from server.db.bulk import insert_new
from server.db.periods import holds_at
from server.db.tables import Account, Area, Assignment
from server.identity.principal import Role

_assignment = Assignment.__table__.c
_account = Account.__table__.c
_area = Area.__table__.c
_HOME = Area.__table__.alias("home")
AssignmentRow = Row[*tuple[Any, ...]]


def _assignments() -> Select[*tuple[Any, ...]]:
    return (
        select(
            _assignment.id,
            _assignment.account_id,
            _account.login,
            _assignment.area_id,
            _area.code,
            _area.lo,
            _assignment.valid_from_ms,
            _assignment.valid_to_ms,
        )
        .join(Account.__table__, _account.id == _assignment.account_id)
        .join(Area.__table__, _area.id == _assignment.area_id)
    )


def assignments_in(
    db: Connection,
    scope: Scope,
    *,
    equal: Mapping[str, str],
    at_ms: int | None,
    after: tuple[int, str] | None,
    limit: int,
) -> Sequence[AssignmentRow]:
    """Assignments of areas in `scope`, the latest first, at most `limit`.

    `equal` may hold `login` and `account`; with `at_ms` only those in force then.
    """
    columns = {"login": _account.login, "account": _account.id}
    statement = _assignments().where(within(_area.lo, scope))
    for name, value in equal.items():
        statement = statement.where(columns[name] == value)
    if at_ms is not None:
        statement = statement.where(holds_at(_assignment, at_ms))
    if after is not None:
        from_ms, last = after
        statement = statement.where(
            (_assignment.valid_from_ms < from_ms)
            | ((_assignment.valid_from_ms == from_ms) & (_assignment.id > last))
        )
    order = (_assignment.valid_from_ms.desc(), _assignment.id)
    return db.execute(statement.order_by(*order).limit(limit)).all()


def assignment_with_id(db: Connection, assignment: str) -> AssignmentRow | None:
    """One assignment, its row locked where rows can be, or None."""
    statement = _assignments().where(_assignment.id == assignment)
    locked = statement.with_for_update(of=Assignment.__table__)
    return db.execute(locked if db.dialect.name == "postgresql" else statement).one_or_none()


def lock_worker(db: Connection, scope: Scope, login: str) -> str | None:
    """The id of the active worker with this login whose own area is in `scope`, or None.

    The account's row is locked where rows can be, so that its assignments are made one after
    the other and each is counted together with those before.
    """
    statement = (
        select(_account.id)
        .join(_HOME, _HOME.c.id == _account.area_id)
        .where(
            _account.login == login,
            _account.role == Role.WORKER.value,
            _account.active.is_(True),
            within(_HOME.c.lo, scope),
        )
    )
    locked = statement.with_for_update(of=Account.__table__)
    return db.execute(locked if db.dialect.name == "postgresql" else statement).scalar()


def overlapping(
    db: Connection, account: str, area: str, *, from_ms: int, until_ms: int | None
) -> bool:
    """Say whether the account holds exactly this area at some time in `[from, until)`."""
    statement = select(_assignment.id).where(
        _assignment.account_id == account,
        _assignment.area_id == area,
        _assignment.valid_to_ms.is_(None) | (_assignment.valid_to_ms > from_ms),
    )
    if until_ms is not None:
        statement = statement.where(_assignment.valid_from_ms < until_ms)
    return db.execute(statement.limit(1)).first() is not None


def add_assignment(db: Connection, row: Mapping[str, Any]) -> bool:
    """Insert an assignment and say whether it is new; one with its id may exist."""
    return insert_new(db, Assignment.__table__, [row], ("id",)) == 1


def end_assignment(db: Connection, assignment: str, at_ms: int) -> None:
    """Set the end of an assignment."""
    db.execute(
        update(Assignment.__table__)
        .where(_assignment.id == assignment)
        .values(valid_to_ms=at_ms)
    )
