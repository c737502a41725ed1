"""Erase people and what belongs to them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.erasure import commands
from server.erasure.schemas import ErasureBody, ErasureRequest
from server.identifiers.destroying import DestroyingDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RecordMerged,
    TooManyDependants,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/records", tags=["erasure"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
ERASING_MS = 60_000


async def the_asking(principal: Dispatcher, now: Now) -> Asking:
    """Return who erases, and when."""
    return Asking(principal=principal, now_ms=now)


@router.post(
    "/{record_id}/erase",
    response_model=ErasureBody,
    responses=problems(
        Forbidden,
        NotFound,
        RecordMerged,
        TooManyDependants,
        PreconditionFailed,
        InvalidBody,
        PreconditionRequired,
    ),
)
async def erase_record(
    *,
    record_id: PathId,
    body: ErasureRequest,
    rev: IfMatch,
    asking: Annotated[Asking, Depends(the_asking)],
    store: StoreDep,
    destroy: DestroyingDep,
) -> Response:
    """Erase a household, resident, visit or note for good, with all below. Needs `If-Match`.

    Names, numbers and texts go from every table and from phones, and the keys of identity
    numbers are destroyed; ids stay, and that visits took place. It cannot be undone, and the
    same ids never come back.
    """
    work = store.read if body.dry_run else store.write
    done = await work(
        lambda db: commands.erase(db, asking, record_id, body, rev=rev), timeout_ms=ERASING_MS
    )
    if not body.dry_run:
        await destroy()
        await store.scrub()
    return tagged(done, done.rev)
