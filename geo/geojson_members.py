"""The members of GeoJSON objects: what must be there, what must not, and of which shape."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NoReturn

import shapely
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError

# Names a `crs` member may have: longitude, latitude in WGS 84 or CGCS2000.
CRS_NAMES: Final = frozenset(
    {
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84",
        "OGC:CRS84",
        "urn:ogc:def:crs:EPSG::4326",
        "EPSG:4326",
        "urn:ogc:def:crs:EPSG::4490",
        "EPSG:4490",
    }
)

_MISPLACED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "FeatureCollection": ("coordinates", "geometries", "geometry", "properties"),
        "Feature": ("coordinates", "geometries", "features"),
        "Geometry": ("geometry", "properties", "features"),
    }
)


def json_object(obj: object, pointer: str) -> Mapping[str, Any]:
    """Return `obj` as a JSON object, or refuse it (`not-an-object`)."""
    if not isinstance(obj, dict):
        raise GeoError(pointer, "not-an-object", "A GeoJSON object is needed here")
    return obj


def array(value: object, pointer: str, reason: str) -> list[Any]:
    """Return `value` as a JSON array, or refuse it for `reason`."""
    if not isinstance(value, list):
        raise GeoError(pointer, reason, "An array is needed here")
    return value


def type_of(obj: object, pointer: str) -> str:
    """Return the `type` member of an object, any text; `type-missing` without one."""
    kind = json_object(obj, pointer).get("type")
    if not isinstance(kind, str):
        raise GeoError(f"{pointer}/type", "type-missing", "A GeoJSON object names its type")
    return kind


def feature_id(members: Mapping[str, Any], pointer: str) -> str | int | float | None:
    """Return the id of a feature, None without one; `id-type` for null and other types."""
    found = members.get("id")
    if "id" in members and (
        isinstance(found, bool) or not isinstance(found, str | int | float)
    ):
        raise GeoError(f"{pointer}/id", "id-type", "The id is a string or a number")
    if isinstance(found, float) and not math.isfinite(found):
        raise GeoError(f"{pointer}/id", "id-type", "The id is a finite number")
    return found


def check_members(members: Mapping[str, Any], kind: str, pointer: str) -> None:
    """Refuse members that belong to another GeoJSON type (section 7.1), and a foreign CRS."""
    for name in _MISPLACED[kind]:
        if name in members:
            text = f"This member does not belong into a {kind}"
            raise GeoError(f"{pointer}/{name}", "member-misplaced", text)
    if "crs" in members and _crs_name(members["crs"]) not in CRS_NAMES:
        text = "GeoJSON is WGS 84; other coordinate systems come through an import"
        raise GeoError(f"{pointer}/crs", "foreign-crs", text)


def _crs_name(crs: object) -> str | None:
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return name if isinstance(name, str) else None


def check_bbox(
    members: Mapping[str, Any], pointer: str, geometries: Sequence[BaseGeometry]
) -> None:
    """Check the `bbox` member, if any: its shape, and that it is not beside the geometries.

    Raises:
        GeoError: `bbox-malformed` or `bbox-contradicts-geometry`.
    """
    if "bbox" not in members:
        return
    west, south, east, north = _bbox(members["bbox"], f"{pointer}/bbox")
    # West beyond east means a box across the antimeridian, where nothing accepted can lie.
    if not geometries or west > east:
        return
    left, bottom, right, top = shapely.total_bounds(geometries).tolist()
    if left > east or right < west or bottom > north or top < south:
        text = "The bbox lies beside the geometry; is it west, south, east, north?"
        raise GeoError(f"{pointer}/bbox", "bbox-contradicts-geometry", text)


def _bbox(raw: object, pointer: str) -> tuple[float, float, float, float]:
    if not isinstance(raw, list) or len(raw) not in {4, 6}:
        _refuse_bbox(pointer, "A bbox is an array of four or six numbers")
    for each in raw:
        if type(each) is not float and type(each) is not int:
            _refuse_bbox(pointer, "A bbox consists of numbers")
        if type(each) is float and not math.isfinite(each):
            _refuse_bbox(pointer, "A bbox consists of finite numbers")
    half = len(raw) // 2
    west, south, east, north = raw[0], raw[1], raw[half], raw[half + 1]
    in_range = abs(west) <= 180 and abs(east) <= 180 and -90 <= south <= north <= 90
    if not in_range:
        _refuse_bbox(pointer, "A bbox is west, south, east, north inside the degrees")
    return west, south, east, north


def _refuse_bbox(pointer: str, text: str) -> NoReturn:
    raise GeoError(pointer, "bbox-malformed", text)
