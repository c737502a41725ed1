"""Make and end assignments. The work of one transaction: it raises to roll back."""

from dataclasses import dataclass

from sqlalchemy import Connection

from server.areas.queries import narrowed, scope_of
from server.areas.scope import Scope
from server.assignments import queries
from server.assignments.queries import AssignmentRow
from server.assignments.schemas import AssignmentBody, NewAssignment
from server.clock import new_id
from server.consolewrites import Asking
from server.db.store import touch
from server.identity.queries import refuse_overfull
from server.problems import (
    AlreadyExists,
    InvalidBody,
    InvalidParameter,
    NotFound,
    TransitionRefused,
)
from sync.facts import user_bucket
from sync.outcome import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """An assignment that was asked for, with everything that was left out filled in."""

    id: str
    account: str
    area: str
    from_ms: int
    until_ms: int | None


def make(db: Connection, asking: Asking, new: NewAssignment) -> AssignmentBody:
    """Assign a worker to an area, both in the caller's own area.

    Raises:
        InvalidBody: if the worker or the area is not there to be assigned, the time is over, or
            the worker would hold more grids than a phone can.
        AlreadyExists: if the worker holds this area then, or the id was used for another one.
    """
    wanted = _wanted(db, asking, new)
    known = queries.assignment_with_id(db, wanted.id)
    if known is not None:
        return _repeated(known, wanted, said_from=new.from_ms)
    if wanted.from_ms < asking.now_ms:
        raise InvalidBody.at("/from_ms", "must be now or later")
    if queries.overlapping(
        db, wanted.account, wanted.area, from_ms=wanted.from_ms, until_ms=wanted.until_ms
    ):
        raise AlreadyExists("The worker holds this area then.")
    row = {
        "id": wanted.id,
        "account_id": wanted.account,
        "area_id": wanted.area,
        "valid_from_ms": wanted.from_ms,
        "valid_to_ms": wanted.until_ms,
    }
    if not queries.add_assignment(db, row):
        raise AlreadyExists
    _refuse_too_many(db, wanted)
    touch(db, {user_bucket(wanted.account)})
    return AssignmentBody.of(queries.assignment_with_id(db, wanted.id))


def _wanted(db: Connection, asking: Asking, new: NewAssignment) -> _Wanted:
    now = asking.now_ms
    from_ms = now if new.from_ms is None else new.from_ms
    if new.until_ms is not None and new.until_ms <= from_ms:
        raise InvalidBody.at("/until_ms", "must be later than from_ms")
    scope = scope_of(db, asking.principal, now)
    account = queries.lock_worker(db, scope, new.worker)
    if account is None:
        raise InvalidBody.at("/worker", "must be an active worker of your area")
    return _Wanted(
        id=new.id or new_id(),
        account=account,
        area=_area_named(db, scope, new.area),
        from_ms=from_ms,
        until_ms=new.until_ms,
    )


def _area_named(db: Connection, scope: Scope, name: str) -> str:
    try:
        (area,) = narrowed(db, scope, name)
    except InvalidParameter:
        raise InvalidBody.at("/area", "must be an area in yours") from None
    return area.id


def _repeated(
    known: AssignmentRow, wanted: _Wanted, *, said_from: int | None
) -> AssignmentBody:
    """Answer a call that was made before, whose answer may have been lost."""
    same = (known.account_id, known.area_id) == (wanted.account, wanted.area)
    if not same or said_from not in {None, known.valid_from_ms}:
        raise AlreadyExists("Another assignment has this id.")
    return AssignmentBody.of(known)


def _refuse_too_many(db: Connection, wanted: _Wanted) -> None:
    try:
        refuse_overfull(db, wanted.account, wanted.from_ms)
    except InvalidParameter as refusal:
        raise InvalidBody.at("/area", refusal.detail or "holds too many grids") from None


def end(
    db: Connection, asking: Asking, assignment: str, *, at_ms: int | None
) -> AssignmentBody:
    """End an assignment now or later; an end that was set stays as it is.

    Raises:
        NotFound: if its area is not in the caller's.
        InvalidBody: if the time is over, or before the assignment begins.
        TransitionRefused: if it has another end already.
    """
    found = queries.assignment_with_id(db, assignment)
    if found is None or not any(
        span.covers(found.lo) for span in scope_of(db, asking.principal, asking.now_ms)
    ):
        raise NotFound
    if found.valid_to_ms is not None:
        if at_ms in {None, found.valid_to_ms}:
            return AssignmentBody.of(found)
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    ends_ms = asking.now_ms if at_ms is None else at_ms
    if ends_ms < asking.now_ms:
        raise InvalidBody.at("/at_ms", "must be now or later")
    if ends_ms < found.valid_from_ms:
        raise InvalidBody.at("/at_ms", "must not be before the assignment begins")
    queries.end_assignment(db, assignment, ends_ms)
    touch(db, {user_bucket(found.account_id)})
    return AssignmentBody.of(queries.assignment_with_id(db, assignment))
