"""GeoJSON (RFC 7946) read strictly and written in one normal form.

The input is an already decoded JSON object of any shape. Everything is checked in Python before
a geometry is built, so hostile input never reaches the geometry library: types from an
allow-list, collections one level deep, vertices counted before they are copied, positions
finite and inside longitude and latitude, rings closed. Then each geometry is checked for
validity; nothing invalid is repaired. What RFC 7946 leaves open is decided so:

- Rings wound the wrong way are accepted and rewound (the RFC asks parsers not to refuse them);
  a third and fourth ordinate must be numbers and are dropped; more are refused. Both are told
  in `Parsed.notes`.
- A `crs` member of the 2008 format is accepted only if it names WGS 84 or CGCS2000 in degrees.
- A line or ring with two neighbouring positions more than 180 degrees of longitude apart
  crosses the antimeridian and is refused: the RFC wants it cut, and no deployment lies there.
- A `bbox` must be well formed, and one that lies wholly beside the geometry is refused: it is
  the usual sign of exchanged axes.
- A geometry collection inside a geometry collection is refused, as are geometries without any
  position, except the empty collection.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import shapely
from shapely import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError, Position
from geo.geojson_members import (
    array,
    check_bbox,
    check_members,
    feature_id,
    json_object,
    type_of,
)
from geo.polygon import EDGE_DEGREES_MAX, refuse_invalid, snap, wind

GEOMETRY_TYPES: Final = frozenset(
    {
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    }
)
POLYGONAL: Final = frozenset({"Polygon", "MultiPolygon"})
LINEAR: Final = frozenset({"LineString", "MultiLineString"})

_ORDINATES_MAX: Final = 4
Pair = tuple[float, float]


class Note(StrEnum):
    """What was normalised while reading, without loss of a place."""

    ORDINATES_DROPPED = "ordinates-dropped"
    RINGS_REWOUND = "rings-rewound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one document may hold, and which geometry types it may use."""

    vertices_max: int
    features_max: int
    geometry_types: frozenset[str] = GEOMETRY_TYPES


REQUEST_LIMITS: Final = Limits(vertices_max=10_000, features_max=10_000)
IMPORT_LIMITS: Final = Limits(vertices_max=200_000, features_max=20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A geometry with its attributes. `pointer` is where it stood in the input."""

    geometry: BaseGeometry | None
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | int | float | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A read document; a bare geometry is one feature without properties.

    `kind` is `FeatureCollection`, `Feature` or `Geometry`.
    """

    kind: str
    features: tuple[Feature, ...]
    notes: frozenset[Note]


def parse_geojson(
    obj: object, *, limits: Limits = REQUEST_LIMITS, valid: bool = True
) -> Parsed:
    """Return the features of a decoded GeoJSON document, checked and valid.

    Coordinates are taken as WGS 84 degrees and are not rounded (see `geo.polygon.snap`). With
    `valid` False geometries may be invalid: whoever asks for that judges each of them.

    Raises:
        GeoError: for the first fault, with a JSON pointer and, for an invalid geometry, the
        place.
    """
    return _Reader(limits, valid=valid).document(obj)


def dump_geometry(geometry: BaseGeometry) -> dict[str, Any]:
    """Return a GeoJSON geometry object: seven decimals, rings wound by RFC 7946, lists only."""
    found: dict[str, Any] = _lists(shapely.geometry.mapping(wind(snap(geometry))))
    return found


def dump_feature_collection(features: Iterable[Feature]) -> dict[str, Any]:
    """Return a GeoJSON feature collection in the order of `features`, ready to be encoded."""
    return {
        "type": "FeatureCollection",
        "features": [_dump_feature(each) for each in features],
    }


def _dump_feature(feature: Feature) -> dict[str, Any]:
    dumped: dict[str, Any] = {"type": "Feature"}
    if feature.id is not None:
        dumped["id"] = feature.id
    dumped["properties"] = dict(feature.properties)
    geometry = feature.geometry
    dumped["geometry"] = None if geometry is None else dump_geometry(geometry)
    return dumped


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_lists(each) for each in value]
    return value


