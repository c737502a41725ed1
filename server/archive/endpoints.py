"""Put records away and bring them back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from server.archive import commands
from server.archive.schemas import Reason, ShelvedBody
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
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
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/records", tags=["archive"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
_SHELVING = problems(
    Forbidden,
    NotFound,
    RecordMerged,
    TransitionRefused,
    PreconditionFailed,
    InvalidBody,
    PreconditionRequired,
)


@router.post("/{record_id}/archive", response_model=ShelvedBody, responses=_SHELVING)
async def archive_record(
    *,
    record_id: PathId,
    body: Reason,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Put a record away: phones drop it, lists leave it out. Needs `If-Match`.

    What belongs to it stays until it is put away itself. Incidents and tasks must be over.
    """
    asking = Asking(principal=principal, now_ms=now)
    done = await store.write(
        lambda db: commands.shelve(
            db, asking, record_id, archived=True, text=body.text, rev=rev
        )
    )
    return tagged(done, done.rev)


@router.post("/{record_id}/restore", response_model=ShelvedBody, responses=_SHELVING)
async def restore_record(
    *,
    record_id: PathId,
    body: Reason,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Bring back a record that was put away, with what arrived since. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    done = await store.write(
        lambda db: commands.shelve(
            db, asking, record_id, archived=False, text=body.text, rev=rev
        )
    )
    return tagged(done, done.rev)
