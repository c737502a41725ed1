"""Ask for a proposal of nearly equal grids; it is a draft like any other."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.boundaries import drafting
from server.boundaries.access import DRAWING, PUBLISHING
from server.boundaries.drawing import read_shapes
from server.boundaries.examining import Case, case_of
from server.boundaries.moving import occupants_of
from server.boundaries.previewing import Around, around, preview_of
from server.boundaries.problems import StaleBoundary
from server.boundaries.proposing import parts_told, proposed, quarter_of, read_barriers
from server.boundaries.reading import the_change
from server.boundaries.schemas import ChangeBody, ProposalBody, ProposalRequest
from server.boundaries.telling import preview_told
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal
from server.problems import Forbidden, InvalidBody, NotFound, problems
from server.recordids import PathId

router = APIRouter(prefix="/v1/areas", tags=["boundaries"])
Drawer = Annotated[Principal, Depends(require(*DRAWING))]


@router.post(
    "/{area_id}/partition-proposals",
    status_code=201,
    response_model=ProposalBody,
    responses=problems(Forbidden, NotFound, StaleBoundary, InvalidBody),
)
async def propose_partition(
    *, area_id: PathId, body: ProposalRequest, principal: Drawer, store: StoreDep, now: Now
) -> Response:
    """Draw up grids of about `households` each for a community, with what that would move.

    Each is connected, and near the wanted number as far as houses can be told apart; borders go
    along `barriers` where they can. The answer is a draft that moves nothing: change it,
    discard it, or let it be published. The same homes, barriers and `seed` give the same.
    """
    asking = Asking(principal=principal, now_ms=now)
    barriers = (
        [] if body.barriers is None else await asyncio.to_thread(read_barriers, body.barriers)
    )
    quarter = await store.read(lambda db: quarter_of(db, scope_of(db, principal, now), area_id))
    proposal = await asyncio.to_thread(proposed, quarter, body, barriers)
    shapes = await asyncio.to_thread(read_shapes, proposal.draft)

    def draw(db: Connection) -> tuple[ChangeBody, Case, Around]:
        made = drafting.draw(db, asking, proposal.draft, shapes)
        scope = scope_of(db, principal, now)
        case = case_of(db, scope, the_change(db, scope, made.id))
        return made, case, around(db, scope, case, now)

    made, case, near = await store.write(draw)

    def told() -> ProposalBody:
        return ProposalBody(
            change=made,
            parts=parts_told(proposal, counts=principal.role in PUBLISHING),
            deviation=round(proposal.deviation, 4),
            preview=preview_told(
                principal, preview_of(case, occupants_of(case, near.residence), near)
            ),
        )

    answer = await asyncio.to_thread(told)
    return tagged(answer, made.rev, made_at=f"/v1/boundary-changes/{made.id}")
