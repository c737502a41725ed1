"""What `jingwei export LAYER` does, for any caller that has a database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from sqlalchemy import Connection

from geo.layers import GRIDS, LAYERS, Layer
from server.areas.queries import narrowed
from server.db.store import Store, StoreBusy, open_store
from server.identity.principal import AreaSpan
from server.layers.export import ExportFormat, TextTooLongError, write_layer
from server.layers.interval import Interval
from server.layers.queries import LayerRow, Selection, layer_rows
from server.layers.reading import check_system
from server.layers.systems import ReferenceSystemError, System, find_system
from server.migrations import is_current
from server.problems import InvalidParameter
from server.settings import Settings
from sync.rfc3339 import parse_wall

ROWS_MAX = 1_000_000
USAGE_EXIT = 2
_EVERYWHERE = (AreaSpan(id="", lo=0, hi=2**63 - 1),)


class ExportRefusedError(ValueError):
    """An export that cannot be made; the message says what to correct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written."""

    layer: str
    format: str
    crs: str
    rows: int
    size_bytes: int
    output: Path


def _layer(name: str) -> Layer:
    if name not in LAYERS:
        raise ExportRefusedError(f"there is no such layer; choose {', '.join(LAYERS)}")
    return LAYERS[name]


def _form(name: str) -> ExportFormat:
    if name not in {each.value for each in ExportFormat}:
        raise ExportRefusedError(f"no such format; choose {', '.join(ExportFormat)}")
    return ExportFormat(name)


def _folder(output: Path) -> None:
    if not output.parent.is_dir():
        raise ExportRefusedError("the folder of the output file does not exist")
    if output.is_dir():
        raise ExportRefusedError("the output is a folder; name a file")


def _then(layer: Layer, as_of: str | None) -> Selection:
    """What to select of a layer: all of it, or the grids of a moment."""
    if as_of is None:
        return Selection()
    if layer is not GRIDS:
        raise ExportRefusedError("--as-of: only boundaries are kept in every version")
    try:
        at_ms = parse_wall(as_of)
    except ValueError as fault:
        raise ExportRefusedError(f"--as-of: {fault}") from None
    return Selection(interval=Interval(at_ms, at_ms))


async def _rows(
    store: Store, layer: Layer, area: str | None, selection: Selection
) -> Sequence[LayerRow]:
    def work(db: Connection) -> Sequence[LayerRow]:
        if not is_current(db):
            raise ExportRefusedError("the store is not ready; run `jingwei migrate` first")
        scope = narrowed(db, _EVERYWHERE, area)
        return layer_rows(
            db, scope, layer, selection=replace(selection, file=True), limit=ROWS_MAX + 1
        )

    try:
        rows = await store.read(work)
    except InvalidParameter:
        raise ExportRefusedError("there is no area with this code") from None
    if len(rows) > ROWS_MAX:
        raise ExportRefusedError(f"more than {ROWS_MAX:,} features; export area by area")
    return rows


async def _read(
    database: str, layer: Layer, area: str | None, selection: Selection
) -> Sequence[LayerRow]:
    store = open_store(database, allow_unsafe=Settings().allow_unsafe)
    try:
        return await _rows(store, layer, area, selection)
    finally:
        await store.close()


def _system(crs: str) -> System:
    try:
        return find_system(crs)
    except ReferenceSystemError as fault:
        raise ExportRefusedError(f"--crs: {fault}") from None


def export_layer(  # noqa: PLR0913 - the options of the command
    store_url: str,
    layer: str,
    *,
    format: str,  # noqa: A002 - the name of the option
    crs: str,
    output: Path,
    area: str | None = None,
    as_of: str | None = None,
) -> ExportReport:
    """Write a layer, all of it or one area, to `output`; nothing is left behind on failure.

    With `as_of` (RFC 3339) the grids as they were then.

    Raises:
        ExportRefusedError: for an unknown layer, format, system or area, or a store not ready.
        StoreBusy: if the database cannot be reached.
    """
    published, form, system = _layer(layer), _form(format), _system(crs)
    _folder(output)
    rows = asyncio.run(_read(store_url, published, area, _then(published, as_of)))
    try:
        check_system(rows, system)
    except ReferenceSystemError as fault:
        raise ExportRefusedError(f"--crs: {fault}") from None
    try:
        size = write_layer(published, rows, system=system, form=form, output=output)
    except TextTooLongError as fault:
        raise ExportRefusedError(str(fault)) from None
    return ExportReport(
        layer=layer,
        format=form.value,
        crs=f"EPSG:{system.code}",
        rows=len(rows),
        size_bytes=size,
        output=output,
    )


def export_command(  # noqa: PLR0913 - the options of the command
    layer: str,
    output: Path,
    *,
    file_format: str,
    crs: str,
    area: str | None,
    as_of: str | None,
    database: str,
) -> None:
    """Export for the command line: one line about the file, exit code 2 if it is refused."""
    try:
        report = export_layer(
            database,
            layer,
            format=file_format,
            crs=crs,
            output=output,
            area=area,
            as_of=as_of,
        )
    except ExportRefusedError as refused:
        typer.echo(f"jingwei: {refused}", err=True)
        raise typer.Exit(USAGE_EXIT) from None
    except StoreBusy as busy:
        typer.echo(f"jingwei: the database is not available ({busy.reason})", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"{report.output}: {report.rows} {report.layer} in {report.crs}, "
        f"{report.size_bytes} bytes"
    )
