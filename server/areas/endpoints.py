"""The place tree: list, one, and what areas were called before."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from server.areas.naming import area_bodies, codes_of
from server.areas.queries import AreaRow, areas_in, ever_coded, scope_of
from server.areas.schemas import AreaBody, AreaCodesBody, AreaParameters, NamedAt
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal
from server.identity.principal import Principal
from server.moment import moment
from server.paging import Page, decode_cursor, paged
from server.problems import InvalidParameter, NotFound, problems
from server.recordids import PathId

router = APIRouter(prefix="/v1/areas", tags=["areas"])


@router.get("", responses=problems(InvalidParameter))
async def list_areas(
    *,
    parameters: Annotated[AreaParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[AreaBody]:
    """List the areas you may see, parents before children.

    With `as_of` and a `code`, the area that had the code then.
    """
    key = decode_cursor(parameters.cursor, int)
    as_of_ms = moment(parameters.as_of)
    named = {"parent_id": parameters.parent, "level": parameters.level}

    def read(db: Connection) -> Page[AreaBody]:
        coded = None if parameters.code is None else ever_coded(db, parameters.code)
        rows = areas_in(
            db,
            scope_of(db, principal, now),
            equal={name: value for name, value in named.items() if value is not None},
            among_ids=coded,
            after_lo=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
        page, following = paged(rows, parameters.limit, lambda row: (row.lo,))
        bodies = area_bodies(db, page, as_of_ms=as_of_ms)
        wanted = parameters.code
        return Page(
            items=[each for each in bodies if wanted in {None, each.code}], next=following
        )

    return await store.read(read)


@router.get("/{area_id}", responses=problems(InvalidParameter, NotFound))
async def read_area(
    *,
    area_id: PathId,
    as_of: Annotated[NamedAt, Query()] = None,
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> AreaBody:
    """Return one area. Outside your own it is not found."""
    as_of_ms = moment(as_of)
    return await store.read(
        lambda db: area_bodies(db, [_area(db, principal, area_id, now)], as_of_ms=as_of_ms)[0]
    )


@router.get("/{area_id}/codes", responses=problems(NotFound))
async def read_codes(
    *, area_id: PathId, principal: CurrentPrincipal, store: StoreDep, now: Now
) -> AreaCodesBody:
    """Return every code and name an area had, the newest first; of grids see the versions."""
    return await store.read(lambda db: codes_of(db, _area(db, principal, area_id, now)))


def _area(db: Connection, principal: Principal, area_id: str, now: int) -> AreaRow:
    scope = scope_of(db, principal, now)
    rows = areas_in(db, scope, equal={"id": area_id}, after_lo=None, limit=1)
    if not rows:
        raise NotFound
    return rows[0]
