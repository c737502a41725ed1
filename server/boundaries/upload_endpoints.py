"""Grids from a file that is sent as it is."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from server.boundaries.access import DRAWING
from server.boundaries.schemas import FileParameters, ImportedBody
from server.boundaries.uploading import import_file
from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal
from server.problems import (
    BodyTimeout,
    BodyTooLarge,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    UnsupportedMedia,
    problems,
)

router = APIRouter(prefix="/v1", tags=["boundaries"])
Drawer = Annotated[Principal, Depends(require(*DRAWING))]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_MEDIA_TYPES = (
    "application/octet-stream",
    "application/geo+json",
    "application/geopackage+sqlite3",
    "application/flatgeobuf",
    "application/zip",
)
_FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": dict.fromkeys(_MEDIA_TYPES, _BINARY)}
}


@router.post(
    "/grids:upload",
    openapi_extra=_FILE,
    responses=problems(
        BodyTimeout,
        BodyTooLarge,
        Forbidden,
        InvalidBody,
        InvalidParameter,
        UnsupportedMedia,
    ),
)
async def upload_grids(
    *,
    request: Request,
    parameters: Annotated[FileParameters, Query()],
    principal: Drawer,
    store: StoreDep,
    now: Now,
) -> ImportedBody:
    """Import grids from GeoJSON, GeoPackage, FlatGeobuf or a zip with one shapefile.

    The format is known by how the file begins, not by its type. Where its communities have no
    grids yet, an administrator's file is written. Where they have, it becomes a draft of a
    boundary change, which moves nothing before somebody else publishes it; sending the same
    file again answers with the same draft. If one grid is refused nothing is stored. Nothing is
    repaired. With `dry_run` nothing is stored either way.
    """
    asking = Asking(principal=principal, now_ms=now)
    return await import_file(
        store, asking, request.stream(), parameters, reading=request.app.state.reading
    )
