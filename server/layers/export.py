"""Write a layer to a file that GIS programs open: GeoPackage, GeoJSON or CSV, through GDAL."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from numpy.typing import NDArray

from geo.layers import FieldKind, GeometryKind, Layer
from server.clock import new_id
from server.layers.queries import LayerRow
from server.layers.reading import columns_of, times_text
from server.layers.systems import System

_UTC = 100  # GDAL's mark of a time in UTC
_WGS84 = 4326


class ExportFormat(StrEnum):
    """The kinds of file there are."""

    GPKG = "gpkg"
    GEOJSON = "geojson"
    CSV = "csv"


_DRIVERS = {
    ExportFormat.GPKG: "GPKG",
    ExportFormat.GEOJSON: "GeoJSON",
    ExportFormat.CSV: "CSV",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    values: NDArray[Any]
    missing: NDArray[np.bool_]


def _column(kind: FieldKind, values: Sequence[Any], form: ExportFormat) -> _Column:
    missing = np.array([each is None for each in values], dtype=bool)
    if kind in {FieldKind.INTEGER, FieldKind.COUNT}:
        numbers = np.array([each or 0 for each in values], dtype=np.int64)
        return _Column(values=numbers, missing=missing)
    if kind is FieldKind.TIME and form is ExportFormat.GPKG:
        times = np.array([each or 0 for each in values], dtype="datetime64[ms]")
        return _Column(values=times, missing=missing)
    if kind is FieldKind.TIME:
        # As text the zone is unmistakable; GDAL would write the CSV ones in a form of its own.
        values = times_text(values)
    texts = np.array(["" if each is None else each for each in values], dtype=object)
    return _Column(values=texts, missing=missing)


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
    return {"SPATIAL_INDEX": "YES"}


def write_layer(
    layer: Layer,
    rows: Sequence[LayerRow],
    *,
    system: System,
    form: ExportFormat,
    output: Path,
) -> int:
    """Write `rows` to `output`, whole or not at all, and return its size in bytes.

    The file is made beside `output` under another name and renamed when it is complete.
    """
    columns = columns_of(layer, rows)
    made = [_column(each.kind, columns[each.name], form) for each in layer.fields]
    zones = np.full(len(rows), _UTC, dtype=np.int32)
    times = [each.name for each in layer.fields if each.kind is FieldKind.TIME]
    partial = output.with_name(f".{new_id()}.{form.value}")
    try:
        pyogrio.raw.write(
            partial,
            _geometry(rows, system),
            [each.values for each in made],
            [each.name for each in layer.fields],
            field_mask=[each.missing for each in made],
            layer=layer.id,
            driver=_DRIVERS[form],
            geometry_type=layer.geometry.value,
            crs=f"EPSG:{system.code}",
            encoding="UTF-8",
            layer_options=_options(layer, system, form),
            gdal_tz_offsets=dict.fromkeys(times, zones) if form is ExportFormat.GPKG else None,
        )
        size = partial.stat().st_size
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return size
