"""Publish notices; note what was shown, agreed to and taken back. Each is one transaction."""

from typing import Any

from sqlalchemy import Connection

from server.archive.queries import present_in
from server.areas.queries import scope_of
from server.clock import new_id
from server.consents import queries
from server.consents.queries import DbRow
from server.consents.rules import fault_of, stands
from server.consents.schemas import ConsentBody, ConsentCreate, NoticeBody, NoticeCreate
from server.consolewrites import Asking
from server.problems import AlreadyExists, InvalidBody, TransitionRefused


def notice_body(row: DbRow) -> NoticeBody:
    """One notice."""
    return NoticeBody(
        version=row.version,
        title=row.title,
        text=row.text,
        published_ms=row.published_ms,
        published_by=row.published_by,
    )


def consent_body(row: DbRow) -> ConsentBody:
    """One entry."""
    return ConsentBody(
        id=row.id,
        about=row.about,
        record=row.record_id,
        act=row.act,
        purpose=row.purpose,
        field=row.field,
        notice=row.notice,
        how=row.how,
        at_ms=row.at_ms,
        account=row.account_id,
    )


def publish(db: Connection, asking: Asking, body: NoticeCreate) -> NoticeBody:
    """Publish a notice.

    Raises:
        AlreadyExists: if its version was published before.
    """
    said = {"published_ms": asking.now_ms, "published_by": asking.principal.account}
    if not queries.publish(db, body.model_dump() | said):
        raise AlreadyExists
    return NoticeBody(**body.model_dump(), **said)


def note(db: Connection, asking: Asking, body: ConsentCreate) -> tuple[ConsentBody, bool]:
    """Note an entry; False if the call repeats an earlier one.

    Raises:
        InvalidBody: if it is about nobody in scope, or cannot be so.
        AlreadyExists: if the id is taken by something else.
        TransitionRefused: if something is taken back that was not given.
    """
    row = _row(asking, body)
    found = None if body.id is None else queries.entry_with(db, body.id)
    if found is not None:
        return _repeated(found, row), False
    _require_sound(db, asking, body)
    if body.act == "withdrawn":
        acts = queries.acts_about(db, body.record, body.purpose, body.field)
        if not stands(acts):
            raise TransitionRefused(code="nothing-given")
    queries.add_entry(db, row)
    return ConsentBody(
        **body.model_dump(exclude={"id"}),
        id=row["id"],
        at_ms=asking.now_ms,
        account=asking.principal.account,
    ), True


def _row(asking: Asking, body: ConsentCreate) -> dict[str, Any]:
    said = body.model_dump(exclude={"id", "record"})
    return said | {
        "id": body.id or new_id(),
        "record_id": body.record,
        "at_ms": asking.now_ms,
        "account_id": asking.principal.account,
    }


def _repeated(found: DbRow, row: dict[str, Any]) -> ConsentBody:
    if any(getattr(found, name) != row[name] for name in row if name != "at_ms"):
        raise AlreadyExists
    return consent_body(found)


def _require_sound(db: Connection, asking: Asking, body: ConsentCreate) -> None:
    fault = fault_of(body.about, body.act, body.field, body.notice)
    if fault is not None:
        raise InvalidBody.at(
            f"/{fault}", "does not belong to this act and record, or is missing"
        )
    if body.notice is not None and queries.notice_with(db, body.notice) is None:
        raise InvalidBody.at("/notice", "must be a published version")
    scope = scope_of(db, asking.principal, asking.now_ms)
    record = present_in(db, scope, body.record)
    if record is None or record.kind != body.about:
        raise InvalidBody.at("/record", f"must be a {body.about} in your area")
