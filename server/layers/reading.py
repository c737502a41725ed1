"""A page of a layer as GeoJSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from geo.crs import WGS84
from geo.layers import FieldKind, Layer
from server.layers.features import feature_text, geometry_texts
from server.layers.queries import LayerRow
from server.layers.systems import ReferenceSystemError, System

_FIRST_FIELD = 2
_ID_FIELD = "id"


def times_text(values: Sequence[int | None]) -> list[str | None]:
    """Return milliseconds UTC as RFC 3339 text, all at once."""
    known = np.array([0 if each is None else each for each in values], dtype="datetime64[ms]")
    texts = np.datetime_as_string(known, unit="ms", timezone="UTC").tolist()
    return [None if each is None else text for each, text in zip(values, texts, strict=True)]


def columns_of(layer: Layer, rows: Sequence[LayerRow]) -> dict[str, list[Any]]:
    """Return the layer's fields as columns, in the layer's order; times stay milliseconds."""
    whole = list(zip(*rows, strict=True)) or [()] * (_FIRST_FIELD + len(layer.fields))
    return {
        field.name: list(whole[_FIRST_FIELD + place])
        for place, field in enumerate(layer.fields)
    }


def check_system(rows: Sequence[LayerRow], system: System) -> None:
    """Check that the features lie where the reference system is made for.

    Raises:
        ReferenceSystemError: if they do not: their coordinates would mislead.
    """
    if system.code == WGS84:
        return
    shapes = shapely.from_wkb([row.wkb for row in rows])
    degrees = shapely.total_bounds(shapes).tolist() if rows else []
    if not degrees or np.isnan(degrees[0]):
        return
    if not system.suits((degrees[0], degrees[1], degrees[2], degrees[3])):
        raise ReferenceSystemError(
            "these features lie outside the area this system is made for"
        )


def layer_features(layer: Layer, rows: Sequence[LayerRow], system: System) -> list[str]:
    """Return one GeoJSON Feature a row, in order, in `system`."""
    columns = columns_of(layer, rows)
    for field in layer.fields:
        if field.kind is FieldKind.TIME:
            columns[field.name] = times_text(columns[field.name])
    ids = columns.pop(_ID_FIELD)
    names = list(columns)
    shapes = geometry_texts([row.wkb for row in rows], system.project)
    return [
        feature_text(feature_id, shape, dict(zip(names, values, strict=True)))
        for feature_id, shape, *values in zip(ids, shapes, *columns.values(), strict=True)
    ]
