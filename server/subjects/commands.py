"""Take a request in, work on it, answer it. Each is the work of one transaction."""

from dataclasses import dataclass

from sqlalchemy import Connection

from server.archive.queries import present_in
from server.areas.queries import scope_of
from server.clock import new_id
from server.consolewrites import Asking
from server.erasure.commands import erase
from server.erasure.schemas import ErasureBody, ErasureRequest
from server.households.commands import change_household, change_resident
from server.problems import AlreadyExists, InvalidBody, RecordMerged
from server.replication.alias_queries import alias_of
from server.subjects import queries
from server.subjects.queries import DbRow
from server.subjects.reading import at_rev, require_allowed, require_handler, standing
from server.subjects.rules import (
    Refused,
    due_at,
    may_answer,
    may_erase,
    may_work,
    state_after,
)
from server.subjects.schemas import Correction, ErasingBody, SubjectCreate


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One thing that was done for a request: what, and to which record."""

    act: str
    record: str | None = None
    record_rev: int | None = None


def receive(
    db: Connection, asking: Asking, body: SubjectCreate, *, days: int
) -> tuple[DbRow, bool]:
    """Take a request in; True if it is new, False if the call repeats an earlier one.

    Raises:
        InvalidBody: if it is about nobody in scope.
        RecordMerged: if another record stands for the one that was named.
        AlreadyExists: if the id is taken by something else.
    """
    found = None if body.id is None else queries.request_with(db, body.id)
    if found is not None:
        if not _repeats(found, body, asking.principal.account):
            raise AlreadyExists
        return found, False
    _require_subject(db, asking, body)
    request_id, now, account = body.id or new_id(), asking.now_ms, asking.principal.account
    queries.add_request(
        db,
        {
            "id": request_id,
            "asked": body.asked,
            "about": body.about,
            "record_id": body.record,
            "verified": body.verified,
            "state": "received",
            "received_ms": now,
            "received_by": account,
            "due_ms": due_at(now, days),
            "rev": 1,
        },
    )
    made = queries.written(db, request_id)
    _write_step(db, asking, made, Done(act="received", record=body.record))
    return made, True


def _repeats(found: DbRow, body: SubjectCreate, account: str) -> bool:
    said = (body.asked, body.about, body.record, body.verified, account)
    stored = (found.asked, found.about, found.record_id, found.verified, found.received_by)
    return said == stored


def _require_subject(db: Connection, asking: Asking, body: SubjectCreate) -> None:
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = present_in(db, scope, body.record)
    if found is None or found.kind != body.about:
        reason = f"must be a {body.about} in your area"
        raise InvalidBody.at("/record", reason)
    into = alias_of(db, body.record)
    if into is not None:
        raise RecordMerged(into)


def take_on(db: Connection, asking: Asking, request_id: str, *, rev: int) -> DbRow:
    """Begin to work on a request, or take it over from whoever did.

    Raises:
        NotFound, PreconditionFailed.
        TransitionRefused: if it is closed, or the caller works on it already.
    """
    row, account = at_rev(db, asking, request_id, rev), asking.principal.account
    taken_over = row.state == "in_progress" and row.handler != account
    if not taken_over:
        _require_state(row, "begun")
    return step(db, asking, row, Done(act="begun"), handler=account, state="in_progress")


def answer(db: Connection, asking: Asking, request_id: str, *, rev: int) -> DbRow:
    """Say that a request was answered.

    Raises:
        NotFound, PreconditionFailed, Forbidden.
        TransitionRefused: if nothing of what it asks for was done, or it is not worked on.
    """
    row = at_rev(db, asking, request_id, rev)
    _require_state(row, "answered")
    require_handler(row, asking.principal.account)
    acts = frozenset(each.act for each in queries.steps_of(db, request_id))
    require_allowed(may_answer(row.asked, acts))
    return step(
        db, asking, row, Done(act="answered"), state="answered", closed_ms=asking.now_ms
    )


def refuse(db: Connection, asking: Asking, request_id: str, *, reason: str, rev: int) -> DbRow:
    """Refuse a request with its legal reason.

    Raises:
        NotFound, PreconditionFailed, Forbidden.
        TransitionRefused: if it is closed.
    """
    row = at_rev(db, asking, request_id, rev)
    _require_state(row, "refused")
    require_handler(row, asking.principal.account)
    closed = {"state": "refused", "refusal": reason, "closed_ms": asking.now_ms}
    return step(db, asking, row, Done(act="refused"), **closed)


def _require_state(row: DbRow, act: str) -> None:
    after = state_after(row.state, act)
    if isinstance(after, Refused):
        require_allowed(after)


def worked_on(
    db: Connection, asking: Asking, request_id: str, *, rev: int, wanted: str
) -> DbRow:
    """Return a request of the kind `wanted` that the caller works on and that stands at `rev`.

    Raises:
        NotFound, PreconditionFailed.
        Forbidden: if somebody else works on it.
        TransitionRefused: if it asks for something else, or nobody works on it.
    """
    row = at_rev(db, asking, request_id, rev)
    require_allowed(may_work(row.state, row.asked, wanted))
    require_handler(row, asking.principal.account)
    return row


def correct(
    db: Connection, asking: Asking, request_id: str, body: Correction, *, rev: int
) -> DbRow:
    """Correct the record that a request is about, as a desk does, and note it.

    Raises:
        NotFound, PreconditionFailed, Forbidden, TransitionRefused: see `worked_on`.
        InvalidBody: if it is about the other kind of record, or a value cannot be.
        NeedsPerson: if values disagree.
    """
    row = worked_on(db, asking, request_id, rev=rev, wanted="correction")
    record = standing(db, row)
    if row.about == "household" and body.household is not None:
        after = change_household(db, asking, record, body.household, rev=body.record_rev).rev
    elif row.about == "resident" and body.resident is not None:
        after = change_resident(db, asking, record, body.resident, rev=body.record_rev).rev
    else:
        reason = f"the request is about a {row.about}"
        raise InvalidBody.at(f"/{row.about}", reason)
    return step(db, asking, row, Done(act="corrected", record=record, record_rev=after))


def erase_for(
    db: Connection, asking: Asking, request_id: str, body: ErasingBody, *, rev: int
) -> tuple[DbRow, ErasureBody]:
    """Count what erasing would take, or erase what was counted, and note it.

    Raises:
        NotFound, PreconditionFailed, Forbidden, TransitionRefused: see `worked_on`.
        TooManyDependants: if too much belongs to it.
    """
    row = worked_on(db, asking, request_id, rev=rev, wanted="erasure")
    record = standing(db, row)
    if not body.dry_run:
        require_allowed(may_erase(_counted_at(db, request_id, record), body.record_rev))
    wanted = ErasureRequest(reason="person_asked", dry_run=body.dry_run)
    took = erase(db, asking, record, wanted, rev=body.record_rev)
    act = "counted" if body.dry_run else "erased"
    done = Done(act=act, record=record, record_rev=took.rev)
    return step(db, asking, row, done), took


def _counted_at(db: Connection, request_id: str, record: str) -> int | None:
    """The revision at which it was last counted what erasing a record takes."""
    counted = [
        each.record_rev
        for each in queries.steps_of(db, request_id)
        if each.act == "counted" and each.record_id == record
    ]
    return counted[-1] if counted else None


def step(db: Connection, asking: Asking, row: DbRow, done: Done, **values: object) -> DbRow:
    """Write down what was done for a request, with what it changes of it."""
    queries.save_request(db, row.id, {**values, "rev": row.rev + 1})
    after = queries.written(db, row.id)
    _write_step(db, asking, after, done)
    return after


def _write_step(db: Connection, asking: Asking, row: DbRow, done: Done) -> None:
    queries.add_step(
        db,
        {
            "request_id": row.id,
            "rev": row.rev,
            "at_ms": asking.now_ms,
            "account_id": asking.principal.account,
            "act": done.act,
            "record_id": done.record,
            "record_rev": done.record_rev,
        },
    )
