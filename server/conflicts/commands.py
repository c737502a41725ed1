"""Settle a conflict. The work of one transaction: it raises to roll back."""

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.conflicts.reading import the_conflict
from server.conflicts.schemas import ConflictBody, FieldValue
from server.consolewrites import Asking, write_draft
from server.problems import BodyError, InvalidBody, TransitionRefused
from server.replication.submit import Draft
from sync.kinds import KINDS
from sync.outcome import Code


def resolve(
    db: Connection, asking: Asking, conflict_id: str, value: FieldValue, *, rev: int
) -> ConflictBody:
    """Let `value` count in a conflict whose record stands at `rev`.

    Raises:
        NotFound: if it is not in scope.
        InvalidBody: if the field cannot hold `value`.
        TransitionRefused: if it is settled already.
        PreconditionFailed: if the record changed since.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = the_conflict(db, scope, conflict_id)
    if found.status != "open":
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    rule = KINDS[found.kind].fields[found.field]
    reason = None if value is None else rule.type.fault(value)
    if value is None and rule.required:
        reason = "cannot be cleared"
    if reason is not None:
        raise InvalidBody(errors=[BodyError(pointer="/value", reason=reason)])
    draft = Draft(
        record=found.record,
        kind=found.kind,
        base=rev,
        act="resolve",
        args={"field": found.field, "value": value},
        if_rev=rev,
    )
    write_draft(db, asking, draft)
    return the_conflict(db, scope, conflict_id)
