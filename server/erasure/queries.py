"""What erasing asks of the tables, and what it takes out of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from server.areas.scope import Scope, within
from server.db.bulk import among, insert_new
from server.db.tables import (
    Account,
    Conflict,
    Erasure,
    HeldRow,
    MutationRow,
    RecordRow,
    SubjectCopy,
    SubjectRequest,
)

WITHOUT_EFFECT = ("held", "quarantined", "invalid")
CHUNK_ROWS = 1_000
DbRow = Any
_record = RecordRow.__table__.c
_mutation = MutationRow.__table__.c
_conflict = Conflict.__table__.c
_account = Account.__table__.c
_held = HeldRow.__table__.c
_request = SubjectRequest.__table__.c
_copy = SubjectCopy.__table__.c
_erasure = Erasure.__table__.c
_STANDING = (_record.id, _record.kind, _record.bucket, _record.rev)


def record_in(db: Connection, scope: Scope, record_id: str) -> DbRow | None:
    """`(id, kind, bucket, rev)` of one record in scope, or None."""
    statement = select(*_STANDING).where(
        within(_record.area_no, scope), _record.id == record_id
    )
    return db.execute(statement).one_or_none()


def records_among(db: Connection, record_ids: Sequence[str]) -> Sequence[DbRow]:
    """`(id, kind, bucket, rev)` of the records that exist, by id."""
    statement = select(*_STANDING).where(among(db, _record.id, list(record_ids)))
    return db.execute(statement.order_by(_record.id)).all()


def asked_about(db: Connection, record_ids: Sequence[str]) -> Sequence[DbRow]:
    """`(pos, body)` of everything that was asked about some records, in order."""
    statement = select(_mutation.pos, _mutation.body).where(
        among(db, _mutation.record_id, list(record_ids))
    )
    return db.execute(statement.order_by(_mutation.pos)).all()


def without_effect(db: Connection) -> Iterator[Sequence[DbRow]]:
    """`(pos, body)` of all that had no effect when it came, in order, in chunks.

    Its own record may exist nowhere, so only its body can tell whom it is about.
    """
    after = -1
    while True:
        statement = (
            select(_mutation.pos, _mutation.body)
            .where(_mutation.outcome.in_(WITHOUT_EFFECT), _mutation.pos > after)
            .order_by(_mutation.pos)
            .limit(CHUNK_ROWS)
        )
        rows = db.execute(statement).all()
        if not rows:
            return
        yield rows
        after = rows[-1].pos


_REWRITE = (
    update(MutationRow.__table__)
    .where(_mutation.pos == bindparam("at"))
    .values(body=bindparam("kept"), place=None)
)
_UNNOTED = (
    update(HeldRow.__table__)
    .where(_held.device_id == bindparam("device"), _held.n == bindparam("number"))
    .values(note=None)
)


def keep_bodies(db: Connection, bodies: Mapping[int, bytes]) -> None:
    """Replace bodies of the log by `pos`; hash, outcome and code stay."""
    if bodies:
        db.execute(_REWRITE, [{"at": pos, "kept": body} for pos, body in bodies.items()])


def forget_notes(db: Connection, positions: Sequence[int]) -> None:
    """Forget what a person wrote about mutations that waited, by their `pos`."""
    statement = select(_mutation.device_id, _mutation.n).where(
        among(db, _mutation.pos, list(positions))
    )
    rows = [{"device": row.device_id, "number": row.n} for row in db.execute(statement).all()]
    if rows:
        db.execute(_UNNOTED, rows)


def conflicts_of(db: Connection, record_ids: Sequence[str]) -> int:
    """How many conflicts of some records are kept, open or closed."""
    statement = select(func.count()).where(among(db, _conflict.record_id, list(record_ids)))
    return int(db.execute(statement).scalar_one())


def forget_choices(db: Connection, record_ids: Sequence[str]) -> None:
    """Forget the values of conflicts; that there was one, on which field and when, stays."""
    named = among(db, _conflict.record_id, list(record_ids))
    changed = update(Conflict.__table__).where(named)
    db.execute(changed.values(choices="[]", live="null", chosen=None, note=None))


def drop_copies(db: Connection, record_ids: Sequence[str]) -> None:
    """Destroy the copies made for people to have that say something of some records."""
    about = select(_request.id).where(among(db, _request.record_id, list(record_ids)))
    db.execute(delete(SubjectCopy.__table__).where(_copy.request_id.in_(about)))


def note_erased(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember records as erased; the first time counts."""
    insert_new(db, Erasure.__table__, rows, ("record_id",))


def account_with(db: Connection, login: str) -> DbRow | None:
    """`(id, role)` of the account with a login, or None."""
    statement = select(_account.id, _account.role).where(_account.login == login)
    return db.execute(statement).one_or_none()


def erasures(db: Connection, *, limit: int, after: str) -> Sequence[DbRow]:
    """Everything that was erased with an id greater than `after`, by id."""
    statement = select(*_erasure).order_by(_erasure.record_id).limit(limit)
    if after:
        statement = statement.where(_erasure.record_id > after)
    return db.execute(statement).all()
