"""All SQL of notices and consents."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from server.areas.scope import Scope, within
from server.db.bulk import insert_new
from server.db.tables import Account, ConsentEntry, Notice, RecordRow

DbRow = Row[*tuple[Any, ...]]
_notice = Notice.__table__.c
_entry = ConsentEntry.__table__.c
_record = RecordRow.__table__.c
_account = Account.__table__.c


def publish(db: Connection, row: Mapping[str, Any]) -> bool:
    """Publish a notice; False if its version exists."""
    return insert_new(db, Notice.__table__, [row], ("version",)) == 1


def notice_with(db: Connection, version: str) -> DbRow | None:
    """One notice, or None."""
    return db.execute(select(*_notice).where(_notice.version == version)).one_or_none()


def notices(db: Connection, *, after: tuple[int, str] | None, limit: int) -> Sequence[DbRow]:
    """Notices, the newest first, at most `limit`."""
    statement = select(*_notice)
    if after is not None:
        published_ms, version = after
        statement = statement.where(
            (_notice.published_ms < published_ms)
            | ((_notice.published_ms == published_ms) & (_notice.version < version))
        )
    order = (_notice.published_ms.desc(), _notice.version.desc())
    return db.execute(statement.order_by(*order).limit(limit)).all()


def add_entry(db: Connection, row: Mapping[str, Any]) -> None:
    """Add an entry."""
    db.execute(insert(ConsentEntry.__table__).values(**row))


def entry_with(db: Connection, entry_id: str) -> DbRow | None:
    """The entry with an id, wherever it belongs; only to see whether the id is taken."""
    return db.execute(select(*_entry).where(_entry.id == entry_id)).one_or_none()


def entries_of(
    db: Connection, scope: Scope, record_id: str, *, after_id: str | None, limit: int
) -> Sequence[DbRow]:
    """What was noted about one record in scope, by id, at most `limit`."""
    statement = (
        select(*_entry)
        .join(RecordRow.__table__, _record.id == _entry.record_id)
        .where(within(_record.area_no, scope), _entry.record_id == record_id)
    )
    if after_id is not None:
        statement = statement.where(_entry.id > after_id)
    return db.execute(statement.order_by(_entry.id).limit(limit)).all()


def acts_about(
    db: Connection, record_id: str, purpose: str, field: str | None
) -> Sequence[str]:
    """The acts about one purpose and field of a record, in their order."""
    statement = select(_entry.act).where(
        _entry.record_id == record_id,
        _entry.purpose == purpose,
        _entry.field.is_not_distinct_from(field),
    )
    return db.execute(statement.order_by(_entry.at_ms, _entry.id)).scalars().all()


def withdrawn(
    db: Connection, *, before_ms: int, after: tuple[str, str] | None, limit: int
) -> Sequence[DbRow]:
    """Fields whose consent was withdrawn before an instant and stands so, for any purpose.

    `(record_id, field, about, account_id, role)` by record and field, at most `limit`.
    """
    latest = (
        select(
            _entry.record_id,
            _entry.field,
            _entry.about,
            _entry.act,
            _entry.at_ms,
            _entry.account_id,
            func.row_number()
            .over(
                partition_by=(_entry.record_id, _entry.field),
                order_by=(_entry.at_ms.desc(), _entry.id.desc()),
            )
            .label("place"),
        )
        .where(_entry.field.is_not(None))
        .subquery()
    )
    last = latest.c
    statement = (
        select(last.record_id, last.field, last.about, last.account_id, _account.role)
        .join(Account.__table__, _account.id == last.account_id)
        .where(
            last.place == 1,
            last.act == "withdrawn",
            last.at_ms < before_ms,
        )
    )
    if after is not None:
        record_id, field = after
        statement = statement.where(
            (last.record_id > record_id)
            | ((last.record_id == record_id) & (last.field > field))
        )
    return db.execute(statement.order_by(last.record_id, last.field).limit(limit)).all()
