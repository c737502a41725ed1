"""Read vector files: GeoJSON, GeoPackage, FlatGeobuf, Shapefile (zipped or not), as WGS 84.

A file says in which coordinate reference system it is, and the coordinates must fit what it
says: guessing moves every grid of a city by half a kilometre without a trace. So a missing or a
lying one refuses the file, with a proposal. GDAL chooses drivers by content, and some of those
read other files or the network; therefore only the formats named here, known by their first
bytes, get as far as GDAL. What GDAL gives is counted, and held to simple types, before the
geometry library sees it: that one crashes on geometries nested deep enough.
"""

import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj import CRS

from geo.crs import (
    Bounds,
    check_plausible,
    find_crs,
    plausible,
    to_degrees,
    to_wgs84_geometries,
)
from geo.errors import GeoError
from geo.fitting import beside, fitting, told
from geo.geojson import Feature, parse_geojson
from server.imports.cells import FileFault, read_limited
from server.imports.hints import Hints
from server.imports.shapefiles import Texts, opened_shapefile
from server.problems import MalformedBody
from server.strict_json import parse

FIRST_BYTES: Final[Mapping[str, bytes]] = {
    ".gpkg": b"SQLite format 3\x00",
    ".fgb": b"fgb\x03fgb",
    ".shp": b"\x00\x00\x27\x0a",
    ".zip": b"PK\x03\x04",
}
GEOJSON_SUFFIXES: Final = frozenset({".geojson", ".json"})
SHAPEFILE_SUFFIXES: Final = frozenset({".shp", ".zip"})
DEGREES_EPSG: Final = frozenset({4326, 4490})
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CONVERT: Final = "ogr2ogr -t_srs EPSG:4326 new.geojson old.geojson"
_VERTEX_BYTES: Final = 16
# Types of well-known binary up to the multipolygon: none of them can hold another collection.
_SIMPLE_TYPE_MAX: Final = 6
_WKB_HEADER: Final = 5
_UNREADABLE: Final = (
    DataSourceError,
    DataLayerError,
    FeatureError,
    GeometryError,
    UnicodeDecodeError,
    ValueError,
)


def read_features(path: Path, hints: Hints | None = None) -> tuple[Feature, ...]:
    """Return the features of a file in WGS 84 degrees, in the order of the file.

    Geometries are not judged here: they may be invalid.

    Args:
        path: a `.geojson`, `.json` (each also `.gz`), `.gpkg`, `.fgb`, `.shp` or `.zip` file.
        hints: what is said beside the file.

    Raises:
        FileFault: if the file cannot be read, is too large, or names no system or a wrong one.
    """
    hints = hints or Hints()
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if suffix in GEOJSON_SUFFIXES:
        return _read_geojson(path, hints)
    suffix = path.suffix.lower()
    first = FIRST_BYTES.get(suffix)
    if first is None:
        known = ", ".join(sorted(GEOJSON_SUFFIXES | FIRST_BYTES.keys()))
        raise FileFault("has an unknown format", f"known are {known}")
    _check_start(path, first, hints.bytes_max)
    with ExitStack() as opened:
        if suffix not in SHAPEFILE_SUFFIXES:
            return _read_layer(path, hints, None)
        found = opened.enter_context(opened_shapefile(path, bytes_max=hints.bytes_max))
        texts = Texts(named=found.encoding, given=hints.encoding)
        return _read_layer(found.path, hints, texts)


def _read_geojson(path: Path, hints: Hints) -> tuple[Feature, ...]:
    """GeoJSON is in WGS 84 degrees by definition, so there is nothing to convert."""
    if hints.crs is not None and _found(hints.crs).to_epsg() not in DEGREES_EPSG:
        raise FileFault("is GeoJSON, which is always in WGS 84 degrees", f"first: {_CONVERT}")
    try:
        document = parse(read_limited(path).removeprefix(_BYTE_ORDER_MARK))
        return parse_geojson(document, limits=hints.limits, valid=False).features
    except MalformedBody as problem:
        raise FileFault(problem.detail) from None
    except GeoError as fault:
        place = (
            "" if fault.position is None else f" at {fault.position.lon} {fault.position.lat}"
        )
        reason = f"{fault.pointer or 'the document'}: {fault.detail}{place}"
        raise FileFault(reason, _geojson_proposal(fault.reason)) from None


