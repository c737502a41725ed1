"""Read conflicts and resolve them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.areas.queries import narrowed, scope_of
from server.conflicts import commands
from server.conflicts.reading import conflict_page, the_conflict
from server.conflicts.schemas import ConflictBody, ConflictParameters, Resolution
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.paging import Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/conflicts", tags=["conflicts"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_conflicts(
    *,
    parameters: Annotated[ConflictParameters, Query()],
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Page[ConflictBody]:
    """List the conflicts of your area, the newest first, with all values and their authors."""
    key = decode_cursor(parameters.cursor, int, str)
    named = {
        "status": parameters.status,
        "kind": parameters.kind,
        "field": parameters.field,
    }
    found = await store.read(
        lambda db: conflict_page(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal={name: value for name, value in named.items() if value is not None},
            after=key,
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(found, parameters.limit, lambda each: (each.opened_ms, each.id))
    return Page(items=list(page), next=following)


@router.get(
    "/{conflict_id}", response_model=ConflictBody, responses=problems(Forbidden, NotFound)
)
async def read_conflict(
    *, conflict_id: PathId, principal: Dispatcher, store: StoreDep, now: Now
) -> Response:
    """Return one conflict; the `ETag` is that of the record."""
    found = await store.read(
        lambda db: the_conflict(db, scope_of(db, principal, now), conflict_id)
    )
    return tagged(found, found.rev)


@router.post(
    "/{conflict_id}/resolve",
    response_model=ConflictBody,
    responses=problems(
        Forbidden,
        NotFound,
        TransitionRefused,
        PreconditionFailed,
        InvalidBody,
        PreconditionRequired,
    ),
)
async def resolve_conflict(
    *,
    conflict_id: PathId,
    body: Resolution,
    rev: IfMatch,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Choose the value that counts. Needs `If-Match` with the record's revision."""
    asking = Asking(principal=principal, now_ms=now)
    settled = await store.write(
        lambda db: commands.resolve(db, asking, conflict_id, body.value, rev=rev)
    )
    return tagged(settled, settled.rev)
