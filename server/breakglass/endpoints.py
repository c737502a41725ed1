"""Break the glass, list who did, and review it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from server.breakglass import commands, queries
from server.breakglass.schemas import (
    BreakGlassRequest,
    GlassBody,
    GlassParameters,
    Review,
)
from server.breakglass.sight import BREAKING
from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, decode_cursor, paged
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/break-glass", tags=["break glass"])
Breaker = Annotated[Principal, Depends(require(*BREAKING))]
Officer = Annotated[Principal, Depends(require(Role.ADMIN))]
Either = Annotated[Principal, Depends(require(*BREAKING, Role.ADMIN))]


@router.post("", status_code=201, responses=problems(Forbidden, InvalidBody, TransitionRefused))
async def break_glass(
    *, body: BreakGlassRequest, principal: Breaker, store: StoreDep, now: Now
) -> GlassBody:
    """Read an area outside yours, or one household or resident there, in an emergency.

    It lets you read and look at what is masked, never write; it ends by itself after at most
    three hours; every answer it gives is in the access log under its id; and somebody else
    reviews it.
    """
    asking = Asking(principal=principal, now_ms=now)
    return await store.write(lambda db: commands.break_glass(db, asking, body))


@router.get("", responses=problems(Forbidden, InvalidParameter))
async def list_broken_glass(
    *,
    parameters: Annotated[GlassParameters, Query()],
    principal: Either,
    store: StoreDep,
    now: Now,
) -> Page[GlassBody]:
    """List broken glass, the newest first: officers that of their area, others their own."""
    key = decode_cursor(parameters.cursor, Id)
    readers, equal = commands.seen_by(principal)
    rows = await store.read(
        lambda db: queries.glasses(
            db,
            readers,
            equal=equal,
            reviewed=parameters.reviewed,
            before_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    return Page(items=[commands.body_of(row, now) for row in page], next=following)


@router.post(
    "/{glass_id}/review",
    responses=problems(Forbidden, NotFound, InvalidBody, TransitionRefused),
)
async def review_broken_glass(
    *, glass_id: PathId, body: Review, principal: Officer, store: StoreDep, now: Now
) -> GlassBody:
    """Say whether it was justified. One that is still open ends with that.

    `GET /v1/access-log?grant=…` shows what was read by it.
    """
    asking = Asking(principal=principal, now_ms=now)
    return await store.write(lambda db: commands.review(db, asking, glass_id, body))
