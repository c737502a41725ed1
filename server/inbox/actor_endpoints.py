"""Calls about workers who share a phone (交接): accept one, list them, end it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal
from server.identity.rules import ENROLLING
from server.inbox import actors
from server.inbox.schemas import ActorAcceptance, ActorAccepted, ActorList
from server.problems import Forbidden, InvalidBody, NotFound, TransitionRefused, problems
from server.recordids import PathId

router = APIRouter(prefix="/v1/devices/{device}/actors", tags=["inbox"])
Accepter = Annotated[Principal, Depends(require(*ENROLLING))]


@router.post("", responses=problems(Forbidden, NotFound, TransitionRefused, InvalidBody))
async def accept_actor(
    *,
    device: PathId,
    principal: Accepter,
    store: StoreDep,
    now: Now,
    body: ActorAcceptance | None = None,
) -> ActorAccepted:
    """Let another worker act on a phone, and apply what waited for that.

    A worker sends it with the own token and no body; a dispatcher names a worker. Work that
    this worker already did on the phone, before or after, counts as the worker's own. Safe to
    repeat: it goes on with what still waits.
    """
    named = None if body is None else body.account
    asking = Asking(principal=principal, now_ms=now)
    return await store.write(lambda db: actors.accept(db, asking, device, named))


@router.get("", responses=problems(NotFound))
async def list_actors(
    *, device: PathId, principal: CurrentPrincipal, store: StoreDep
) -> ActorList:
    """List the workers who may or might act on a phone beside the one it belongs to."""
    return await store.read(lambda db: actors.readable_actors(db, principal, device))


@router.delete("/{account}", status_code=204, responses=problems(NotFound))
async def end_actor(
    *, device: PathId, account: PathId, principal: CurrentPrincipal, store: StoreDep, now: Now
) -> Response:
    """Stop accepting a worker on a phone; what was done before still counts."""
    asking = Asking(principal=principal, now_ms=now)
    await store.write(lambda db: actors.end(db, asking, device, account))
    return Response(status_code=204)