def _geojson_proposal(reason: str) -> str:
    if reason in {"foreign-crs", "out-of-range"}:
        return f"GeoJSON is in WGS 84 degrees, longitude first; convert it: {_CONVERT}"
    return ""


def _check_start(path: Path, first: bytes, bytes_max: int) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as opened:
            start = opened.read(len(first))
    except OSError as error:
        raise FileFault(f"cannot be read ({type(error).__name__})", "check the path") from None
    if start != first:
        raise FileFault("is not what its name says", "check the format")
    if size > bytes_max:
        raise FileFault(f"is larger than {bytes_max // 2**20} MiB", "import it in parts")


def _found(declared: str | None) -> CRS:
    try:
        return find_crs(declared)
    except GeoError as fault:
        advice = "say which it is with --crs, for example --crs EPSG:4549"
        raise FileFault(fault.detail, advice) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """What GDAL gives of one layer: the system it names, shapes, and attributes by name."""

    crs: str | None
    wkb: NDArray[np.object_]
    columns: Mapping[str, Sequence[Any]]


def _read_layer(path: Path, hints: Hints, texts: Texts | None) -> tuple[Feature, ...]:
    try:
        with warnings.catch_warnings():
            # GDAL warns of what it makes of an odd file; here it is refused or checked.
            warnings.simplefilter("ignore")
            layer = _layer(path, hints, texts)
    except _UNREADABLE:
        raise FileFault(
            "cannot be read as vector data", "open it in a GIS and export it"
        ) from None
    shapes = _in_degrees(_shapes(layer.wkb, hints), layer.crs, hints)
    names = list(layer.columns)
    return tuple(
        Feature(
            geometry=shape,
            properties={name: layer.columns[name][row] for name in names},
            pointer=f"/{row}",
        )
        for row, shape in enumerate(shapes)
    )


def _layer(path: Path, hints: Hints, texts: Texts | None) -> _Layer:
    name = _layer_name(path, hints.layer)
    most = hints.limits.features_max
    found = pyogrio.read_info(path, layer=name, force_feature_count=True)
    if found["features"] > most:
        raise FileFault(f"holds more than {most} features", "import it in parts")
    fields = hints.fields
    wanted = None if fields is None else {fields.code, fields.name, fields.community}
    meta, _, wkb, columns = pyogrio.raw.read(
        path,
        layer=name,
        columns=None if wanted is None else sorted(wanted),
        # Latin-1 gives every byte of a shapefile's text back as it is.
        encoding=None if texts is None else "ISO-8859-1",
        force_2d=True,
        max_features=most + 1,
    )
    if wkb is None or not len(wkb):
        raise FileFault("has no geometries")
    read = {
        str(field): _values(column, texts)
        for field, column in zip(meta["fields"], columns, strict=True)
    }
    return _Layer(crs=found["crs"], wkb=wkb, columns=read)


def _layer_name(path: Path, wanted: str | None) -> str:
    """The layer that is named, or the only one with shapes."""
    layers = [str(name) for name, shape in pyogrio.list_layers(path) if shape is not None]
    if wanted is not None and wanted not in layers:
        raise FileFault("holds no layer of that name with shapes", "check --layer")
    if wanted is None and len(layers) != 1:
        reason = f"holds {len(layers)} layers with shapes"
        raise FileFault(reason, "say which with --layer" if layers else "export it anew")
    return layers[0] if wanted is None else wanted


def _values(column: NDArray[Any], texts: Texts | None) -> Sequence[Any]:
    """A column as text, whole numbers or None: nothing else can be a code or a name."""
    if np.issubdtype(column.dtype, np.integer):
        return [int(each) for each in column]
    if column.dtype != object:
        return [None] * len(column)
    found = [each if isinstance(each, str) else None for each in column]
    if texts is None:
        return found
    raw = ("" if each is None else each for each in found)
    read = texts.decoded([each.encode("iso-8859-1") for each in raw])
    return [None if each is None else text for each, text in zip(found, read, strict=True)]


