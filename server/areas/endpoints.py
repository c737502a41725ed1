"""The place tree: list and one."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.areas.queries import AreaRow, areas_in, scope_of
from server.areas.schemas import AreaBody, AreaParameters
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal
from server.paging import Page, decode_cursor, paged
from server.problems import InvalidParameter, NotFound, problems
from server.recordids import PathId

router = APIRouter(prefix="/v1/areas", tags=["areas"])


def _body(row: AreaRow) -> AreaBody:
    return AreaBody(
        id=row.id, code=row.code, name=row.name, level=row.level, parent=row.parent_id
    )


@router.get("", responses=problems(InvalidParameter))
async def list_areas(
    *,
    parameters: Annotated[AreaParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[AreaBody]:
    """List the areas you may see, parents before children."""
    key = decode_cursor(parameters.cursor, int)
    named = {"parent_id": parameters.parent, "level": parameters.level, "code": parameters.code}
    rows = await store.read(
        lambda db: areas_in(
            db,
            scope_of(db, principal, now),
            equal={name: value for name, value in named.items() if value is not None},
            after_lo=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.lo,))
    return Page(items=[_body(row) for row in page], next=following)


@router.get("/{area_id}", responses=problems(NotFound))
async def read_area(
    *, area_id: PathId, principal: CurrentPrincipal, store: StoreDep, now: Now
) -> AreaBody:
    """Return one area. Outside your own it is not found."""
    rows = await store.read(
        lambda db: areas_in(
            db, scope_of(db, principal, now), equal={"id": area_id}, after_lo=None, limit=1
        )
    )
    if not rows:
        raise NotFound
    return _body(rows[0])
