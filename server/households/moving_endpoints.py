"""Move a household or a resident, split a household, and read who lived at a dwelling."""

from fastapi import APIRouter, Response

from server.accesslog.access import ReadingDep
from server.areas.queries import scope_of
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.households import moving
from server.households.access import RegistryPrincipal
from server.households.moving_schemas import (
    HouseholdMove,
    HouseholdSplit,
    ResidentMove,
    Stays,
)
from server.households.schemas import HouseholdWithResidents, ResidentBody
from server.preconditions import IfMatch
from server.problems import (
    AlreadyExists,
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

router = APIRouter(prefix="/v1", tags=["households"])
_MOVING = problems(
    Forbidden,
    NotFound,
    RecordMerged,
    TransitionRefused,
    TooManyDependants,
    PreconditionFailed,
    InvalidBody,
    PreconditionRequired,
)


@router.post(
    "/households/{household_id}/move",
    response_model=HouseholdWithResidents,
    responses=_MOVING,
)
async def move_household(
    *,
    household_id: PathId,
    body: HouseholdMove,
    rev: IfMatch,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Let a household live at another dwelling, in whatever grid. Needs `If-Match`.

    Its residents, visits and notes go with it; phones of the old grid drop them. Who had moved
    out is active again.
    """
    asking = Asking(principal=principal, now_ms=now)
    moved = await store.write(
        lambda db: moving.move_household(db, asking, household_id, body, rev=rev)
    )
    return tagged(moved, moved.rev)


@router.post("/residents/{resident_id}/move", response_model=ResidentBody, responses=_MOVING)
async def move_resident(
    *,
    resident_id: PathId,
    body: ResidentMove,
    rev: IfMatch,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Let a resident live in another household. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    moved = await store.write(
        lambda db: moving.move_resident(db, asking, resident_id, body, rev=rev)
    )
    return tagged(moved, moved.rev)


@router.post(
    "/households/{household_id}/split",
    status_code=201,
    response_model=HouseholdWithResidents,
    responses={**_MOVING, **problems(AlreadyExists, PreconditionFailed)},
)
async def split_household(
    *,
    household_id: PathId,
    body: HouseholdSplit,
    rev: IfMatch,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Make some residents a household of their own, and answer with that. Needs `If-Match`.

    A repeat with the same `id`, dwelling and residents answers 200.
    """
    asking = Asking(principal=principal, now_ms=now)
    made, fresh = await store.write(
        lambda db: moving.split_household(db, asking, household_id, body, rev=rev)
    )
    address = f"/v1/households/{made.id}" if fresh else None
    return tagged(made, made.rev, made_at=address)


@router.get("/dwellings/{dwelling_id}/households", responses=problems(Forbidden, NotFound))
async def list_stays(
    *,
    dwelling_id: PathId,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Stays:
    """Tell which households lived at a dwelling, from when to when, the latest arrivals first.

    At most 500. Where those that left live now is not said; what was erased is not shown.
    """
    found = await store.read(
        lambda db: moving.stays_at(db, scope_of(db, principal, now), dwelling_id)
    )
    await reading.note(
        "list", "household", dict.fromkeys(each.household for each in found.items)
    )
    return found
