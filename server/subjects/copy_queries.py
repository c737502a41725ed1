"""What a copy of everything that is held about somebody asks of the tables."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from server.db.bulk import among
from server.db.tables import (
    AccessEntry,
    AccessRecord,
    Account,
    Conflict,
    ConsentEntry,
    HeldRow,
    RecordRow,
    SubjectRequest,
    SubjectStep,
)

DbRow = Row[*tuple[Any, ...]]
_record = RecordRow.__table__.c
_conflict = Conflict.__table__.c
_consent = ConsentEntry.__table__.c
_held = HeldRow.__table__.c
_entry = AccessEntry.__table__.c
_way = AccessRecord.__table__.c
_account = Account.__table__.c
_request = SubjectRequest.__table__.c
_step = SubjectStep.__table__.c


def records(db: Connection, ids: Sequence[str]) -> Sequence[DbRow]:
    """`(id, kind, bucket, rev, truth)` of some records, by id."""
    statement = select(
        _record.id, _record.kind, _record.bucket, _record.rev, _record.truth
    ).where(among(db, _record.id, list(ids)))
    return db.execute(statement.order_by(_record.id)).all()


def disagreements(db: Connection, ids: Sequence[str], *, limit: int) -> Sequence[DbRow]:
    """Fields of some records on which values disagreed, with all values."""
    statement = select(
        _conflict.record_id,
        _conflict.field,
        _conflict.choices,
        _conflict.status,
        _conflict.opened_ms,
        _conflict.closed_ms,
    ).where(among(db, _conflict.record_id, list(ids)))
    return db.execute(statement.order_by(_conflict.id).limit(limit)).all()


def waiting(db: Connection, ids: Sequence[str], *, limit: int) -> Sequence[DbRow]:
    """Work about some records that waits or waited for a person."""
    statement = select(
        _held.record_id,
        _held.outcome,
        _held.code,
        _held.field,
        _held.held_ms,
        _held.status,
        _held.decided_ms,
    ).where(among(db, _held.record_id, list(ids)))
    return db.execute(statement.order_by(_held.held_ms).limit(limit)).all()


def readers(db: Connection, ids: Sequence[str], *, limit: int) -> Sequence[DbRow]:
    """Who was given some records and what for, the newest first, each answer once."""
    named = select(_way.entry_id).where(among(db, _way.record_id, list(ids)))
    statement = (
        select(
            _entry.at_ms,
            _entry.act,
            _entry.kind,
            _entry.purpose,
            _entry.fields,
            _entry.account_id,
            _account.role,
        )
        .join(Account.__table__, _account.id == _entry.account_id, isouter=True)
        .where(_entry.id.in_(named))
    )
    return db.execute(statement.order_by(_entry.id.desc()).limit(limit)).all()


def requests(db: Connection, ids: Sequence[str], *, limit: int) -> Sequence[DbRow]:
    """What was asked about some records before, and how many steps that took."""
    steps = (
        select(func.count())
        .where(_step.request_id == _request.id)
        .scalar_subquery()
        .label("steps")
    )
    statement = select(
        _request.asked,
        _request.state,
        _request.received_ms,
        _request.due_ms,
        _request.closed_ms,
        _request.refusal,
        _request.verified,
        steps,
    ).where(among(db, _request.record_id, list(ids)))
    return db.execute(statement.order_by(_request.received_ms).limit(limit)).all()


def consents(db: Connection, ids: Sequence[str], *, limit: int) -> Sequence[DbRow]:
    """What was shown, agreed to and taken back, the oldest first."""
    statement = select(
        _consent.act,
        _consent.purpose,
        _consent.field,
        _consent.notice,
        _consent.how,
        _consent.at_ms,
    ).where(among(db, _consent.record_id, list(ids)))
    return db.execute(statement.order_by(_consent.id).limit(limit)).all()
