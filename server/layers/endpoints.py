"""Layers as GeoJSON, by place, area, time and reference system."""

import asyncio
import hashlib
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from geo.layers import LAYERS, Layer
from server.areas.queries import narrowed, scope_of
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.layers.bounds import Bounds, parse_bbox
from server.layers.features import MEDIA_TYPE, collection_text
from server.layers.interval import parse_interval
from server.layers.queries import LayerRow, Selection, layer_rows
from server.layers.reading import check_system, layer_features
from server.layers.schemas import (
    LayerBody,
    LayerFieldBody,
    LayerList,
    LayerParameters,
)
from server.layers.systems import ReferenceSystemError, System, find_system
from server.paging import decode_cursor, paged
from server.problems import Forbidden, InvalidParameter, NotFound, problems

router = APIRouter(prefix="/v1/layers", tags=["layers"])
Analyst = Annotated[Principal, Depends(require(Role.ANALYST, Role.DISPATCHER, Role.ADMIN))]
_GEOJSON: dict[str, Any] = {
    "content": {MEDIA_TYPE: {"schema": {"type": "object"}}},
    "description": "GeoJSON. `Content-Crs` names the reference system of the coordinates.",
}


def _system(text: str, parameter: str) -> System:
    try:
        return find_system(text)
    except ReferenceSystemError as fault:
        raise InvalidParameter(f"{parameter}: {fault}", parameter=parameter) from None


def _bounds(parameters: LayerParameters) -> Bounds | None:
    if parameters.bbox is None:
        return None
    system = _system(parameters.bbox_crs, "bbox-crs")
    given = parse_bbox(parameters.bbox, degrees=system.project is None)
    try:
        return system.to_degrees(given)
    except ReferenceSystemError as fault:
        raise InvalidParameter(f"bbox: {fault}", parameter="bbox") from None


def _described(layer: Layer) -> LayerBody:
    return LayerBody(
        id=layer.id,
        title=layer.title,
        description=layer.description,
        geometry=layer.geometry.value,
        time_field=layer.time_field,
        fields=[
            LayerFieldBody(name=each.name, title=each.title, kind=each.kind.value)
            for each in layer.fields
        ],
        href=f"/v1/layers/{layer.id}",
    )


@router.get("", responses=problems(Forbidden))
async def list_layers(*, principal: Analyst) -> LayerList:
    """List the layers with their fields. No layer holds personal data or free text."""
    del principal
    return LayerList(items=[_described(layer) for layer in LAYERS.values()])


def _page_text(
    layer: Layer, rows: list[LayerRow], system: System, parameters: LayerParameters
) -> bytes:
    page, following = paged(rows, parameters.limit, lambda row: (row.fid,))
    try:
        check_system(page, system)
    except ReferenceSystemError as fault:
        raise InvalidParameter(f"crs: {fault}", parameter="crs") from None
    members: dict[str, Any] = {
        "coordRefSys": system.uri,
        "numberReturned": len(page),
        "next": following,
    }
    if following is not None:
        asked = parameters.model_dump(exclude_defaults=True, by_alias=True)
        address = f"/v1/layers/{layer.id}?{urlencode(asked | {'cursor': following})}"
        members["links"] = [{"rel": "next", "type": MEDIA_TYPE, "href": address}]
    return collection_text(layer_features(layer, page, system), members)


@router.get(
    "/{layer}",
    response_class=Response,
    responses=problems(InvalidParameter, Forbidden, NotFound)
    | {200: _GEOJSON, 304: {"description": "Nothing has changed since `If-None-Match`."}},
)
async def read_layer(
    *,
    layer: Annotated[str, Path(json_schema_extra={"enum": list(LAYERS)})],
    parameters: Annotated[LayerParameters, Query()],
    if_none_match: Annotated[str | None, Header()] = None,
    principal: Analyst,
    store: StoreDep,
    now: Now,
) -> Response:
    """Return features of a layer as GeoJSON, in the order they were first stored.

    `next` and the link `next` lead to the following page; everything is inside your area.
    """
    published = LAYERS.get(layer)
    if published is None:
        raise NotFound
    system = _system(parameters.crs, "crs")
    key = decode_cursor(parameters.cursor, int)
    selection = Selection(
        bounds=_bounds(parameters),
        interval=parse_interval(parameters.datetime),
        after_fid=None if key is None else key[0],
    )
    rows = await store.read(
        lambda db: layer_rows(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            published,
            selection=selection,
            limit=parameters.limit + 1,
        )
    )
    text = await asyncio.to_thread(_page_text, published, list(rows), system, parameters)
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {
        "etag": tag,
        "content-crs": f"<{system.uri}>",
        "cache-control": "private, no-cache",
    }
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=MEDIA_TYPE)
