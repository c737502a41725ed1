"""GeoJSON text from rows: geometries encoded all at once, properties one JSON object a row."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

MEDIA_TYPE = "application/geo+json"
Coordinates = NDArray[np.float64]
Projection = Callable[[Coordinates], Coordinates]


def geometry_texts(
    wkb: Sequence[bytes | None], project: Projection | None = None
) -> list[str | None]:
    """Return GeoJSON geometries of WKB in WGS 84, exteriors counter-clockwise.

    `project` maps an array of x/y rows to another reference system; its rounding is kept.
    """
    geometries = shapely.from_wkb(np.array(wkb, dtype=object))
    if project is not None:
        geometries = shapely.transform(geometries, project)
    return list(shapely.to_geojson(shapely.orient_polygons(geometries)))


def feature_text(feature_id: str, geometry: str | None, properties: Mapping[str, Any]) -> str:
    """Return one Feature. `properties` hold JSON values only."""
    return (
        f'{{"type":"Feature","id":{json.dumps(feature_id)},'
        f'"geometry":{geometry or "null"},'
        f'"properties":{json.dumps(properties, ensure_ascii=False, separators=(",", ":"))}}}'
    )


def collection_text(features: Iterable[str], members: Mapping[str, Any]) -> bytes:
    """Return a FeatureCollection of feature texts, with foreign `members` such as links."""
    further = "".join(
        f",{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}"
        for name, value in members.items()
    )
    joined = ",\n".join(features)
    return f'{{"type":"FeatureCollection"{further},"features":[\n{joined}\n]}}\n'.encode()
