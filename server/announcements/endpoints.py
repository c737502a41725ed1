"""Make, change and read announcements; one is withdrawn by putting its record away."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.announcements import commands, queries
from server.announcements.schemas import (
    AnnouncementBody,
    AnnouncementCreate,
    AnnouncementParameters,
    AnnouncementPatch,
)
from server.areas.queries import scope_of
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/announcements", tags=["announcements"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]


@router.get("", responses=problems(InvalidParameter))
async def list_announcements(
    *,
    parameters: Annotated[AnnouncementParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[AnnouncementBody]:
    """List what is announced in, above and below your area, in the order of the ids."""
    key = decode_cursor(parameters.cursor, Id)
    wanted = queries.Wanted(now_ms=now, over=parameters.over, area=parameters.area)
    rows = await store.read(
        lambda db: queries.announcements_for(
            db,
            scope_of(db, principal, now),
            wanted,
            after_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    return Page(items=[commands.announcement_body(row) for row in page], next=following)


@router.post(
    "",
    status_code=201,
    response_model=AnnouncementBody,
    responses=problems(Forbidden, AlreadyExists, InvalidBody),
)
async def create_announcement(
    *, body: AnnouncementCreate, principal: Dispatcher, store: StoreDep, now: Now
) -> Response:
    """Tell everybody who works in an area or below it something, until a date.

    A repeat with the same `id` and values answers 200. To withdraw it before the date, put its
    record away: `POST /v1/records/{record_id}/archive`.
    """
    asking = Asking(principal=principal, now_ms=now)
    made, fresh = await store.write(lambda db: commands.announce(db, asking, body))
    address = f"/v1/announcements/{made.id}" if fresh else None
    return tagged(made, made.rev, made_at=address)


@router.get("/{announcement_id}", response_model=AnnouncementBody, responses=problems(NotFound))
async def read_announcement(
    *, announcement_id: PathId, principal: CurrentPrincipal, store: StoreDep, now: Now
) -> Response:
    """Return one announcement, also when it is over."""
    found = await store.read(
        lambda db: commands.the_announcement(db, scope_of(db, principal, now), announcement_id)
    )
    return tagged(found, found.rev)


@router.patch(
    "/{announcement_id}",
    response_model=AnnouncementBody,
    responses=problems(
        Forbidden, NotFound, PreconditionFailed, InvalidBody, PreconditionRequired
    ),
)
async def change_announcement(
    *,
    announcement_id: PathId,
    body: AnnouncementPatch,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Change the words or the date of an announcement of your area. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    changed = await store.write(
        lambda db: commands.change(db, asking, announcement_id, body, rev=rev)
    )
    return tagged(changed, changed.rev)
