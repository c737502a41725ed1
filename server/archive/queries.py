"""Where a record stands, whatever its kind."""

from typing import Any

from sqlalchemy import Connection, Row, select

from server.areas.scope import Scope, within
from server.db.tables import RecordRow
from server.replication.queries import erased_among

_record = RecordRow.__table__.c


def record_in(db: Connection, scope: Scope, record_id: str) -> Row[*tuple[Any, ...]] | None:
    """`(id, kind, bucket, rev, truth, area_no)` of one record in scope, or None."""
    statement = select(
        _record.id,
        _record.kind,
        _record.bucket,
        _record.rev,
        _record.truth,
        _record.area_no,
    ).where(within(_record.area_no, scope), _record.id == record_id)
    return db.execute(statement).one_or_none()


def present_in(db: Connection, scope: Scope, record_id: str) -> Row[*tuple[Any, ...]] | None:
    """`record_in` of a record that was not erased, or None."""
    found = record_in(db, scope, record_id)
    return None if found is None or erased_among(db, [record_id]) else found
