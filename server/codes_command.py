"""`jingwei codes`: codes of areas and grids are checked and given out; no store is needed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import shapely
import typer
from shapely.geometry.base import BaseGeometry

from geo.codes import (
    LAYOUTS,
    UNIT_GRID,
    Layout,
    check_code,
    layout_of,
    number_cells,
    split_code,
)
from geo.errors import GeoError
from geo.geojson import Feature
from geo.polygon import refuse_invalid
from server.imports.cells import FileFault, read_limited
from server.terminal import fail

USAGE_EXIT = 2
CODES_MAX = 1_000_000

codes_app = typer.Typer(no_args_is_help=True, help="Check codes and give them out.")
LayoutName = Annotated[str, typer.Option("--layout", help=", ".join(LAYOUTS))]


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise fail(f"there is no such layout; choose {', '.join(LAYOUTS)}", code=USAGE_EXIT)
    return LAYOUTS[name]


@codes_app.command("check")
def check(
    code_or_file: Annotated[str, typer.Argument(help="a code, or a text file with one a line")],
    layout: LayoutName = "",
) -> None:
    """Say of which parts a code consists, or which lines of a file are wrong or repeated.

    Without a layout each code must be written in one of those that are known. Whether the place
    exists is not asked. Exit code 1 if anything is wrong.

    Example: `jingwei codes check 440106001001005`
    """
    chosen = _layout(layout) if layout else None
    if not Path(code_or_file).is_file():
        _tell_parts(code_or_file, chosen)
        return
    codes = _lines(Path(code_or_file))
    faults = _faults(codes, chosen)
    for line, reason in faults:
        typer.echo(f"line {line}: {reason}")
    typer.echo(f"{len(codes)} codes, {len(faults)} faults", err=True)
    if faults:
        raise typer.Exit(1)


def _tell_parts(code: str, layout: Layout | None) -> None:
    """Write the layout and the parts of one code."""
    fitting = layout or layout_of(code)
    if fitting is None:
        raise fail("this is neither a file nor a code in a known layout")
    try:
        parts = split_code(fitting, code)
    except GeoError as fault:
        raise fail(fault.detail) from None
    typer.echo(f"{fitting.name}: {' '.join(f'{name}={part}' for name, part in parts.items())}")


def _lines(file: Path) -> list[tuple[int, str]]:
    """The codes of a file with the number of their lines; empty lines are left out."""
    try:
        text = read_limited(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fail("the file is not UTF-8", code=USAGE_EXIT) from None
    except FileFault as fault:
        raise fail(f"the file {fault.reason}; {fault.proposal}", code=USAGE_EXIT) from None
    stripped = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1)]
    codes = [(number, code) for number, code in stripped if code]
    if len(codes) > CODES_MAX:
        raise fail(f"the file has more than {CODES_MAX:,} codes", code=USAGE_EXIT)
    return codes


def _faults(codes: Sequence[tuple[int, str]], layout: Layout | None) -> list[tuple[int, str]]:
    """What is wrong, by line."""
    seen: dict[str, int] = {}
    faults = []
    for line, code in codes:
        reason = _fault(code, layout)
        if reason is not None:
            faults.append((line, reason))
        elif code in seen:
            faults.append((line, f"The code occurs already on line {seen[code]}"))
        seen.setdefault(code, line)
    return faults


def _fault(code: str, layout: Layout | None) -> str | None:
    if layout is None:
        return None if layout_of(code) else "The code is written in no known layout"
    try:
        check_code(layout, code)
    except GeoError as fault:
        return fault.detail
    return None


@codes_app.command("generate")
def generate(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="cells of one community")
    ],
    prefix: Annotated[str, typer.Option(help="all of the code but its last part")],
    *,
    layout: LayoutName = UNIT_GRID.name,
    first: Annotated[int, typer.Option(min=1, help="first number to give")] = 1,
    output: Annotated[
        Path | None, typer.Option(help="GeoJSON to write; needed without --dry-run")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list them, write no file")
    ] = False,
) -> None:
    """Number the cells of a community from west to east, then from north to south.

    Each line is the place of a cell in the file, from 1, and its code. The file that is written
    has the cells as they were, in WGS 84, with the property `code`, in place of an older one.

    Example: `jingwei codes generate cells.geojson --prefix 440106001001 --dry-run`
    """
    from server.imports.shapes import read_features  # noqa: PLC0415 - heavy, and rarely used

    if output is None and not dry_run:
        raise fail("name a file with --output, or ask for a --dry-run", code=USAGE_EXIT)
    chosen = _layout(layout)
    try:
        features = read_features(file)
        cells = _cells(features)
        codes = number_cells(prefix, cells, layout=chosen, first=first)
    except FileFault as fault:
        raise fail(f"the file {fault.reason}; {fault.proposal}") from None
    except GeoError as fault:
        raise fail(fault.detail) from None
    for number, feature in enumerate(features, start=1):
        typer.echo(f"{number}\t{codes[feature.pointer]}")
    if output is not None and not dry_run:
        _write(output, features, cells, codes)


def _cells(features: Sequence[Feature]) -> dict[str, BaseGeometry]:
    """The polygons of a file by pointer.

    Raises:
        GeoError: `type-not-allowed` if a feature is no polygon, `invalid-geometry`.
    """
    cells = {}
    for number, feature in enumerate(features, start=1):
        shape = feature.geometry
        if (
            shape is None
            or shape.is_empty
            or shape.geom_type not in {"Polygon", "MultiPolygon"}
        ):
            text = f"Feature {number} has no area; only polygons are numbered"
            raise GeoError(feature.pointer, "type-not-allowed", text)
        refuse_invalid(shape, feature.pointer)
        cells[feature.pointer] = shape
    return cells


def _write(
    output: Path,
    features: Sequence[Feature],
    cells: Mapping[str, BaseGeometry],
    codes: Mapping[str, str],
) -> None:
    """Write a feature collection; an existing file is never replaced."""
    document = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {**feature.properties, "code": codes[feature.pointer]},
                "geometry": json.loads(shapely.to_geojson(cells[feature.pointer])),
            }
            for feature in features
        ],
    }
    text = json.dumps(document, ensure_ascii=False, default=str)  # dates of a GeoPackage
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise fail(f"the output cannot be written ({type(error).__name__})") from None
