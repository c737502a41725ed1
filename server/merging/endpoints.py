"""Merge two records that are one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.merging import commands
from server.merging.schemas import MergeBody, MergeRequest
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RecordMerged,
    TooManyDependants,
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/records", tags=["merging"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
MERGING_MS = 60_000


@router.post(
    "/{record_id}/merge",
    response_model=MergeBody,
    responses=problems(
        Forbidden,
        NotFound,
        RecordMerged,
        TransitionRefused,
        TooManyDependants,
        PreconditionFailed,
        InvalidBody,
        PreconditionRequired,
    ),
)
async def merge_record(
    *,
    record_id: PathId,
    body: MergeRequest,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Merge a household, resident, dwelling or incident into another one. Needs `If-Match`.

    What belongs to it goes over; where the two disagree a conflict is opened on the one that
    stays. Its address leads there from then on, and what phones still say of it counts there.
    """
    asking = Asking(principal=principal, now_ms=now)
    work = store.read if body.dry_run else store.write
    done = await work(
        lambda db: commands.merge(db, asking, record_id, body, rev=rev), timeout_ms=MERGING_MS
    )
    return tagged(done, done.rev)
