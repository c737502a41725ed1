"""The steps of the closed loop: check who and where, draft the act, write, read back.

Each function is the work of one transaction: it runs inside the store's write, and raises to
roll back. Whether the state allows a step is decided by the write path alone.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.casework import queries
from server.casework.queries import CaseRow
from server.casework.reading import (
    incident_with_history,
    report_body,
    task_body,
    the_incident,
    the_report,
    the_task,
)
from server.casework.schemas import (
    Dispatch,
    IncidentPatch,
    IncidentWithHistory,
    Order,
    PositionBody,
    ReportBody,
    ReportCreate,
    TaskBody,
)
from server.clock import new_id
from server.consolewrites import Asking, create_record, write_draft
from server.grids.queries import grids_named
from server.identity.principal import Role
from server.problems import AlreadyExists, Forbidden, InvalidBody, NotFound
from server.replication.queries import next_number
from server.replication.submit import Draft
from sync.mutation import Datum, Position
from sync.rfc3339 import format_wall

_E7 = 10**7
_CM_PER_M = 100
_HOUR_MS = 3_600_000
# Case numbers count days as the offices do. China has one time zone and no summer time.
_OFFICE_OFFSET_MS = 8 * _HOUR_MS
_SEQUENCE_DIGITS = 5
_UNREGISTERED = "reported"


def _position(body: PositionBody | None) -> Position | None:
    if body is None:
        return None
    return Position(
        lon_e7=round(body.lon * _E7),
        lat_e7=round(body.lat * _E7),
        datum=Datum(body.datum),
        accuracy_cm=round(body.accuracy_m * _CM_PER_M),
    )


def _check_report(db: Connection, scope: Scope, body: ReportCreate) -> None:
    if queries.class_named(db, body.class_) is None:
        raise InvalidBody.at("/class", "must be the code of a class in use")
    if body.grid is not None and not grids_named(db, scope, [body.grid]):
        raise InvalidBody.at("/grid", "must be a grid in your area")
    if body.incident is not None:
        try:
            the_incident(db, scope, body.incident)
        except NotFound:
            raise InvalidBody.at("/incident", "must be an incident in your area") from None


def _report_draft(body: ReportCreate) -> Draft:
    said = {
        "class": body.class_,
        "text": body.text,
        "channel": body.channel,
        "incident": body.incident,
        "grid": body.grid,
    }
    media = tuple(sorted(set(body.media)))
    return Draft(
        record=body.id or new_id(),
        kind="report",
        base=0,
        set={name: value for name, value in said.items() if value is not None},
        add={"media": media} if media else {},
        position=_position(body.position),
    )


def create_report(
    db: Connection, asking: Asking, body: ReportCreate
) -> tuple[ReportBody, bool]:
    """Take in a report; True if it is new, False if the request repeats an earlier one.

    Raises:
        InvalidBody: for an unknown class, or a place or incident outside the caller's area.
        AlreadyExists: if the id is taken by something else.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    _check_report(db, scope, body)
    draft = _report_draft(body)
    stored = queries.reports_in(db, scope, equal={"id": draft.record}, limit=1)
    if stored:
        same = (stored[0].class_code, stored[0].text) == (body.class_, body.text)
        if not same:
            raise AlreadyExists
        return report_body(db, stored[0]), False
    create_record(db, asking, draft)
    try:
        made = the_report(db, scope, draft.record)
    except NotFound:
        raise InvalidBody.at("/position", "lies outside your area") from None
    return report_body(db, made), True


def change_incident(
    db: Connection, asking: Asking, incident_id: str, body: IncidentPatch, *, rev: int
) -> IncidentWithHistory:
    """Change plain fields of an incident that stands at `rev`.

    Raises:
        NotFound, PreconditionFailed, InvalidBody, NeedsPerson.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    the_incident(db, scope, incident_id)
    said = body.model_dump(include=body.model_fields_set)
    if "class_" in said:
        said["class"] = said.pop("class_")
        if queries.class_named(db, said["class"]) is None:
            raise InvalidBody.at("/class", "must be the code of a class in use")
    if "grid" in said and not grids_named(db, scope, [said["grid"]]):
        raise InvalidBody.at("/grid", "must be a grid in your area")
    draft = Draft(record=incident_id, kind="incident", base=rev, set=said, if_rev=rev)
    write_draft(db, asking, draft)
    return incident_with_history(db, scope, incident_id)


def step(kind: str, record: str, act: str, *, rev: int, args: Mapping[str, Any]) -> Draft:
    """The draft of one act on a record at `rev`; args that are None are left out."""
    given = {name: value for name, value in args.items() if value is not None}
    return Draft(record=record, kind=kind, base=rev, act=act, args=given, if_rev=rev)


def decide(db: Connection, asking: Asking, draft: Draft) -> IncidentWithHistory:
    """Take one step with an incident.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    the_incident(db, scope, draft.record)
    write_draft(db, asking, draft)
    return incident_with_history(db, scope, draft.record)