class _Reader:
    """One pass over one document: counts vertices and remembers what was normalised."""

    def __init__(self, limits: Limits, *, valid: bool) -> None:
        self._limits = limits
        self._valid = valid
        self._vertices = 0
        self._notes: set[Note] = set()
        self._builders: dict[str, Callable[[Any, str], BaseGeometry]] = {
            "Point": self._point,
            "MultiPoint": self._multi_point,
            "LineString": self._line_string,
            "MultiLineString": self._multi_line_string,
            "Polygon": self._polygon,
            "MultiPolygon": self._multi_polygon,
        }

    def document(self, obj: object) -> Parsed:
        kind = type_of(obj, "")
        if kind == "FeatureCollection":
            features = self._collection(json_object(obj, ""))
        elif kind == "Feature":
            features = (self._feature(obj, ""),)
        else:
            kind = "Geometry"
            features = (Feature(geometry=self._geometry(obj, "")),)
        return Parsed(kind=kind, features=features, notes=frozenset(self._notes))

    def _collection(self, obj: Mapping[str, Any]) -> tuple[Feature, ...]:
        check_members(obj, "FeatureCollection", "")
        members = array(obj.get("features"), "/features", "features-not-array")
        if len(members) > self._limits.features_max:
            text = f"At most {self._limits.features_max} features are allowed"
            raise GeoError("/features", "too-many-features", text)
        features = tuple(
            self._feature(each, f"/features/{index}") for index, each in enumerate(members)
        )
        shown = [each.geometry for each in features if each.geometry is not None]
        check_bbox(obj, "", shown)
        return features

    def _feature(self, obj: object, pointer: str) -> Feature:
        if type_of(obj, pointer) != "Feature":
            raise GeoError(f"{pointer}/type", "type-not-allowed", "A Feature is needed here")
        members = json_object(obj, pointer)
        check_members(members, "Feature", pointer)
        for name in ("geometry", "properties"):
            if name not in members:
                text = f"A Feature needs the member {name}, which may be null"
                raise GeoError(f"{pointer}/{name}", "member-missing", text)
        properties = members["properties"]
        if properties is not None and not isinstance(properties, dict):
            text = "Properties are an object or null"
            raise GeoError(f"{pointer}/properties", "properties-not-object", text)
        raw = members["geometry"]
        geometry = None if raw is None else self._geometry(raw, f"{pointer}/geometry")
        check_bbox(members, pointer, [] if geometry is None else [geometry])
        return Feature(
            id=feature_id(members, pointer),
            properties=properties or {},
            geometry=geometry,
            pointer=pointer,
        )

    def _geometry(self, obj: object, pointer: str, *, nested: bool = False) -> BaseGeometry:
        kind = type_of(obj, pointer)
        if kind not in self._limits.geometry_types:
            allowed = ", ".join(sorted(self._limits.geometry_types))
            raise GeoError(f"{pointer}/type", "type-not-allowed", f"Allowed are {allowed}")
        members = json_object(obj, pointer)
        check_members(members, "Geometry", pointer)
        if kind == "GeometryCollection":
            geometry = self._geometry_collection(members, pointer, nested=nested)
        else:
            geometry = self._simple(members, kind, pointer)
        check_bbox(members, pointer, [] if geometry.is_empty else [geometry])
        return geometry

    def _geometry_collection(
        self, members: Mapping[str, Any], pointer: str, *, nested: bool
    ) -> BaseGeometry:
        if nested:
            text = "A geometry collection inside another is not accepted"
            raise GeoError(pointer, "nested-collection", text)
        inner = f"{pointer}/geometries"
        parts = array(members.get("geometries"), inner, "geometries-not-array")
        return GeometryCollection(
            [
                self._geometry(part, f"{inner}/{index}", nested=True)
                for index, part in enumerate(parts)
            ]
        )

    def _simple(self, members: Mapping[str, Any], kind: str, pointer: str) -> BaseGeometry:
        inner = f"{pointer}/coordinates"
        if "coordinates" not in members:
            raise GeoError(inner, "member-missing", "A geometry needs coordinates")
        geometry = self._builders[kind](members["coordinates"], inner)
        if self._valid:
            refuse_invalid(geometry, inner)
        if kind not in POLYGONAL:
            return geometry
        wound = wind(geometry)
        if not shapely.equals_identical(wound, geometry):
            self._notes.add(Note.RINGS_REWOUND)
        return wound

    def _point(self, raw: object, pointer: str) -> BaseGeometry:
        self._count(1, pointer)
        return Point(self._position(raw, pointer))

    def _multi_point(self, raw: object, pointer: str) -> BaseGeometry:
        return MultiPoint(self._positions(raw, pointer, least=1))

    def _line_string(self, raw: object, pointer: str) -> BaseGeometry:
        return LineString(self._path(raw, pointer, least=2))

    def _multi_line_string(self, raw: object, pointer: str) -> BaseGeometry:
        lines = _parts(raw, pointer)
        return MultiLineString(
            [self._path(line, f"{pointer}/{index}", least=2) for index, line in lines]
        )

    def _polygon(self, raw: object, pointer: str) -> BaseGeometry:
        return self._one_polygon(raw, pointer)

    def _multi_polygon(self, raw: object, pointer: str) -> BaseGeometry:
        polygons = _parts(raw, pointer)
        return MultiPolygon(
            [self._one_polygon(each, f"{pointer}/{index}") for index, each in polygons]
        )

    def _one_polygon(self, raw: object, pointer: str) -> Polygon:
        exterior, *holes = (
            self._ring(ring, f"{pointer}/{index}") for index, ring in _parts(raw, pointer)
        )
        return Polygon(exterior, holes)

    def _ring(self, raw: object, pointer: str) -> list[Pair]:
        ring = self._path(raw, pointer, least=4)
        if ring[0] != ring[-1]:
            text = "The last position of a ring must be its first"
            raise GeoError(pointer, "ring-not-closed", text, Position(*ring[-1]))
        return ring

    def _path(self, raw: object, pointer: str, *, least: int) -> list[Pair]:
        """Positions joined by straight edges; none of them may run around the world."""
        path = self._positions(raw, pointer, least=least)
        before = path[0][0]
        for index, (lon, lat) in enumerate(path):
            if abs(lon - before) > EDGE_DEGREES_MAX:
                text = "The edge to this position crosses the antimeridian"
                place = Position(lon, lat)
                raise GeoError(f"{pointer}/{index}", "crosses-antimeridian", text, place)
            before = lon
        return path

    def _positions(self, raw: object, pointer: str, *, least: int) -> list[Pair]:
        members = array(raw, pointer, "coordinates-shape")
        self._count(len(members), pointer)
        positions = [self._position(each, pointer, at) for at, each in enumerate(members)]
        if len(positions) < least:
            text = f"At least {least} positions are needed"
            raise GeoError(pointer, "too-few-positions", text)
        return positions

    def _count(self, vertices: int, pointer: str) -> None:
        self._vertices += vertices
        if self._vertices > self._limits.vertices_max:
            text = f"At most {self._limits.vertices_max} vertices are allowed"
            raise GeoError(pointer, "too-many-vertices", text)

    def _position(self, raw: object, pointer: str, index: int | None = None) -> Pair:
        """One checked position. `index` completes the pointer only if there is a fault."""
        if not isinstance(raw, list) or not 2 <= len(raw) <= _ORDINATES_MAX:
            text = "A position is an array of two numbers, longitude and latitude"
            raise GeoError(_at(pointer, index), "coordinates-shape", text)
        for ordinate in raw:
            if type(ordinate) is not float and type(ordinate) is not int:
                raise GeoError(_at(pointer, index), "not-a-number", "Ordinates are numbers")
            # Only a float can be infinite or no number; a huge integer is caught by the range.
            if type(ordinate) is float and not math.isfinite(ordinate):
                raise GeoError(_at(pointer, index), "not-finite", "Ordinates are finite")
        lon, lat = raw[0], raw[1]
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            text = "Longitude is -180 to 180, latitude -90 to 90, in this order"
            raise GeoError(_at(pointer, index), "out-of-range", text)
        if len(raw) > 2:
            self._notes.add(Note.ORDINATES_DROPPED)
        return float(lon), float(lat)


def _at(pointer: str, index: int | None) -> str:
    return pointer if index is None else f"{pointer}/{index}"


def _parts(value: object, pointer: str) -> Iterable[tuple[int, Any]]:
    """The numbered members of an array that must have at least one."""
    members = array(value, pointer, "coordinates-shape")
    if not members:
        raise GeoError(pointer, "empty-geometry", "There are no coordinates")
    return enumerate(members)
