"""Service points: list, make, read, replace, retire."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.areas.queries import narrowed, scope_of
from server.consolewrites import Asking, tagged
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal, Role
from server.moment import AsOf, moment
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    AlreadyExists,
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
from server.servicepoints import commands
from server.servicepoints.queries import points_for
from server.servicepoints.reading import point_body
from server.servicepoints.schemas import (
    ServicePointBody,
    ServicePointCreate,
    ServicePointParameters,
    ServicePointPut,
)

router = APIRouter(prefix="/v1/service-points", tags=["areas"])
Office = Annotated[Principal, Depends(require(Role.DISPATCHER, Role.ADMIN))]
_CHANGING = (Forbidden, NotFound, TransitionRefused, PreconditionFailed, PreconditionRequired)


@router.get("", responses=problems(InvalidParameter))
async def list_service_points(
    *,
    parameters: Annotated[ServicePointParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[ServicePointBody]:
    """List the service points in, above and below your area, in the order of the ids.

    Those in force, or with `as_of` those that were then. Naming an `area` of yours leaves those
    that concern it: its own, and those above and below it.
    """
    key = decode_cursor(parameters.cursor, Id)
    as_of_ms = moment(parameters.as_of)
    at_ms = now if as_of_ms is None else as_of_ms
    rows = await store.read(
        lambda db: points_for(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            at_ms=at_ms,
            after_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    return Page(items=[point_body(row, at_ms=at_ms) for row in page], next=following)


@router.post(
    "",
    status_code=201,
    response_model=ServicePointBody,
    responses=problems(Forbidden, AlreadyExists, InvalidBody),
)
async def create_service_point(
    *, body: ServicePointCreate, principal: Office, store: StoreDep, now: Now
) -> Response:
    """Say where the office of an area is and when it is open, at most 20 an area.

    `GET /v1/locate` names it for every place whose smallest area with a service point this is.
    A repeat with the same `id` and values answers 200.
    """
    asking = Asking(principal=principal, now_ms=now)
    made, fresh = await store.write(lambda db: commands.make(db, asking, body))
    address = f"/v1/service-points/{made.id}" if fresh else None
    return tagged(made, made.rev, made_at=address)


@router.get(
    "/{point_id}",
    response_model=ServicePointBody,
    responses=problems(InvalidParameter, NotFound),
)
async def read_service_point(
    *,
    point_id: PathId,
    as_of: Annotated[AsOf, Query()] = None,
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Return one service point, also when it was retired; with `as_of` as it was then."""
    asking, as_of_ms = Asking(principal=principal, now_ms=now), moment(as_of)
    body = await store.read(lambda db: commands.found(db, asking, point_id, as_of_ms=as_of_ms))
    return tagged(body, body.rev)


@router.put(
    "/{point_id}",
    response_model=ServicePointBody,
    responses=problems(*_CHANGING, InvalidBody),
)
async def replace_service_point(
    *,
    point_id: PathId,
    body: ServicePointPut,
    rev: IfMatch,
    principal: Office,
    store: StoreDep,
    now: Now,
) -> Response:
    """Replace all that is said of a service point from now on. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    done = await store.write(lambda db: commands.replace(db, asking, point_id, body, rev=rev))
    return tagged(done, done.rev)


@router.post(
    "/{point_id}/retire", response_model=ServicePointBody, responses=problems(*_CHANGING)
)
async def retire_service_point(
    *, point_id: PathId, rev: IfMatch, principal: Office, store: StoreDep, now: Now
) -> Response:
    """Say that a service point is no more; what it was stays readable. Needs `If-Match`."""
    asking = Asking(principal=principal, now_ms=now)
    done = await store.write(lambda db: commands.retire(db, asking, point_id, rev=rev))
    return tagged(done, done.rev)