def _case_no(db: Connection, now_ms: int) -> str:
    """The next case number of the office's day: the date and a sequence."""
    day = format_wall(now_ms + _OFFICE_OFFSET_MS)[:10].replace("-", "")
    return f"{day}{next_number(db, f'case:{day}'):0{_SEQUENCE_DIGITS}}"


def _due(db: Connection, row: CaseRow, wished_ms: int | None, now_ms: int) -> int | None:
    """When an incident is due: as wished, as settled before, else by its class's limit."""
    settled_ms: int | None = row.due_at_ms if wished_ms is None else wished_ms
    if settled_ms is not None:
        return settled_ms
    known = queries.class_named(db, row.class_code)
    if known is None or known.limit_hours is None:
        return None
    return now_ms + int(known.limit_hours) * _HOUR_MS


def register(
    db: Connection, asking: Asking, incident_id: str, *, due_at_ms: int | None, rev: int
) -> IncidentWithHistory:
    """File an incident: it gets a case number and a time by which it must be solved.

    Raises:
        NotFound, PreconditionFailed, TransitionRefused.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_incident(db, scope, incident_id)
    args = {
        "case_no": row.case_no or _case_no(db, asking.now_ms),
        "due_at_ms": _due(db, row, due_at_ms, asking.now_ms),
    }
    return decide(db, asking, step("incident", incident_id, "register", rev=rev, args=args))


def _worker_for(db: Connection, row: CaseRow, named: str, now_ms: int) -> str:
    """The account of the active worker of this name who holds the grid of an incident or task.

    Raises:
        InvalidBody: if there is none, or if it lies in no grid.
    """
    if row.grid_id is None:
        raise InvalidBody.at("", "the incident lies in no grid; give it one first")
    worker = queries.active_worker(db, named, row.area_no, now_ms)
    if worker is None:
        raise InvalidBody.at(
            "/assignee", "must be an active worker assigned to the incident's grid"
        )
    account: str = worker.id
    return account


def dispatch(
    db: Connection, asking: Asking, incident_id: str, body: Dispatch, *, rev: int
) -> IncidentWithHistory:
    """Give an incident to a worker as a task; files it first if that was not done yet.

    Raises:
        InvalidBody: if no active worker with this name holds the incident's grid.
        NotFound, PreconditionFailed, TransitionRefused.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_incident(db, scope, incident_id)
    known = queries.class_named(db, row.class_code)
    unregistered = row.state == _UNREGISTERED and row.case_no is None
    args = {
        "task": new_id(),
        "title": None if known is None else known.name,
        "assignee": _worker_for(db, row, body.assignee, asking.now_ms),
        "instruction": body.instruction,
        "due_at_ms": _due(db, row, body.due_at_ms, asking.now_ms),
        "case_no": _case_no(db, asking.now_ms) if unregistered else None,
    }
    return decide(db, asking, step("incident", incident_id, "dispatch", rev=rev, args=args))


def assign(db: Connection, asking: Asking, task_id: str, body: Order, *, rev: int) -> TaskBody:
    """Give an open task to another worker, with a new instruction or due time if there is one.

    Raises:
        InvalidBody: if no active worker with this name holds the task's grid.
        NotFound, PreconditionFailed, TransitionRefused.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_task(db, scope, task_id)
    args = {
        "assignee": _worker_for(db, row, body.assignee, asking.now_ms),
        "instruction": body.instruction,
        "due_at_ms": body.due_at_ms,
    }
    write_draft(db, asking, step("task", task_id, "assign", rev=rev, args=args))
    return task_body(the_task(db, scope, task_id))


def claim_work(
    db: Connection, asking: Asking, draft: Draft, position: PositionBody | None
) -> TaskBody:
    """Claim a step of a task; a worker only for an own task, a dispatcher for any in the area.

    Raises:
        Forbidden: if the task is another worker's.
        NotFound, PreconditionFailed, TransitionRefused.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_task(db, scope, draft.record)
    own = row.assignee_id == asking.principal.account
    if asking.principal.role is Role.WORKER and not own:
        raise Forbidden("The task is assigned to somebody else.")
    write_draft(db, asking, replace(draft, position=_position(position)))
    return task_body(the_task(db, scope, draft.record))
