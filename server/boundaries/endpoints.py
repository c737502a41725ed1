"""Draw up, check, preview and publish changes of boundaries."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from server.areas.queries import narrowed, scope_of
from server.boundaries import drafting, publishing
from server.boundaries.access import DRAWING, PUBLISHING
from server.boundaries.drawing import read_shapes
from server.boundaries.examining import Case, case_of, checked
from server.boundaries.moving import occupants_of
from server.boundaries.previewing import Around, around, preview_of
from server.boundaries.problems import ChangeRefused, StaleBoundary
from server.boundaries.queries import changes_in
from server.boundaries.reading import change_body, change_summary, the_change
from server.boundaries.schemas import (
    ChangeBody,
    ChangeDraft,
    ChangeParameters,
    ChangeSummary,
    CheckedBody,
    PreviewBody,
)
from server.boundaries.telling import change_told, preview_told
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TooManyDependants,
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/boundary-changes", tags=["boundaries"])
Drawer = Annotated[Principal, Depends(require(*DRAWING))]
Publisher = Annotated[Principal, Depends(require(*PUBLISHING))]
_CHANGING = (Forbidden, NotFound, TransitionRefused, PreconditionFailed, PreconditionRequired)


@router.get("", responses=problems(Forbidden, InvalidParameter))
async def list_changes(
    *,
    parameters: Annotated[ChangeParameters, Query()],
    principal: Drawer,
    store: StoreDep,
    now: Now,
) -> Page[ChangeSummary]:
    """List the boundary changes of your area, the newest first."""
    key = decode_cursor(parameters.cursor, int, Id)
    rows = await store.read(
        lambda db: changes_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            state=parameters.state,
            after=key,
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.created_ms, row.id))
    return Page(items=[change_summary(row) for row in page], next=following)


@router.post(
    "",
    status_code=201,
    response_model=ChangeBody,
    responses=problems(Forbidden, InvalidBody),
)
async def draw_change(
    *, body: ChangeDraft, principal: Drawer, store: StoreDep, now: Now
) -> Response:
    """Draw up a change of boundaries. Nothing moves before it is published.

    Shapes must be valid polygons; what is wrong with them together is told by `validate`.
    """
    shapes = await asyncio.to_thread(read_shapes, body)
    asking = Asking(principal=principal, now_ms=now)
    made = await store.write(lambda db: drafting.draw(db, asking, body, shapes))
    return tagged(made, made.rev, made_at=f"/v1/boundary-changes/{made.id}")


@router.get("/{change_id}", response_model=ChangeBody, responses=problems(Forbidden, NotFound))
async def read_change(
    *, change_id: PathId, principal: Drawer, store: StoreDep, now: Now
) -> Response:
    """Return one boundary change with its edits, and what publishing it did.

    Who only draws is told no number of households.
    """
    found = await store.read(
        lambda db: change_body(the_change(db, scope_of(db, principal, now), change_id))
    )
    return tagged(change_told(principal, found), found.rev)


@router.put(
    "/{change_id}", response_model=ChangeBody, responses=problems(*_CHANGING, InvalidBody)
)
async def redraw_change(
    *,
    change_id: PathId,
    body: ChangeDraft,
    rev: IfMatch,
    principal: Drawer,
    store: StoreDep,
    now: Now,
) -> Response:
    """Replace what a draft wants, on the boundaries in force now. Needs `If-Match`."""
    shapes = await asyncio.to_thread(read_shapes, body)
    asking = Asking(principal=principal, now_ms=now)
    done = await store.write(
        lambda db: drafting.redraw(db, asking, change_id, body, shapes=shapes, rev=rev)
    )
    return tagged(done, done.rev)


@router.post("/{change_id}/discard", response_model=ChangeBody, responses=problems(*_CHANGING))
async def discard_change(
    *, change_id: PathId, rev: IfMatch, principal: Drawer, store: StoreDep, now: Now
) -> Response:
    """Put a draft away for good. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    done = await store.write(lambda db: drafting.discard(db, asking, change_id, rev=rev))
    return tagged(done, done.rev)


@router.post(
    "/{change_id}/validate",
    responses=problems(Forbidden, NotFound, StaleBoundary, InvalidBody),
)
async def validate_change(
    *, change_id: PathId, principal: Drawer, store: StoreDep, now: Now
) -> CheckedBody:
    """Name every overlap, gap, sliver and crossing, with its size and its place on the map.

    Only what the edits touch is looked at. What is within the draft's tolerance is told and
    does not refuse it.
    """

    def read(db: Connection) -> Case:
        scope = scope_of(db, principal, now)
        return case_of(db, scope, the_change(db, scope, change_id))

    return await asyncio.to_thread(checked, await store.read(read))


@router.post(
    "/{change_id}/preview",
    responses=problems(Forbidden, NotFound, StaleBoundary, InvalidBody),
)
async def preview_change(
    *, change_id: PathId, principal: Drawer, store: StoreDep, now: Now
) -> PreviewBody:
    """Tell what publishing would move, from grid and worker to grid and worker.

    Who only draws is told no number of households, and no worker.
    """

    def read(db: Connection) -> tuple[Case, Around]:
        scope = scope_of(db, principal, now)
        case = case_of(db, scope, the_change(db, scope, change_id))
        return case, around(db, scope, case, now)

    case, near = await store.read(read)

    def work() -> PreviewBody:
        preview = preview_of(case, occupants_of(case, near.residence), near)
        return preview_told(principal, preview)

    return await asyncio.to_thread(work)


@router.post(
    "/{change_id}/publish",
    response_model=ChangeBody,
    responses=problems(
        *_CHANGING, StaleBoundary, ChangeRefused, TooManyDependants, InvalidBody
    ),
)
async def publish_change(
    *, change_id: PathId, rev: IfMatch, principal: Publisher, store: StoreDep, now: Now
) -> Response:
    """Publish a draft: boundaries change, and what lives on moved ground follows, all at once.

    From a street or above, and not by who drew the edits. Dwellings go with their households,
    open incidents with their tasks; phones that hold both grids get only what moved. Workers of
    a closed grid hold the new ones made of it. Needs `If-Match`; repeating it changes nothing.
    """
    asking = Asking(principal=principal, now_ms=now)
    done = await publishing.publish(store, asking, change_id, rev=rev)
    return tagged(done, done.rev)
