"""Write a layer to a file that GIS programs open, through GDAL.

What is written can be imported again: every format keeps the boundaries vertex for vertex.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from numpy.typing import NDArray

from geo.layers import FieldKind, GeometryKind, Layer
from server.layers.queries import LayerRow
from server.layers.reading import columns_of, times_text
from server.layers.systems import System

_UTC = 100  # GDAL's mark of a time in UTC
_WGS84 = 4326


class ExportFormat(StrEnum):
    """The kinds of file there are."""

    GPKG = "gpkg"
    GEOJSON = "geojson"
    FGB = "fgb"
    SHP = "shp"
    CSV = "csv"

    @property
    def suffix(self) -> str:
        """What the name of such a file ends in; a shapefile is several files in a zip."""
        return ".zip" if self is ExportFormat.SHP else f".{self.value}"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return _MEDIA_TYPES[self]


_DRIVERS = {
    ExportFormat.GPKG: "GPKG",
    ExportFormat.GEOJSON: "GeoJSON",
    ExportFormat.FGB: "FlatGeobuf",
    ExportFormat.SHP: "ESRI Shapefile",
    ExportFormat.CSV: "CSV",
}
_MEDIA_TYPES = {
    ExportFormat.GPKG: "application/geopackage+sqlite3",
    ExportFormat.GEOJSON: "application/geo+json",
    ExportFormat.FGB: "application/flatgeobuf",
    ExportFormat.SHP: "application/zip",
    ExportFormat.CSV: "text/csv; charset=utf-8",
}
_TIMED = frozenset({ExportFormat.GPKG, ExportFormat.FGB})
"""Formats with a type for times of a zone; in the others they are unmistakable as text."""
_DBF_NAME_CHARS, _DBF_TEXT_BYTES = 10, 254


class TextTooLongError(ValueError):
    """A text does not fit into a shapefile, which would cut it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    values: NDArray[Any]
    missing: NDArray[np.bool_]


def _column(kind: FieldKind, values: Sequence[Any], form: ExportFormat) -> _Column:
    missing = np.array([each is None for each in values], dtype=bool)
    if kind in {FieldKind.INTEGER, FieldKind.COUNT}:
        numbers = np.array([each or 0 for each in values], dtype=np.int64)
        return _Column(values=numbers, missing=missing)
    if kind is FieldKind.TIME and form in _TIMED:
        times = np.array([each or 0 for each in values], dtype="datetime64[ms]")
        return _Column(values=times, missing=missing)
    if kind is FieldKind.TIME:
        values = times_text(values)
    if form is ExportFormat.SHP and any(_too_long(each) for each in values):
        raise TextTooLongError("a text is too long for a shapefile; choose another format")
    texts = np.array(["" if each is None else each for each in values], dtype=object)
    return _Column(values=texts, missing=missing)


def _too_long(text: str | None) -> bool:
    return text is not None and len(text.encode()) > _DBF_TEXT_BYTES


def _names(layer: Layer, form: ExportFormat) -> list[str]:
    """The names of the fields, as far as the format keeps them."""
    names = [each.name for each in layer.fields]
    return [each[:_DBF_NAME_CHARS] for each in names] if form is ExportFormat.SHP else names


def _geometry(rows: Sequence[LayerRow], system: System) -> NDArray[np.object_]:
    shapes = shapely.from_wkb(np.array([row.wkb for row in rows], dtype=object))
    if system.project is not None:
        shapes = shapely.transform(shapes, system.project)
    found: NDArray[np.object_] = np.asarray(shapely.to_wkb(shapes), dtype=object)
    return found


def _options(layer: Layer, system: System, form: ExportFormat) -> dict[str, str]:
    if form is ExportFormat.CSV:
        points = layer.geometry is GeometryKind.POINT
        return {"GEOMETRY": "AS_XY" if points else "AS_WKT"}
    if form is ExportFormat.GEOJSON:
        return {"RFC7946": "YES"} if system.code == _WGS84 else {"COORDINATE_PRECISION": "9"}
    return {} if form is ExportFormat.SHP else {"SPATIAL_INDEX": "YES"}


def write_layer(
    layer: Layer,
    rows: Sequence[LayerRow],
    *,
    system: System,
    form: ExportFormat,
    output: Path,
) -> int:
    """Write `rows` to `output`, whole or not at all, and return its size in bytes.

    The file is made in a folder beside `output` and renamed when it is complete.

    Raises:
        TextTooLongError: for a shapefile that would cut a text off.
    """
    with TemporaryDirectory(prefix=".jingwei-", dir=output.parent) as folder:
        made = Path(folder) / f"{layer.id}.{form.value}"
        _write(layer, rows, system=system, form=form, target=made)
        if form is ExportFormat.SHP:
            made = _zipped(Path(folder), layer.id)
        size = made.stat().st_size
        made.replace(output)
    return size


def _write(
    layer: Layer,
    rows: Sequence[LayerRow],
    *,
    system: System,
    form: ExportFormat,
    target: Path,
) -> None:
    columns = columns_of(layer, rows)
    made = [_column(each.kind, columns[each.name], form) for each in layer.fields]
    zones = np.full(len(rows), _UTC, dtype=np.int32)
    times = [each.name for each in layer.fields if each.kind is FieldKind.TIME]
    pyogrio.raw.write(
        target,
        _geometry(rows, system),
        [each.values for each in made],
        _names(layer, form),
        field_mask=[each.missing for each in made],
        layer=layer.id,
        driver=_DRIVERS[form],
        geometry_type=_geometry_type(layer, form),
        crs=f"EPSG:{system.code}",
        encoding="UTF-8",
        layer_options=_options(layer, system, form),
        gdal_tz_offsets=dict.fromkeys(times, zones) if form in _TIMED else None,
    )


def _geometry_type(layer: Layer, form: ExportFormat) -> str:
    """A shapefile has one type for polygons, whether they have one part or several."""
    if form is ExportFormat.SHP:
        return layer.geometry.value.removeprefix("Multi")
    return layer.geometry.value


def _zipped(folder: Path, name: str) -> Path:
    """Pack the files of a shapefile."""
    target = folder / f"{name}.zip"
    members = sorted(folder.glob(f"{name}.*"))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for each in members:
            packed.write(each, each.name)
    return target
