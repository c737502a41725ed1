"""Read conflicts and resolve them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed, scope_of
from server.conflicts import commands
from server.conflicts.commands import Choice, Take
from server.conflicts.reading import as_shown, conflict_page, the_conflict
from server.conflicts.schemas import (
    Choosing,
    ConflictBody,
    ConflictParameters,
    Ownership,
    Resolution,
)
from server.consolewrites import Asking, tagged
from server.db.store import Store
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NeedsPerson,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TransitionRefused,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1/conflicts", tags=["conflicts"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
_SETTLING = problems(
    Forbidden,
    NotFound,
    TransitionRefused,
    NeedsPerson,
    PreconditionFailed,
    InvalidBody,
    PreconditionRequired,
)


async def asking_now(principal: Dispatcher, now: Now) -> Asking:
    """Who settles a conflict, and when."""
    return Asking(principal=principal, now_ms=now)


AskingDep = Annotated[Asking, Depends(asking_now)]


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_conflicts(
    *,
    parameters: Annotated[ConflictParameters, Query()],
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[ConflictBody]:
    """List the conflicts of your area, the newest first, with all values and their authors."""
    key = decode_cursor(parameters.cursor, int, Id)
    named = {
        "status": parameters.status,
        "kind": parameters.kind,
        "field": parameters.field,
        "owner": parameters.owner,
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
    await reading.note("list", "conflict", (each.record for each in page))
    return Page(items=[as_shown(each) for each in page], next=following)


@router.get(
    "/{conflict_id}", response_model=ConflictBody, responses=problems(Forbidden, NotFound)
)
async def read_conflict(
    *,
    conflict_id: PathId,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Response:
    """Return one conflict; the `ETag` is that of the record."""
    found = await store.read(
        lambda db: the_conflict(db, scope_of(db, principal, now), conflict_id)
    )
    await reading.note("read", "conflict", (found.record,))
    return tagged(as_shown(found), found.rev)


@router.post("/{conflict_id}/resolve", response_model=ConflictBody, responses=_SETTLING)
async def resolve_conflict(
    *,
    conflict_id: PathId,
    body: Resolution,
    rev: IfMatch,
    asking: AskingDep,
    store: StoreDep,
) -> Response:
    """Choose the value that counts, also another. Needs `If-Match` with the record's `rev`."""
    choice = Choice(take=Take.GIVEN, value=body.value, note=body.note)
    return await _settle(store, asking, conflict_id, choice, rev=rev)


@router.post("/{conflict_id}/accept", response_model=ConflictBody, responses=_SETTLING)
async def accept_shown(
    *,
    conflict_id: PathId,
    body: Choosing,
    rev: IfMatch,
    asking: AskingDep,
    store: StoreDep,
) -> Response:
    """Let the value count that is shown meanwhile. Needs `If-Match` with the record's `rev`."""
    choice = Choice(take=Take.SHOWN, note=body.note)
    return await _settle(store, asking, conflict_id, choice, rev=rev)


@router.post("/{conflict_id}/take-other", response_model=ConflictBody, responses=_SETTLING)
async def take_other(
    *,
    conflict_id: PathId,
    body: Choosing,
    rev: IfMatch,
    asking: AskingDep,
    store: StoreDep,
) -> Response:
    """Let the other of two values count. Needs `If-Match` with the record's `rev`."""
    choice = Choice(take=Take.OTHER, note=body.note)
    return await _settle(store, asking, conflict_id, choice, rev=rev)


async def _settle(
    store: Store, asking: Asking, conflict_id: str, choice: Choice, *, rev: int
) -> Response:
    settled = await store.write(
        lambda db: commands.resolve(db, asking, conflict_id, choice, rev=rev)
    )
    return tagged(as_shown(settled), settled.rev)


@router.post(
    "/{conflict_id}/assign",
    response_model=ConflictBody,
    responses=problems(Forbidden, NotFound, TransitionRefused, InvalidBody),
)
async def assign_conflict(
    *, conflict_id: PathId, body: Ownership, asking: AskingDep, store: StoreDep
) -> Response:
    """Say who looks after an open conflict: a dispatcher who answers for its area."""
    found = await store.write(lambda db: commands.give(db, asking, conflict_id, body.account))
    return tagged(as_shown(found), found.rev)
