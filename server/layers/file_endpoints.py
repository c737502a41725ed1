"""Layers as files for GIS programs."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse

from geo.layers import GRIDS, LAYERS, Layer
from server.areas.queries import narrowed, scope_of
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.layers.export import ExportFormat, TextTooLongError, write_layer
from server.layers.interval import ALWAYS, Interval
from server.layers.queries import LayerRow, Selection, layer_rows
from server.layers.reading import check_system
from server.layers.schemas import FileParameters
from server.layers.systems import ReferenceSystemError, System, find_system
from server.moment import moment
from server.problems import Forbidden, InvalidParameter, NotFound, problems

router = APIRouter(prefix="/v1/layers", tags=["layers"])
Analyst = Annotated[Principal, Depends(require(Role.ANALYST, Role.DISPATCHER, Role.ADMIN))]
ROWS_MAX = 100_000
_PIECE_BYTES = 1 << 18
_FILE: dict[str, Any] = {
    "content": {
        each.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
        for each in ExportFormat
    },
    "description": "The file.",
}


def _refused(parameter: str, reason: str) -> InvalidParameter:
    return InvalidParameter(f"{parameter}: {reason}", parameter=parameter)


def _interval(layer: Layer, as_of: str | None) -> Interval:
    at_ms = moment(as_of)
    if at_ms is None:
        return ALWAYS
    if layer is not GRIDS:
        raise _refused("as_of", "only boundaries are kept in every version")
    return Interval(at_ms, at_ms)


def _made(
    layer: Layer, rows: Sequence[LayerRow], system: System, form: ExportFormat
) -> BinaryIO:
    """The open file of some rows; it has no name any more and is gone when it is closed."""
    try:
        check_system(rows, system)
    except ReferenceSystemError as fault:
        raise _refused("crs", str(fault)) from None
    with TemporaryDirectory(prefix="jingwei-layer-") as folder:
        output = FilePath(folder) / f"{layer.id}{form.suffix}"
        try:
            write_layer(layer, rows, system=system, form=form, output=output)
        except TextTooLongError as fault:
            raise _refused("format", str(fault)) from None
        return output.open("rb")


def _pieces(opened: BinaryIO) -> Iterator[bytes]:
    with opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


@router.get(
    "/{layer}/file",
    response_class=StreamingResponse,
    responses=problems(InvalidParameter, Forbidden, NotFound) | {200: _FILE},
)
async def download_layer(
    *,
    layer: Annotated[str, Path(json_schema_extra={"enum": list(LAYERS)})],
    parameters: Annotated[FileParameters, Query()],
    principal: Analyst,
    store: StoreDep,
    now: Now,
) -> StreamingResponse:
    """Return a layer inside your area as a file, at most 100,000 features.

    A file of grids can be imported again. Counts of households are held to more in a file than
    on a screen.
    """
    published = LAYERS.get(layer)
    if published is None:
        raise NotFound
    try:
        system = find_system(parameters.crs)
    except ReferenceSystemError as fault:
        raise _refused("crs", str(fault)) from None
    selection = Selection(interval=_interval(published, parameters.as_of), file=True)
    rows = await store.read(
        lambda db: layer_rows(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            published,
            selection=selection,
            limit=ROWS_MAX + 1,
        )
    )
    if len(rows) > ROWS_MAX:
        raise _refused("area", f"more than {ROWS_MAX} features; ask area by area")
    form = parameters.format
    opened = await asyncio.to_thread(_made, published, rows, system, form)
    headers = {
        "content-disposition": f'attachment; filename="{published.id}{form.suffix}"',
        "cache-control": "no-store",
    }
    return StreamingResponse(_pieces(opened), media_type=form.media_type, headers=headers)
