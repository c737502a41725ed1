"""Grids as GeoJSON, and the check of a document before it is imported."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response

from server.areas.queries import narrowed, scope_of
from server.deps import JsonBody, Now, StoreDep
from server.grids.importing import check_degrees, import_grids_for
from server.grids.queries import grid_in, grids_in
from server.grids.reading import grid_features, history_of
from server.grids.reassigning import reassign
from server.grids.schemas import (
    GridHistoryBody,
    GridParameters,
    ImportParameters,
    Reassigned,
    ValidationBody,
)
from server.grids.validation import validate_geojson
from server.households.access import USING
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal, Role
from server.layers.bounds import parse_bbox
from server.layers.features import MEDIA_TYPE, collection_text
from server.moment import AsOf, moment
from server.paging import decode_cursor, paged
from server.preconditions import etag_of
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NotFound,
    TooManyDependants,
    problems,
)
from server.recordids import PathId

router = APIRouter(prefix="/v1", tags=["grids"])
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
_GEOJSON: dict[str, Any] = {
    "content": {MEDIA_TYPE: {"schema": {"type": "object"}}},
    "description": "GeoJSON (RFC 7946), WGS 84, longitude first.",
}
_ANY_GEOJSON: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            MEDIA_TYPE: {"schema": {"type": "object"}},
        },
    }
}


@router.get(
    "/grids",
    response_class=Response,
    responses=problems(InvalidParameter) | {200: _GEOJSON},
)
async def list_grids(
    *,
    parameters: Annotated[GridParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Return the grids you may see as a FeatureCollection, communities together.

    Those in force now, or with `as_of` those that were in force then, as they were. `next` and
    the link `next` lead to the following page.
    """
    bounds = None if parameters.bbox is None else parse_bbox(parameters.bbox)
    key = decode_cursor(parameters.cursor, int)
    as_of_ms = moment(parameters.as_of)
    rows = await store.read(
        lambda db: grids_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            as_of_ms=as_of_ms,
            bounds=bounds,
            after_no=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.area_no,))
    members: dict[str, Any] = {"numberReturned": len(page), "next": following}
    if following is not None:
        asked = parameters.model_dump(exclude_none=True) | {"cursor": following}
        address = f"/v1/grids?{urlencode(asked)}"
        members["links"] = [{"rel": "next", "type": MEDIA_TYPE, "href": address}]
    return Response(collection_text(grid_features(page), members), media_type=MEDIA_TYPE)


@router.get(
    "/grids/{grid_id}",
    response_class=Response,
    responses=problems(InvalidParameter, NotFound) | {200: _GEOJSON},
)
async def read_grid(
    *,
    grid_id: PathId,
    as_of: Annotated[AsOf, Query()] = None,
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Response:
    """Return one grid as a Feature. Outside your area it is not found.

    A retired grid is shown as it last was, with `valid_to`; with `as_of` as it was then.
    """
    as_of_ms = moment(as_of)
    row = await store.read(
        lambda db: grid_in(db, scope_of(db, principal, now), grid_id, as_of_ms=as_of_ms)
    )
    if row is None:
        raise NotFound
    headers = {"etag": etag_of(row.rev)}
    return Response(grid_features([row])[0], headers=headers, media_type=MEDIA_TYPE)


@router.get("/grids/{grid_id}/versions", responses=problems(NotFound))
async def read_versions(
    *, grid_id: PathId, principal: CurrentPrincipal, store: StoreDep, now: Now
) -> GridHistoryBody:
    """Return every version of a grid, and where ground came from and went to.

    At most 500 of each, the newest first. How many households went with the ground is told to
    those who may see each of them; others have the counts of the layer `household-counts`.
    """
    counts = principal.role in USING
    return await store.read(
        lambda db: history_of(db, scope_of(db, principal, now), grid_id, counts=counts)
    )


@router.post(
    "/grids/{grid_id}/reassign", responses=problems(Forbidden, NotFound, TooManyDependants)
)
async def reassign_grid(
    *,
    grid_id: PathId,
    dry_run: Annotated[bool, Query(description="True: only count.")] = False,
    principal: Admin,
    store: StoreDep,
) -> Reassigned:
    """Move the dwellings whose point lies in another grid since the boundaries were redrawn.

    Their households follow, with residents, visits and notes. Phones that hold both grids get
    only what moved. The call may be repeated: what is right already stays.
    """
    return await reassign(store, principal, grid_id, dry_run=dry_run)


@router.post("/geojson:validate", responses=problems(InvalidBody), openapi_extra=_ANY_GEOJSON)
async def validate(*, document: JsonBody, principal: CurrentPrincipal) -> ValidationBody:
    """Check a GeoJSON document (RFC 7946 and OGC validity); nothing is stored or repaired."""
    del principal
    return await asyncio.to_thread(validate_geojson, document)


@router.post(
    "/grids:import",
    responses=problems(Forbidden, InvalidBody, InvalidParameter),
    openapi_extra=_ANY_GEOJSON,
)
async def import_grid_collection(
    *,
    parameters: Annotated[ImportParameters, Query()],
    document: JsonBody,
    principal: Admin,
    store: StoreDep,
) -> dict[str, Any]:
    """Import grids from a FeatureCollection with the properties code, name and community.

    Every shape is checked alone and with its neighbours; if one is refused nothing is written.
    With `dry_run` nothing is written either way and the report says what would happen.
    """
    check_degrees(parameters.crs)
    return await import_grids_for(store, principal, document, dry_run=parameters.dry_run)
