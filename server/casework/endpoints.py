"""Read reports, incidents and tasks; take in a report; correct an incident."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed, scope_of
from server.casework import commands, queries
from server.casework.access import CaseworkPrincipal, Dispatcher
from server.casework.reading import (
    class_body,
    incident_body,
    incident_with_history,
    one_report_body,
    report_bodies,
    task_body,
    the_report,
    the_task,
)
from server.casework.schemas import (
    ClassBody,
    ClassParameters,
    IncidentBody,
    IncidentParameters,
    IncidentPatch,
    IncidentWithHistory,
    OneReportBody,
    ReportBody,
    ReportCreate,
    ReportParameters,
    TaskBody,
    TaskParameters,
)
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal
from server.layers.interval import parse_interval
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NeedsPerson,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RecordMerged,
    problems,
)
from server.recordids import PathId
from server.replication.standing import MOVED, moved_to

router = APIRouter(prefix="/v1", tags=["casework"])
_LISTING = problems(InvalidParameter, Forbidden)
_READING = problems(Forbidden, NotFound)


@router.get("/classes", responses=problems(InvalidParameter))
async def list_classes(
    *,
    parameters: Annotated[ClassParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
) -> Page[ClassBody]:
    """List the catalogue of event classes by code; it is the same for everybody."""
    del principal
    key = decode_cursor(parameters.cursor, str, Id)
    rows = await store.read(
        lambda db: queries.classes(
            db,
            active=parameters.active,
            major=parameters.major,
            after=key,
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.code, row.id))
    return Page(items=[class_body(row) for row in page], next=following)


@router.get("/reports", responses=_LISTING)
async def list_reports(
    *,
    parameters: Annotated[ReportParameters, Query()],
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[ReportBody]:
    """List the reports you may see, the newest arrival first."""
    key = decode_cursor(parameters.cursor, int, Id)
    named = {
        "grid_id": parameters.grid,
        "incident_id": parameters.incident,
        "class_code": parameters.class_,
        "archived": parameters.archived,
    }

    def work(db: Connection) -> Page[ReportBody]:
        rows = queries.reports_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal={name: value for name, value in named.items() if value is not None},
            after=key,
            limit=parameters.limit + 1,
        )
        page, following = paged(rows, parameters.limit, lambda row: (row.created_ms, row.id))
        return Page(items=report_bodies(db, page), next=following)

    return await store.read(work)


@router.get("/reports/{report_id}", responses=_READING)
async def read_report(
    *,
    report_id: PathId,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> OneReportBody:
    """Return one report, with its position as it was received."""
    found = await store.read(
        lambda db: one_report_body(db, the_report(db, scope_of(db, principal, now), report_id))
    )
    await reading.note("read", "report", (report_id,))
    return found


@router.post(
    "/reports",
    status_code=201,
    response_model=ReportBody,
    responses=problems(Forbidden, AlreadyExists, InvalidBody),
)
async def create_report(
    *, body: ReportCreate, principal: Dispatcher, store: StoreDep, now: Now
) -> Response:
    """Take in a report by telephone or from the public; it opens an incident or joins one.

    The position is converted from its datum and decides the grid. A repeat with the same `id`
    answers 200.
    """
    asking = Asking(principal=principal, now_ms=now)
    made, fresh = await store.write(lambda db: commands.create_report(db, asking, body))
    return tagged(made, made.rev, made_at=f"/v1/reports/{made.id}" if fresh else None)


@router.get("/incidents", responses=_LISTING)
async def list_incidents(
    *,
    parameters: Annotated[IncidentParameters, Query()],
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[IncidentBody]:
    """List the incidents you may see, the newest arrival first."""
    key = decode_cursor(parameters.cursor, int, Id)
    interval = parse_interval(parameters.datetime)
    named = {
        "grid_id": parameters.grid,
        "state": parameters.state,
        "class_code": parameters.class_,
        "archived": parameters.archived,
    }
    rows = await store.read(
        lambda db: queries.incidents_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal={name: value for name, value in named.items() if value is not None},
            conditions=[
                *queries.observed_in(interval),
                *queries.still_open(parameters.open),
            ],
            after=key,
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.created_ms, row.id))
    return Page(items=[incident_body(row) for row in page], next=following)


@router.get(
    "/incidents/{incident_id}",
    response_model=IncidentWithHistory,
    responses={**_READING, **MOVED},
)
async def read_incident(
    *,
    incident_id: PathId,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Response:
    """Return one incident with its reports, tasks and everything that happened to it."""
    try:
        found = await store.read(
            lambda db: incident_with_history(db, scope_of(db, principal, now), incident_id)
        )
    except RecordMerged as merged:
        return moved_to(f"/v1/incidents/{merged.into}")
    reports, tasks = (each.id for each in found.reports), (each.id for each in found.tasks)
    await reading.note("read", "incident", (found.id, *reports, *tasks))
    return tagged(found, found.rev)


@router.patch(
    "/incidents/{incident_id}",
    response_model=IncidentWithHistory,
    responses=problems(
        Forbidden,
        NotFound,
        NeedsPerson,
        RecordMerged,
        PreconditionFailed,
        InvalidBody,
        PreconditionRequired,
    ),
)
async def change_incident(
    *,
    incident_id: PathId,
    body: IncidentPatch,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Correct what is known about an incident; null clears a field. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    changed = await store.write(
        lambda db: commands.change_incident(db, asking, incident_id, body, rev=rev)
    )
    return tagged(changed, changed.rev)


@router.get("/tasks", responses=_LISTING)
async def list_tasks(
    *,
    parameters: Annotated[TaskParameters, Query()],
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[TaskBody]:
    """List the tasks you may see, the newest first."""
    key = decode_cursor(parameters.cursor, int, Id)
    named = {
        "grid_id": parameters.grid,
        "state": parameters.state,
        "incident_id": parameters.incident,
        "assignee_id": parameters.assignee,
        "archived": parameters.archived,
    }
    rows = await store.read(
        lambda db: queries.tasks_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal={name: value for name, value in named.items() if value is not None},
            after=key,
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.created_ms, row.id))
    return Page(items=[task_body(row) for row in page], next=following)


@router.get("/tasks/{task_id}", response_model=TaskBody, responses=_READING)
async def read_task(
    *,
    task_id: PathId,
    principal: CaseworkPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Response:
    """Return one task."""
    row = await store.read(lambda db: the_task(db, scope_of(db, principal, now), task_id))
    await reading.note("read", "task", (row.id,))
    return tagged(task_body(row), row.rev)
