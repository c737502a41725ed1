"""The steps of the closed loop. Each needs `If-Match`: the revision the decision rests on."""

from typing import Any

from fastapi import APIRouter, Response

from server.casework import commands
from server.casework.access import CaseworkPrincipal, Dispatcher
from server.casework.schemas import (
    Dispatch,
    IncidentWithHistory,
    Order,
    Reason,
    Registration,
    Said,
    TaskBody,
    Verification,
    WorkClaim,
)
from server.consolewrites import Asking, tagged
from server.db.store import Store
from server.deps import Now, StoreDep
from server.identity.principal import Principal
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TransitionRefused,
    problems,
)
from server.recordids import PathId
from server.replication.submit import Draft

_STEPPING = problems(
    Forbidden,
    NotFound,
    TransitionRefused,
    PreconditionFailed,
    InvalidBody,
    PreconditionRequired,
)
router = APIRouter(prefix="/v1", tags=["casework"], responses=_STEPPING)
NOTHING_SAID = Said()
PLAIN_CLAIM = WorkClaim()


async def _decide(store: Store, principal: Principal, now: int, draft: Draft) -> Response:
    asking = Asking(principal=principal, now_ms=now)
    decided = await store.write(lambda db: commands.decide(db, asking, draft))
    return tagged(decided, decided.rev)


def _step(incident_id: str, act: str, rev: int, **args: Any) -> Draft:
    return commands.step("incident", incident_id, act, rev=rev, args=args)


@router.post("/incidents/{incident_id}/register", response_model=IncidentWithHistory)
async def register_incident(
    *,
    incident_id: PathId,
    body: Registration | None = None,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """File a reported incident: it gets a case number and a due time."""
    asking = Asking(principal=principal, now_ms=now)
    due_at_ms = None if body is None else body.due_at_ms
    decided = await store.write(
        lambda db: commands.register(db, asking, incident_id, due_at_ms=due_at_ms, rev=rev)
    )
    return tagged(decided, decided.rev)


@router.post("/incidents/{incident_id}/reject", response_model=IncidentWithHistory)
async def reject_incident(
    *,
    incident_id: PathId,
    body: Reason,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Turn a reported incident down, with the reason."""
    draft = _step(incident_id, "reject", rev, text=body.text)
    return await _decide(store, principal, now, draft)


@router.post("/incidents/{incident_id}/dispatch", response_model=IncidentWithHistory)
async def dispatch_incident(
    *,
    incident_id: PathId,
    body: Dispatch,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Give an incident to a worker; a task for the worker's phone is made in the same step.

    An incident that was only reported is filed at once. The worker must be active and assigned
    to the incident's grid.
    """
    asking = Asking(principal=principal, now_ms=now)
    decided = await store.write(
        lambda db: commands.dispatch(db, asking, incident_id, body, rev=rev)
    )
    return tagged(decided, decided.rev)


@router.post("/incidents/{incident_id}/verify", response_model=IncidentWithHistory)
async def verify_incident(
    *,
    incident_id: PathId,
    body: Verification,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Check finished work: `pass` confirms the task, `fail` sends it back to be done again.

    Nobody verifies their own work.
    """
    draft = _step(incident_id, "verify", rev, result=body.result, text=body.text)
    return await _decide(store, principal, now, draft)


@router.post("/incidents/{incident_id}/close", response_model=IncidentWithHistory)
async def close_incident(
    *,
    incident_id: PathId,
    body: Said | None = None,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Close an incident; an unfinished task of it is withdrawn."""
    draft = _step(incident_id, "close", rev, text=(body or NOTHING_SAID).text)
    return await _decide(store, principal, now, draft)


@router.post("/incidents/{incident_id}/reopen", response_model=IncidentWithHistory)
async def reopen_incident(
    *,
    incident_id: PathId,
    body: Reason,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Open a closed, rejected or voided incident again, with the reason."""
    draft = _step(incident_id, "reopen", rev, text=body.text)
    return await _decide(store, principal, now, draft)


@router.post("/incidents/{incident_id}/void", response_model=IncidentWithHistory)
async def void_incident(
    *,
    incident_id: PathId,
    body: Reason,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Declare an incident void, with the reason; an unfinished task of it is withdrawn."""
    draft = _step(incident_id, "void", rev, text=body.text)
    return await _decide(store, principal, now, draft)


async def _claim(
    store: Store, asking: Asking, draft: Draft, body: WorkClaim | None
) -> Response:
    position = (body or PLAIN_CLAIM).position
    claimed = await store.write(lambda db: commands.claim_work(db, asking, draft, position))
    return tagged(claimed, claimed.rev)


def _claim_draft(task_id: str, act: str, rev: int, body: WorkClaim | None) -> Draft:
    args = {"result": (body or PLAIN_CLAIM).result}
    return commands.step("task", task_id, act, rev=rev, args=args)


@router.post("/tasks/{task_id}/accept", response_model=TaskBody)
async def accept_task(
    *,
    task_id: PathId,
    body: WorkClaim | None = None,
    rev: IfMatch,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Say that a task was accepted. Workers speak for their own tasks only."""
    asking = Asking(principal=principal, now_ms=now)
    draft = _claim_draft(task_id, "accept", rev, body)
    return await _claim(store, asking, draft, body)


@router.post("/tasks/{task_id}/start", response_model=TaskBody)
async def start_task(
    *,
    task_id: PathId,
    body: WorkClaim | None = None,
    rev: IfMatch,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Say that work on a task has begun. Workers speak for their own tasks only."""
    asking = Asking(principal=principal, now_ms=now)
    draft = _claim_draft(task_id, "start", rev, body)
    return await _claim(store, asking, draft, body)


@router.post("/tasks/{task_id}/finish", response_model=TaskBody)
async def finish_task(
    *,
    task_id: PathId,
    body: WorkClaim | None = None,
    rev: IfMatch,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Say that work is done, and what came of it. Workers speak for their own tasks only."""
    asking = Asking(principal=principal, now_ms=now)
    draft = _claim_draft(task_id, "finish", rev, body)
    return await _claim(store, asking, draft, body)


@router.post("/tasks/{task_id}/not_executable", response_model=TaskBody)
async def refuse_task(
    *,
    task_id: PathId,
    body: WorkClaim,
    rev: IfMatch,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Say that a task cannot be done, and why. Workers speak for their own tasks only."""
    asking = Asking(principal=principal, now_ms=now)
    draft = _claim_draft(task_id, "not_executable", rev, body)
    return await _claim(store, asking, draft, body)


@router.post("/tasks/{task_id}/assign", response_model=TaskBody)
async def assign_task(
    *,
    task_id: PathId,
    body: Order,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Give an open task to another worker; its state stays, and no new round begins.

    The worker must be active and assigned to the task's grid. Who had the task before may still
    claim what was done.
    """
    asking = Asking(principal=principal, now_ms=now)
    given = await store.write(lambda db: commands.assign(db, asking, task_id, body, rev=rev))
    return tagged(given, given.rev)


@router.post("/tasks/{task_id}/withdraw", response_model=TaskBody)
async def withdraw_task(
    *,
    task_id: PathId,
    body: Said | None = None,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Take an unfinished task back."""
    args = {"text": (body or NOTHING_SAID).text}
    draft = commands.step("task", task_id, "withdraw", rev=rev, args=args)
    return await _claim(store, Asking(principal=principal, now_ms=now), draft, None)
