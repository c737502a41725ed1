"""A store with a small tree, and files made on the spot."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from server.db.store import Store
from server.imports.command import ImportRequest, import_into
from server.imports.report import ImportReport

AREAS = """code,name,level,parent
9901,Sample City,city,
990101,Sample District,district,9901
990101001,Street 001,street,990101
990101001001,Community 001-001,community,990101001
990101001002,Community 001-002,community,990101001
"""
SIDE = 0.001
"""About a hundred metres."""

Import = Callable[..., Any]


def square(column: int, row: int = 0, *, size: float = SIDE) -> dict[str, Any]:
    """A square cell of a regular raster, as a GeoJSON geometry."""
    west, south = round(121.5 + column * SIDE, 7), round(25.0 + row * SIDE, 7)
    east, north = round(west + size, 7), round(south + size, 7)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def cell(number: int, geometry: Mapping[str, Any], **properties: Any) -> dict[str, Any]:
    """A grid as a feature with the code `990101001001` and a running number."""
    named = {"code": f"990101001001{number:03}", **properties}
    return {"type": "Feature", "properties": named, "geometry": geometry}


def collection(*features: Mapping[str, Any]) -> dict[str, Any]:
    """A feature collection."""
    return {"type": "FeatureCollection", "features": list(features)}


def row_of_cells(count: int) -> dict[str, Any]:
    """Cells side by side, west to east."""
    return collection(*(cell(number + 1, square(number)) for number in range(count)))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write a file by name: text as it is, anything else as JSON."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def run(store: Store, written: Callable[[str, Any], Path]) -> Import:
    """Import content (or a path) as a kind into the store and return the report."""

    async def run_import(kind: str, content: Any, **options: Any) -> ImportReport:
        name = "file.geojson" if kind == "grids" else "file.csv"
        path = content if isinstance(content, Path) else written(name, content)
        return await import_into(store, ImportRequest(kind=kind, path=path, **options))

    return run_import


@pytest.fixture
async def tree(run: Import) -> ImportReport:
    """The areas of `AREAS`, imported."""
    report: ImportReport = await run("areas", AREAS)
    assert report.ok
    return report


@pytest.fixture
async def grids(run: Import, tree: ImportReport) -> ImportReport:  # noqa: ARG001
    """Three cells in a row, imported."""
    report: ImportReport = await run("grids", row_of_cells(3))
    assert report.ok, list(report.lines())
    return report
