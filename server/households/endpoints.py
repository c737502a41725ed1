"""Read and change households, their residents, and read the visits paid to them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed, scope_of
from server.breakglass.sight import Sight, sight_of
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.households import commands, queries
from server.households.access import RegistryPrincipal
from server.households.reading import (
    dwelling_place,
    household_body,
    household_seen,
    resident_body,
    the_resident,
    visit_body,
    visits_to,
)
from server.households.schemas import (
    DwellingParameters,
    DwellingPlace,
    HouseholdBody,
    HouseholdCreate,
    HouseholdParameters,
    HouseholdPatch,
    HouseholdWithResidents,
    ResidentBody,
    ResidentCreate,
    ResidentPatch,
    VisitBody,
)
from server.paging import Id, Page, PageParameters, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NeedsPerson,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RecordMerged,
    problems,
)
from server.recordids import PathId
from server.replication.standing import MOVED, moved_to

router = APIRouter(prefix="/v1", tags=["households"])
_CHANGING = problems(
    Forbidden,
    NotFound,
    NeedsPerson,
    RecordMerged,
    PreconditionFailed,
    InvalidBody,
    PreconditionRequired,
)
_CREATING = problems(Forbidden, NotFound, AlreadyExists, RecordMerged, InvalidBody)


@router.get("/dwellings", responses=problems(InvalidParameter, Forbidden))
async def list_dwellings(
    *,
    parameters: Annotated[DwellingParameters, Query()],
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[DwellingPlace]:
    """List the dwellings you may see, where households can live, in the order of their ids."""
    key = decode_cursor(parameters.cursor, Id)
    named = {
        "grid_id": parameters.grid,
        "code": parameters.code,
        "archived": parameters.archived,
    }
    rows = await store.read(
        lambda db: queries.dwellings_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal={name: value for name, value in named.items() if value is not None},
            after_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    return Page(items=[dwelling_place(row) for row in page], next=following)


@router.get("/households", responses=problems(InvalidParameter, Forbidden))
async def list_households(
    *,
    parameters: Annotated[HouseholdParameters, Query()],
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[HouseholdBody]:
    """List the households you may see, in the order of their ids."""
    key = decode_cursor(parameters.cursor, Id)
    named = {
        "grid_id": parameters.grid,
        "status": parameters.status,
        "archived": parameters.archived,
    }

    def read(db: Connection) -> tuple[Sight, Sequence[queries.RegistryRow]]:
        sight = sight_of(db, principal, now)
        return sight, queries.households_in(
            db,
            narrowed(db, sight.scope, parameters.area),
            equal={name: value for name, value in named.items() if value is not None}
            | {"restricted": None},
            after_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )

    sight, rows = await store.read(read)
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    glass = sight.glass(row.area_no for row in page)
    await reading.note("list", "household", (row.id for row in page), glass=glass)
    return Page(items=[household_body(row) for row in page], next=following)


@router.post(
    "/households",
    status_code=201,
    response_model=HouseholdWithResidents,
    responses=_CREATING,
)
async def create_household(
    *, body: HouseholdCreate, principal: RegistryPrincipal, store: StoreDep, now: Now
) -> Response:
    """Create a household at a dwelling. A repeat with the same `id` and values answers 200."""
    asking = Asking(principal=principal, now_ms=now)
    made, fresh = await store.write(lambda db: commands.create_household(db, asking, body))
    address = f"/v1/households/{made.id}" if fresh else None
    return tagged(made, made.rev, made_at=address)


@router.get(
    "/households/{household_id}",
    response_model=HouseholdWithResidents,
    responses={**problems(Forbidden, NotFound), **MOVED},
)
async def read_household(
    *,
    household_id: PathId,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Response:
    """Return a household with its residents; the `ETag` covers the household itself."""
    try:
        found, glass = await store.read(
            lambda db: household_seen(
                db, sight_of(db, principal, now, about=(household_id,)), household_id
            )
        )
    except RecordMerged as merged:
        return moved_to(f"/v1/households/{merged.into}")
    ids = (found.id, *(each.id for each in found.residents))
    await reading.note("read", "household", ids, glass=glass)
    return tagged(found, found.rev)


@router.patch(
    "/households/{household_id}", response_model=HouseholdWithResidents, responses=_CHANGING
)
async def change_household(
    *,
    household_id: PathId,
    body: HouseholdPatch,
    rev: IfMatch,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Change the fields that are named; null clears a field. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    changed = await store.write(
        lambda db: commands.change_household(db, asking, household_id, body, rev=rev)
    )
    return tagged(changed, changed.rev)


@router.get(
    "/households/{household_id}/residents",
    response_model=Page[ResidentBody],
    responses={**problems(Forbidden, NotFound), **MOVED},
)
async def list_residents(
    *,
    household_id: PathId,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[ResidentBody] | Response:
    """List the residents of a household, at most 500, in one page."""
    try:
        found, glass = await store.read(
            lambda db: household_seen(
                db, sight_of(db, principal, now, about=(household_id,)), household_id
            )
        )
    except RecordMerged as merged:
        return moved_to(f"/v1/households/{merged.into}/residents")
    await reading.note("list", "resident", (each.id for each in found.residents), glass=glass)
    return Page(items=found.residents, next=None)


@router.post(
    "/households/{household_id}/residents",
    status_code=201,
    response_model=ResidentBody,
    responses=_CREATING,
)
async def create_resident(
    *,
    household_id: PathId,
    body: ResidentCreate,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Add a resident to a household. A repeat with the same `id` and values answers 200."""
    asking = Asking(principal=principal, now_ms=now)
    made, fresh = await store.write(
        lambda db: commands.create_resident(db, asking, household_id, body)
    )
    return tagged(made, made.rev, made_at=f"/v1/residents/{made.id}" if fresh else None)


