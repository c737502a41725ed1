"""`jingwei import` and `jingwei export`: files in and out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from server.terminal import Database, fail


class ImportKind(StrEnum):
    """What `jingwei import` can read."""

    AREAS = "areas"
    DIVISIONS = "divisions"
    GRIDS = "grids"
    DWELLINGS = "dwellings"
    HOUSEHOLDS = "households"
    RESIDENTS = "residents"
    CLASSES = "classes"


def import_file(  # noqa: PLR0913 - the options of the command
    kind: Annotated[ImportKind, typer.Argument(help="what the file holds")],
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV; grids: a vector file")
    ],
    database: Database = "",
    *,
    crs: Annotated[str | None, typer.Option(help="of a vector file that names none")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="of a shapefile's text: UTF-8, GB18030 or Big5")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="of a file with several")] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="attribute of grids and its name in the file: code=GRID_NO"),
    ] = None,
    community: Annotated[
        str | None, typer.Option(help="of all grids of a file that names none")
    ] = None,
    layout: Annotated[str, typer.Option(help="of grid codes; `any` accepts all")] = "unit-grid",
    repair: Annotated[
        bool, typer.Option("--repair", help="invalid polygons, each reported")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, write nothing")
    ] = False,
) -> None:
    """Check a file and write it through the one write path; all of it or, with faults, nothing.

    Importing the same file again changes nothing. Areas (or published divisions) come first,
    then grids, dwellings, households and residents; classes at any time.

    Example: `jingwei import grids grids.geojson --dry-run`
    """
    from server.imports import command  # noqa: PLC0415 - heavy, and rarely used

    try:
        fields = command.fields_named(field or [], all_in=community)
    except ValueError as fault:
        raise fail(f"--field: {fault}", code=2) from None
    request = command.ImportRequest(
        kind=kind.value,
        path=file,
        crs=crs,
        encoding=encoding,
        layer=layer,
        fields=fields,
        layout=layout,
        repair=repair,
        dry_run=dry_run,
    )
    command.import_command(database, request)


def export_layer(  # noqa: PLR0913 - the options of the command
    layer: Annotated[str, typer.Argument(help="grids, incidents, tasks or household-counts")],
    output: Annotated[Path, typer.Option(help="file to write")],
    *,
    file_format: Annotated[
        str, typer.Option("--format", help="gpkg, geojson, fgb, shp (zipped) or csv")
    ] = "gpkg",
    crs: Annotated[str, typer.Option(help="EPSG:4326, EPSG:4490, EPSG:4547, …")] = "EPSG:4326",
    area: Annotated[
        str | None, typer.Option(help="code or id of an area: only what lies in it")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="RFC 3339 time: grids as of then")] = None,
    database: Database = "",
) -> None:
    """Write a layer without personal data to a file that GIS programs open.

    Example: `jingwei export grids --format gpkg --crs EPSG:4490 --output grids.gpkg`
    """
    from server.layers.command import export_command  # noqa: PLC0415 - heavy, and rarely used

    where = {"area": area, "as_of": as_of}
    export_command(layer, output, file_format=file_format, crs=crs, database=database, **where)