def _shapes(wkb: NDArray[np.object_], hints: Hints) -> NDArray[np.object_]:
    """Geometries from well-known binary, counted and held to simple types beforehand."""
    most = hints.limits.vertices_max
    too_many = FileFault(f"has more than {most} vertices", "simplify it, or import it in parts")
    sizes = [0 if each is None else len(each) for each in wkb]
    if max(sizes) > most * _VERTEX_BYTES * 2 or sum(sizes) > most * _VERTEX_BYTES * 2:
        raise too_many
    for row, each in enumerate(wkb, start=1):
        if each is not None and not _is_simple(each):
            raise FileFault(f"feature {row} is no polygon", "give polygons only")
    try:
        shapes = np.asarray(shapely.from_wkb(wkb), dtype=object)
    except shapely.errors.GEOSException:
        raise FileFault("holds a geometry that cannot be read") from None
    if shapely.get_num_coordinates(shapes).sum() > most:
        raise too_many
    if not shapely.get_num_coordinates(shapes).any():
        raise FileFault("has no geometries")
    return shapes


def _is_simple(wkb: bytes) -> bool:
    if len(wkb) < _WKB_HEADER:
        return False
    kind: int = struct.unpack_from("<I" if wkb[0] else ">I", wkb, 1)[0]
    return 1 <= kind <= _SIMPLE_TYPE_MAX


def _in_degrees(
    shapes: NDArray[np.object_], declared: str | None, hints: Hints
) -> Iterator[Any]:
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    bounds = (west, south, east, north)
    system = _system(declared, bounds, hints)
    try:
        check_plausible(system, bounds)
        converted = to_wgs84_geometries(shapes, system)
    except GeoError as fault:
        reason = f"{fault.detail} (the file says: {system.name[:80]})"
        raise FileFault(reason, _crs_proposal(bounds, hints)) from None
    _check_ground(system, bounds, hints)
    return iter(converted)


def _system(declared: str | None, bounds: Bounds, hints: Hints) -> CRS:
    """Return the reference system of a file from what it says and what the operator says.

    The operator may contradict a file only if what the file says cannot be true.
    """
    if not declared and not hints.crs:
        text = "does not say in which coordinate reference system it is"
        raise FileFault(text, _crs_proposal(bounds, hints))
    if not declared or not hints.crs:
        return _found(declared or hints.crs)
    system, given = _found(declared), _found(hints.crs)
    if given != system and _credible(system, bounds, hints):
        raise FileFault("names another coordinate reference system", "leave out --crs")
    return given


def _credible(system: CRS, bounds: Bounds, hints: Hints) -> bool:
    if not plausible(system, bounds):
        return False
    return hints.ground is None or not beside(to_degrees(system, bounds), hints.ground)


def _crs_proposal(bounds: Bounds, hints: Hints) -> str:
    fits = fitting(bounds, ground=hints.ground)
    if fits:
        return f"it would fit {told(fits)}; if that is right, name it with --crs"
    if hints.ground is None:
        return "ask who made the file, and name it with --crs, for example --crs EPSG:4549"
    return "no known system puts it where the stored grids are; ask who made the file"


def _check_ground(system: CRS, bounds: Bounds, hints: Hints) -> None:
    """Refuse what lies far from all that is stored, but would not in another system.

    The zones of a grid system share their numbers, so only this tells one from the next. Who
    names the system with --crs says that it is right.
    """
    if hints.ground is None or hints.crs is not None:
        return
    if not beside(to_degrees(system, bounds), hints.ground):
        return
    fits = fitting(bounds, ground=hints.ground)
    if fits:
        code = ":".join(system.to_authority() or ())
        advice = f"name the right system with --crs: {told(fits)}"
        if code:
            advice += f"; or --crs {code} if the file is right"
        raise FileFault("lies far from all stored grids in the system that it names", advice)
