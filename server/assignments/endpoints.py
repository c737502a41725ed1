"""Who answers for which area: list, assign, end."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from server.areas.queries import narrowed, scope_of
from server.assignments import commands
from server.assignments.queries import AssignmentRow, assignments_in
from server.assignments.schemas import (
    AssignmentBody,
    AssignmentEnd,
    AssignmentParameters,
    NewAssignment,
)
from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal, Role
from server.identity.rules import SUPERVISING, sees_workers
from server.paging import Id, Page, decode_cursor, paged
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/assignments", tags=["assignments"])
Supervisor = Annotated[Principal, Depends(require(*SUPERVISING))]


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_assignments(
    *,
    parameters: Annotated[AssignmentParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[AssignmentBody]:
    """List assignments, the latest first: those of your area; a worker sees the own ones.

    They name workers, so an analyst sees none.
    """
    if not sees_workers(principal):
        raise Forbidden("An analyst is not told who answers for an area.")
    key = decode_cursor(parameters.cursor, int, Id)
    equal = {} if parameters.worker is None else {"login": parameters.worker}
    if principal.role is Role.WORKER:
        equal["account"] = principal.account

    def read(db: Connection) -> list[AssignmentRow]:
        scope = narrowed(db, scope_of(db, principal, now), parameters.area)
        return list(
            assignments_in(
                db,
                scope,
                equal=equal,
                at_ms=parameters.at_ms,
                after=key,
                limit=parameters.limit + 1,
            )
        )

    found = await store.read(read)
    page, following = paged(
        found, parameters.limit, lambda each: (each.valid_from_ms, str(each.id))
    )
    return Page(items=[AssignmentBody.of(each) for each in page], next=following)


@router.post("", status_code=201, responses=problems(Forbidden, AlreadyExists, InvalidBody))
async def make_assignment(
    *,
    body: NewAssignment,
    principal: Supervisor,
    store: StoreDep,
    now: Now,
    response: Response,
) -> AssignmentBody:
    """Let a worker answer for an area, from now on or from a later time.

    The phone is told on its next sync. What was done before is not judged again.
    """
    asking = Asking(principal=principal, now_ms=now)
    made = await store.write(lambda db: commands.make(db, asking, body))
    response.headers["location"] = f"/v1/assignments/{made.id}"
    return made


@router.post(
    "/{assignment_id}/end",
    responses=problems(Forbidden, NotFound, InvalidBody, TransitionRefused),
)
async def end_assignment(
    *,
    assignment_id: PathId,
    body: AssignmentEnd,
    principal: Supervisor,
    store: StoreDep,
    now: Now,
) -> AssignmentBody:
    """End an assignment. The phone drops the area on its next sync and keeps its outbox.

    What the worker did there until then still counts, however late it is handed in.
    """
    asking = Asking(principal=principal, now_ms=now)
    return await store.write(
        lambda db: commands.end(db, asking, assignment_id, at_ms=body.at_ms)
    )
