"""Questions about reports, incidents and tasks. Every one starts from a scope."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, func, or_, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.periods import holds_at
from server.db.tables import (
    Account,
    Area,
    Assignment,
    Claim,
    Device,
    EventClass,
    Incident,
    MutationRow,
    Report,
    Task,
)
from server.layers.interval import Interval
from sync.fields import is_id

HISTORY_MAX = 500
CLOSED = ("closed", "rejected", "voided", "merged")
WORKER = "worker"
CaseRow = Row[*tuple[Any, ...]]
_report = Report.__table__.c
_incident = Incident.__table__.c
_task = Task.__table__.c
_account = Account.__table__.c


def _page(
    statement: Select[*tuple[Any, ...]],
    table: FromClause,
    *,
    equal: dict[str, Any],
    after: tuple[int, str] | None,
) -> Select[*tuple[Any, ...]]:
    """Narrow by equal columns, order by arrival with the newest first, begin after a row."""
    columns = table.c
    for name, value in equal.items():
        statement = statement.where(columns[name] == value)
    if after is not None:
        arrived_ms, last_id = after
        statement = statement.where(
            (columns.created_ms < arrived_ms)
            | ((columns.created_ms == arrived_ms) & (columns.id < last_id))
        )
    return statement.order_by(columns.created_ms.desc(), columns.id.desc())


def reports_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after: tuple[int, str] | None = None,
    limit: int = HISTORY_MAX,
) -> Sequence[CaseRow]:
    """Reports whose columns equal `equal`, the newest arrival first."""
    statement = select(*_report).where(within(_report.area_no, scope))
    page = _page(statement, Report.__table__, equal=equal, after=after)
    return db.execute(page.limit(limit)).all()


def first_said(db: Connection, record_id: str) -> Sequence[bytes]:
    """The first bodies in the log about a record, in the order they arrived, at most 10."""
    log = MutationRow.__table__.c
    statement = select(log.body).where(log.record_id == record_id).order_by(log.pos).limit(10)
    return db.execute(statement).scalars().all()


def observed_in(interval: Interval) -> list[ColumnElement[bool]]:
    """Conditions that an incident was observed (or else arrived) in `interval`."""
    at_ms = func.coalesce(_incident.observed_at_ms, _incident.created_ms)
    conditions = []
    if interval.lo_ms is not None:
        conditions.append(at_ms >= interval.lo_ms)
    if interval.hi_ms is not None:
        conditions.append(at_ms <= interval.hi_ms)
    return conditions


def still_open(wanted: bool | None) -> list[ColumnElement[bool]]:  # noqa: FBT001 - a filter's value
    """The condition that an incident is open, or that it is not; none without a wish."""
    if wanted is None:
        return []
    done = _incident.state.in_(CLOSED)
    return [~done if wanted else done]


def incidents_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    conditions: Sequence[ColumnElement[bool]] = (),
    after: tuple[int, str] | None = None,
    limit: int,
) -> Sequence[CaseRow]:
    """Incidents that fulfil all conditions, the newest arrival first."""
    statement = select(*_incident).where(within(_incident.area_no, scope), *conditions)
    page = _page(statement, Incident.__table__, equal=equal, after=after)
    return db.execute(page.limit(limit)).all()


def tasks_in(
    db: Connection,
    scope: Scope,
    *,
    equal: dict[str, Any],
    after: tuple[int, str] | None = None,
    limit: int = HISTORY_MAX,
) -> Sequence[CaseRow]:
    """Tasks whose columns equal `equal` with the assignee's login, the newest first."""
    joined = Task.__table__.outerjoin(Account.__table__, _account.id == _task.assignee_id)
    statement = (
        select(*_task, _account.login.label("assignee_login"))
        .select_from(joined)
        .where(within(_task.area_no, scope))
    )
    page = _page(statement, Task.__table__, equal=equal, after=after)
    return db.execute(page.limit(limit)).all()


def claims_on(db: Connection, scope: Scope, record_ids: Sequence[str]) -> Sequence[CaseRow]:
    """Claims on some records with the login of who made them, oldest first, at most 500."""
    claim = Claim.__table__.c
    statement = (
        select(*claim, _account.login.label("by_login"))
        .select_from(Claim.__table__.outerjoin(Account.__table__, _account.id == claim.by_id))
        .where(within(claim.area_no, scope), among(db, claim.parent_id, list(record_ids)))
        .order_by(claim.at_ms, claim.id)
        .limit(HISTORY_MAX)
    )
    return db.execute(statement).all()


def decisions_on(db: Connection, record_ids: Sequence[str]) -> Sequence[CaseRow]:
    """What consoles asked of some records, oldest first, at most 500; ids come from a scope."""
    mutation, device = MutationRow.__table__.c, Device.__table__.c
    joined = MutationRow.__table__.join(Device.__table__, device.id == mutation.device_id).join(
        Account.__table__, _account.id == device.account_id
    )
    statement = (
        select(
            mutation.record_id,
            mutation.at_ms,
            mutation.quality,
            mutation.body,
            mutation.outcome,
            _account.login,
        )
        .select_from(joined)
        .where(among(db, mutation.record_id, list(record_ids)), device.console)
        .order_by(mutation.at_ms, mutation.device_id, mutation.n)
        .limit(HISTORY_MAX)
    )
    return db.execute(statement).all()


def logins_of(db: Connection, account_ids: Sequence[str]) -> dict[str, str]:
    """Account id to login; ids come from a scope."""
    statement = select(_account.id, _account.login).where(
        among(db, _account.id, list(account_ids))
    )
    return {row.id: row.login for row in db.execute(statement)}


def active_worker(db: Connection, named: str, area_no: int, now_ms: int) -> CaseRow | None:
    """`(id, login)` of the active worker with this login or id who holds `area_no`, or None."""
    assignment, area = Assignment.__table__.c, Area.__table__.c
    who = or_(_account.login == named, *([_account.id == named] if is_id(named) else []))
    statement = (
        select(_account.id, _account.login)
        .join(Assignment.__table__, assignment.account_id == _account.id)
        .join(Area.__table__, area.id == assignment.area_id)
        .where(
            who,
            _account.active,
            _account.role == WORKER,
            holds_at(assignment, now_ms),
            area.lo <= area_no,
            area.hi >= area_no,
        )
        .order_by(assignment.valid_from_ms)
        .limit(1)
    )
    return db.execute(statement).one_or_none()


def classes(
    db: Connection,
    *,
    active: bool | None,
    major: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> Sequence[CaseRow]:
    """Classes of the catalogue by code, for everybody; `active` None is all of them."""
    columns = EventClass.__table__.c
    statement = select(*columns)
    if active is not None:
        in_use = columns.active.is_(None) | columns.active
        statement = statement.where(in_use if active else ~in_use)
    if major is not None:
        statement = statement.where(columns.major == major)
    if after is not None:
        code, last_id = after
        statement = statement.where(
            (columns.code > code) | ((columns.code == code) & (columns.id > last_id))
        )
    return db.execute(statement.order_by(columns.code, columns.id).limit(limit)).all()


def class_named(db: Connection, code: str) -> CaseRow | None:
    """`(code, name, limit_hours)` of the class with this code that is in use, or None."""
    columns = EventClass.__table__.c
    statement = (
        select(columns.code, columns.name, columns.limit_hours)
        .where(columns.code == code, columns.active.is_(None) | columns.active)
        .order_by(columns.id)
        .limit(1)
    )
    return db.execute(statement).one_or_none()
