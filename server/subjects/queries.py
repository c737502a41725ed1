"""All SQL of requests about one's own data, but for what a copy gathers."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from server.areas.scope import Scope, within
from server.db.bulk import upsert
from server.db.ending import end_rows
from server.db.tables import RecordRow, SubjectCopy, SubjectRequest, SubjectStep
from server.subjects.rules import OPEN

DbRow = Row[*tuple[Any, ...]]
_request = SubjectRequest.__table__.c
_step = SubjectStep.__table__.c
_copy = SubjectCopy.__table__.c
_record = RecordRow.__table__.c


def _in(scope: Scope) -> Select[*tuple[Any, ...]]:
    """Requests about what lives in scope now, wherever it lived when they came."""
    joined = SubjectRequest.__table__.join(
        RecordRow.__table__, _record.id == _request.record_id
    )
    return select(*_request).select_from(joined).where(within(_record.area_no, scope))


def requests_in(  # noqa: PLR0913 - the filters of the list
    db: Connection,
    scope: Scope,
    *,
    equal: Mapping[str, Any],
    overdue: bool | None,
    now_ms: int,
    after: tuple[int, str] | None,
    limit: int,
) -> Sequence[DbRow]:
    """Requests whose columns equal `equal`, by when they are due, at most `limit`."""
    statement = _in(scope)
    for name, value in equal.items():
        statement = statement.where(_request[name] == value)
    if overdue is not None:
        late = _request.state.in_(OPEN) & (_request.due_ms < now_ms)
        statement = statement.where(late if overdue else ~late)
    if after is not None:
        due_ms, request_id = after
        statement = statement.where(
            (_request.due_ms > due_ms)
            | ((_request.due_ms == due_ms) & (_request.id > request_id))
        )
    return db.execute(statement.order_by(_request.due_ms, _request.id).limit(limit)).all()


def request_in(
    db: Connection, scope: Scope, request_id: str, *, locked: bool = False
) -> DbRow | None:
    """One request in scope or None; `locked` keeps others from going on with it meanwhile."""
    statement = _in(scope).where(_request.id == request_id)
    if locked and db.dialect.name == "postgresql":
        statement = statement.with_for_update(of=SubjectRequest.__table__)
    return db.execute(statement).one_or_none()


def request_with(db: Connection, request_id: str) -> DbRow | None:
    """The request with an id, wherever it belongs; only to see whether the id is taken."""
    return db.execute(select(*_request).where(_request.id == request_id)).one_or_none()


def written(db: Connection, request_id: str) -> DbRow:
    """A request as it stands after this transaction's own writes."""
    return db.execute(select(*_request).where(_request.id == request_id)).one()


def add_request(db: Connection, row: Mapping[str, Any]) -> None:
    """Insert a request."""
    db.execute(insert(SubjectRequest.__table__).values(**row))


def save_request(db: Connection, request_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a request."""
    changed = update(SubjectRequest.__table__).where(_request.id == request_id)
    db.execute(changed.values(**values))


def add_step(db: Connection, row: Mapping[str, Any]) -> None:
    """Write down what was done for a request."""
    db.execute(insert(SubjectStep.__table__).values(**row))


def steps_of(db: Connection, request_id: str) -> Sequence[DbRow]:
    """Everything that was done for a request, the oldest first."""
    statement = select(*_step).where(_step.request_id == request_id)
    return db.execute(statement.order_by(_step.rev)).all()


def keep_copy(db: Connection, row: Mapping[str, Any]) -> None:
    """Keep the copy of a request in the place of an earlier one."""
    others = ("made_ms", "expires_ms", "sha256", "body")
    upsert(db, SubjectCopy.__table__, [row], key=("request_id",), update=others)


def copy_of(db: Connection, request_id: str, *, now_ms: int) -> DbRow | None:
    """The copy of a request that has not expired, or None."""
    statement = select(*_copy).where(_copy.request_id == request_id, _copy.expires_ms > now_ms)
    return db.execute(statement).one_or_none()


def copy_times(db: Connection, request_id: str, *, now_ms: int) -> DbRow | None:
    """`(made_ms, expires_ms, sha256)` of a copy that has not expired, or None."""
    statement = select(_copy.made_ms, _copy.expires_ms, _copy.sha256)
    named = statement.where(_copy.request_id == request_id, _copy.expires_ms > now_ms)
    return db.execute(named).one_or_none()


def drop_expired_copies(db: Connection, *, now_ms: int, dry_run: bool) -> int:
    """Destroy the copies that have expired, or count them; return how many those are."""
    expired = _copy.expires_ms <= now_ms
    return end_rows(db, SubjectCopy.__table__, expired, dry_run=dry_run)


def forget_closed(db: Connection, *, before_ms: int, dry_run: bool) -> int:
    """Forget requests that were closed before an instant, with what was done for them."""
    old = _request.closed_ms < before_ms
    if not dry_run:
        ids = select(_request.id).where(old)
        db.execute(delete(SubjectCopy.__table__).where(_copy.request_id.in_(ids)))
        db.execute(delete(SubjectStep.__table__).where(_step.request_id.in_(ids)))
    return end_rows(db, SubjectRequest.__table__, old, dry_run=dry_run)
