"""Read vector files: GeoJSON, GeoPackage, Shapefile (zipped or not), always as WGS 84 degrees.

A file says in which coordinate reference system it is, and the coordinates must fit what it
says: guessing moves every grid of a city by half a kilometre without a trace. So a missing or a
lying one refuses the file, with a proposal. GDAL chooses drivers by content, and some of those
read other files or the network; therefore only the three formats named here, known by their
first bytes, get as far as GDAL.
"""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj import CRS

from geo.crs import check_plausible, find_crs, to_wgs84_geometries
from geo.errors import GeoError
from geo.geojson import Feature, Limits, parse_geojson
from server.imports.cells import FILE_BYTES_MAX, FileFault, read_limited
from server.problems import MalformedBody
from server.strict_json import parse

FIRST_BYTES: Final[Mapping[str, bytes]] = {
    ".gpkg": b"SQLite format 3\x00",
    ".shp": b"\x00\x00\x27\x0a",
    ".zip": b"PK\x03\x04",
}
GEOJSON_SUFFIXES: Final = frozenset({".geojson", ".json"})
DEGREES_EPSG: Final = frozenset({4326, 4490})
FILE_LIMITS: Final = Limits(vertices_max=1_000_000, features_max=100_000)
MEMBERS_MAX: Final = 100
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CONVERT: Final = "ogr2ogr -t_srs EPSG:4326 new.geojson old.geojson"


def read_features(path: Path, *, crs: str | None = None) -> tuple[Feature, ...]:
    """Return the features of a file in WGS 84 degrees, in the order of the file.

    Args:
        path: a `.geojson`, `.json` (each also `.gz`), `.gpkg`, `.shp` or `.zip` file.
        crs: the coordinate reference system of a file that names none.

    Raises:
        FileFault: if the file cannot be read, is too large, or names no system or a wrong one.
    """
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if suffix in GEOJSON_SUFFIXES:
        return _read_geojson(path, crs)
    first = FIRST_BYTES.get(path.suffix.lower())
    if first is None:
        known = ", ".join(sorted(GEOJSON_SUFFIXES | FIRST_BYTES.keys()))
        raise FileFault("has an unknown format", f"known are {known}")
    _check_start(path, first)
    source = _inside_zip(path) if path.suffix.lower() == ".zip" else str(path)
    return _read_layer(source, crs)


def _read_geojson(path: Path, crs: str | None) -> tuple[Feature, ...]:
    """GeoJSON is in WGS 84 degrees by definition, so there is nothing to convert."""
    if crs is not None and _found(crs).to_epsg() not in DEGREES_EPSG:
        raise FileFault("is GeoJSON, which is always in WGS 84 degrees", f"first: {_CONVERT}")
    try:
        document = parse(read_limited(path).removeprefix(_BYTE_ORDER_MARK))
        return parse_geojson(document, limits=FILE_LIMITS).features
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


def _check_start(path: Path, first: bytes) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as opened:
            start = opened.read(len(first))
    except OSError as error:
        raise FileFault(f"cannot be read ({type(error).__name__})", "check the path") from None
    if start != first:
        raise FileFault("is not what its name says", "check the format")
    if size > FILE_BYTES_MAX:
        raise FileFault(f"is larger than {FILE_BYTES_MAX // 2**20} MiB", "import it in parts")


def _inside_zip(path: Path) -> str:
    """Return GDAL's address of the only shapefile in a zip, after a look at its members."""
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
            shapes = [each for each in members if each.filename.lower().endswith(".shp")]
            if len(members) > MEMBERS_MAX or len(shapes) != 1:
                raise FileFault("must hold exactly one .shp file and what belongs to it")
            if sum(each.file_size for each in members) > FILE_BYTES_MAX:
                raise FileFault("is too large when unpacked", "import it in parts")
            with packed.open(shapes[0]) as opened:
                start = opened.read(len(FIRST_BYTES[".shp"]))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        raise FileFault("is not a readable zip file") from None
    if start != FIRST_BYTES[".shp"]:
        raise FileFault("does not hold a shapefile")
    return f"/vsizip/{path.resolve()}/{shapes[0].filename}"


def _found(declared: str | None) -> CRS:
    try:
        return find_crs(declared)
    except GeoError as fault:
        advice = "say which it is with --crs, for example --crs EPSG:4549"
        raise FileFault(fault.detail, advice) from None


def _read_layer(source: str, crs: str | None) -> tuple[Feature, ...]:
    try:
        layers = pyogrio.list_layers(source)
        shown = pyogrio.read_info(source, force_feature_count=True)
        if len(layers) != 1:
            raise FileFault(f"holds {len(layers)} layers", "give a file with one layer")
        if shown["features"] > FILE_LIMITS.features_max:
            raise FileFault(f"holds more than {FILE_LIMITS.features_max} features")
        system = _system(shown["crs"], crs)
        meta, _, wkb, columns = pyogrio.raw.read(source, force_2d=True)
    except (DataSourceError, DataLayerError, FeatureError, GeometryError, UnicodeDecodeError):
        raise FileFault(
            "cannot be read as vector data", "open it in a GIS and export it"
        ) from None
    shapes = _in_degrees(wkb, system)
    names = [str(name) for name in meta["fields"]]
    return tuple(
        Feature(geometry=shape, properties=_properties(names, columns, row), pointer=f"/{row}")
        for row, shape in enumerate(shapes)
    )


def _system(declared: str | None, given: str | None) -> CRS:
    """Return the reference system of a file from what it says and what the operator says."""
    if not declared:
        return _found(given)
    system = _found(declared)
    if given is not None and _found(given) != system:
        raise FileFault("names another coordinate reference system", "leave out --crs")
    return system


def _in_degrees(wkb: NDArray[np.object_] | None, system: CRS) -> Sequence[Any]:
    if wkb is None:
        raise FileFault("has no geometries")
    try:
        shapes = shapely.from_wkb(wkb)
    except shapely.errors.GEOSException:
        raise FileFault("holds a geometry that cannot be read") from None
    if shapely.get_num_coordinates(shapes).sum() > FILE_LIMITS.vertices_max:
        raise FileFault(f"has more than {FILE_LIMITS.vertices_max} vertices", "simplify it")
    if not shapely.get_num_coordinates(shapes).any():
        raise FileFault("has no geometries")
    try:
        west, south, east, north = shapely.total_bounds(shapes).tolist()
        check_plausible(system, (west, south, east, north))
        return list(to_wgs84_geometries(shapes, system))
    except GeoError as fault:
        name = system.name[:80]
        raise FileFault(f"{fault.detail} (the file says: {name})", "correct its CRS") from None


def _properties(names: Sequence[str], columns: Sequence[Any], row: int) -> dict[str, Any]:
    values = ((name, column[row]) for name, column in zip(names, columns, strict=True))
    return {name: value if isinstance(value, str) else None for name, value in values}