@router.get(
    "/residents/{resident_id}",
    response_model=ResidentBody,
    responses={**problems(Forbidden, NotFound), **MOVED},
)
async def read_resident(
    *,
    resident_id: PathId,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Response:
    """Return one resident."""

    def read(db: Connection) -> tuple[Sight, queries.RegistryRow]:
        sight = sight_of(db, principal, now, about=(resident_id,))
        return sight, the_resident(db, sight.scope, resident_id)

    try:
        sight, row = await store.read(read)
    except RecordMerged as merged:
        return moved_to(f"/v1/residents/{merged.into}")
    await reading.note("read", "resident", (row.id,), glass=sight.glass((row.area_no,)))
    return tagged(resident_body(row), row.rev)


@router.patch("/residents/{resident_id}", response_model=ResidentBody, responses=_CHANGING)
async def change_resident(
    *,
    resident_id: PathId,
    body: ResidentPatch,
    rev: IfMatch,
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Change the fields that are named; null clears a field. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    changed = await store.write(
        lambda db: commands.change_resident(db, asking, resident_id, body, rev=rev)
    )
    return tagged(changed, changed.rev)


@router.get(
    "/households/{household_id}/visits",
    response_model=Page[VisitBody],
    responses={**problems(InvalidParameter, Forbidden), **MOVED},
)
async def list_visits(
    *,
    household_id: PathId,
    parameters: Annotated[PageParameters, Query()],
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[VisitBody] | Response:
    """List the visits paid to a household, the newest arrival first."""
    key = decode_cursor(parameters.cursor, int, Id)

    def read(db: Connection) -> tuple[Sight, Sequence[queries.RegistryRow]]:
        sight = sight_of(db, principal, now, about=(household_id,))
        return sight, visits_to(
            db, sight.scope, household_id, after=key, limit=parameters.limit + 1
        )

    try:
        sight, rows = await store.read(read)
    except RecordMerged as merged:
        return moved_to(f"/v1/households/{merged.into}/visits", parameters)
    page, following = paged(rows, parameters.limit, lambda row: (row.created_ms, row.id))
    ids = (household_id, *(row.id for row in page)) if page else ()
    glass = sight.glass(row.area_no for row in page)
    await reading.note("list", "visit", ids, glass=glass)
    return Page(items=[visit_body(row) for row in page], next=following)
