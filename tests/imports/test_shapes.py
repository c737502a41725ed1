"""A vector file says in which reference system it is, and must not lie about it."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geo.geojson import Limits
from server.imports.cells import FileFault
from server.imports.hints import Fields, Hints
from server.imports.shapes import read_features
from tests.imports.conftest import collection, row_of_cells, square
from tests.shared_data import shared_path

METRIC = "EPSG:3826"
TAIPEI = (121.4, 24.9, 121.7, 25.2)
ELSEWHERE = (-0.2, 51.4, 0.1, 51.6)
Write = Callable[[str, Any], Path]


def layer(path: Path, *, crs: str | None, metric: bool, **options: Any) -> Path:
    """Write three cells in a row with their codes; `metric` converts them to `METRIC`."""
    features = row_of_cells(3)["features"]
    shapes = [shape(each["geometry"]) for each in features]
    zone = options.pop("zone", METRIC if metric else None)
    if zone is not None:
        convert = Transformer.from_crs(4326, zone, always_xy=True).transform
        shapes = [shapely.transform(each, convert, interleaved=False) for each in shapes]
    codes = np.array([each["properties"]["code"] for each in features], dtype=object)
    pyogrio.raw.write(
        str(path),
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [codes],
        np.array(["code"]),
        geometry_type="Polygon",
        crs=crs,
        **options,
    )
    return path


def shapefile_without_a_system(folder: Path) -> Path:
    """A shapefile whose .prj got lost, as they do."""
    path = layer(folder / "grids.shp", crs=METRIC, metric=True)
    path.with_suffix(".prj").unlink()
    return path


def refusal(path: Path, **options: Any) -> FileFault:
    """What `read_features` says about a file it refuses."""
    with pytest.raises(FileFault) as caught:
        read_features(path, Hints(**options))
    return caught.value


@pytest.mark.parametrize("name", ["grids.gpkg", "grids.shp", "grids.fgb"])
def test_a_projected_file_comes_out_in_degrees(tmp_path: Path, name: str) -> None:
    found = read_features(layer(tmp_path / name, crs=METRIC, metric=True))
    # An index of a FlatGeobuf orders the features by place.
    features = sorted(found, key=lambda each: each.properties["code"])
    assert [each.properties["code"][-3:] for each in features] == ["001", "002", "003"]
    for feature, wanted in zip(features, row_of_cells(3)["features"], strict=True):
        assert feature.geometry is not None
        expected = shape(wanted["geometry"])
        assert feature.geometry.hausdorff_distance(expected) < 1e-8


def test_a_file_without_a_reference_system_is_refused_until_it_is_named(
    tmp_path: Path,
) -> None:
    path = shapefile_without_a_system(tmp_path)
    fault = refusal(path)
    assert "does not say" in fault.reason
    assert "--crs" in fault.proposal
    assert "EPSG:3826" in refusal(path, ground=TAIPEI).proposal
    assert len(read_features(path, Hints(crs=METRIC))) == 3


def test_a_real_file_without_a_reference_system_is_refused() -> None:
    fault = refusal(shared_path("grids", "buenosaires_precincts_nocrs_dirty.zip"))
    assert "does not say" in fault.reason


@pytest.mark.parametrize(
    ("crs", "metric", "words"),
    [
        ("EPSG:4326", True, "not degrees"),
        (METRIC, False, "look like degrees"),
        ("EPSG:27700", True, "outside of the area"),
    ],
)
def test_a_lying_reference_system_is_refused(
    tmp_path: Path, crs: str, *, metric: bool, words: str
) -> None:
    path = layer(tmp_path / "grids.gpkg", crs=crs, metric=metric)
    assert words in refusal(path).reason
    right = METRIC if metric else "EPSG:4326"
    assert right in refusal(path, ground=TAIPEI).proposal
    assert len(read_features(path, Hints(crs=right))) == 3


def test_a_system_of_the_neighbouring_zone_is_refused_by_the_place(tmp_path: Path) -> None:
    """The numbers of two zones are the same: only the stored grids tell them apart."""
    path = layer(tmp_path / "grids.fgb", crs="EPSG:4548", metric=False, zone="EPSG:4549")
    assert len(read_features(path)) == 3
    fault = refusal(path, ground=TAIPEI)
    assert "far from all stored grids" in fault.reason
    assert "EPSG:4549" in fault.proposal
    assert len(read_features(path, Hints(crs="EPSG:4549", ground=TAIPEI))) == 3
    sure = Hints(crs="EPSG:4548", ground=TAIPEI)
    assert read_features(path, sure)[0].geometry.bounds[0] < 119
    assert "far" in refusal(path, ground=TAIPEI).reason
    assert len(read_features(path, Hints(ground=ELSEWHERE))) == 3


def test_the_operator_may_not_contradict_the_file(tmp_path: Path) -> None:
    path = layer(tmp_path / "grids.gpkg", crs=METRIC, metric=True)
    assert "another" in refusal(path, crs="EPSG:4326").reason


def test_an_unknown_reference_system_is_refused(tmp_path: Path) -> None:
    path = shapefile_without_a_system(tmp_path)
    assert "not known" in refusal(path, crs="EPSG:99999999").reason


def test_geojson_is_always_degrees(written: Write) -> None:
    path = written("grids.geojson", row_of_cells(1))
    assert len(read_features(path)) == 1
    assert len(read_features(path, Hints(crs="EPSG:4490"))) == 1
    assert "always in WGS 84" in refusal(path, crs=METRIC).reason


def test_geojson_in_metres_is_refused_with_a_way_out(written: Write) -> None:
    geometry = square(0)
    geometry["coordinates"][0][0] = geometry["coordinates"][0][4] = [300_000, 2_770_000]
    fault = refusal(written("grids.geojson", collection({**_feature(geometry)})))
    assert "ogr2ogr" in fault.proposal


def test_geojson_with_a_foreign_crs_member_is_refused(written: Write) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3826"}}
    fault = refusal(written("grids.geojson", {**row_of_cells(1), "crs": crs}))
    assert "ogr2ogr" in fault.proposal


def _feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("grids.geojson", "{"),
        ("grids.geojson", '{"type": "FeatureCollection", "features": [], "features": []}'),
        ("grids.geojson", json.dumps({"type": "Polygon"})),
        ("grids.gpkg", "not a database"),
        ("grids.shp", "not a shapefile"),
        ("grids.zip", "not a zip"),
        ("grids.vrt", "<OGRVRTDataSource/>"),
        ("grids.gpkg", '<OGRVRTDataSource><OGRVRTLayer name="a"/></OGRVRTDataSource>'),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    written: Write, name: str, content: str
) -> None:
    assert refusal(written(name, content)).reason


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.geojson").reason
    assert refusal(tmp_path / "none.gpkg").reason


def test_two_million_vertices_are_refused(written: Write) -> None:
    steps = 2_000_000
    ring = ",".join(f"[121.5,{25 + step / steps:.7f}]" for step in range(steps))
    content = f'{{"type":"Polygon","coordinates":[[{ring},[121.5,25.0]]]}}'
    assert "vertices are allowed" in refusal(written("grids.geojson", content)).reason


def polygons(path: Path, *shapes: Any, crs: str = "EPSG:4326", **options: Any) -> Path:
    """Write shapes as they are, each with a code."""
    codes = np.array([f"{each:03}" for each in range(len(shapes))], dtype=object)
    wkb = np.array(
        [each if isinstance(each, bytes) else shapely.to_wkb(each) for each in shapes]
    )
    pyogrio.raw.write(
        str(path),
        wkb.astype(object),
        [codes],
        np.array(["code"]),
        geometry_type="Unknown",
        crs=crs,
        **options,
    )
    return path


def test_limits_hold_before_the_geometry_library_sees_anything(tmp_path: Path) -> None:
    ring = np.column_stack([np.linspace(121, 122, 3_000), np.linspace(25, 26, 3_000) ** 2 / 25])
    path = polygons(tmp_path / "grids.gpkg", shapely.Polygon(ring), shapely.box(1, 1, 2, 2))
    few = Limits(vertices_max=1_000, features_max=10)
    assert "1000 vertices" in refusal(path, limits=few).reason
    some = Limits(vertices_max=2_900, features_max=10)
    assert "2900 vertices" in refusal(path, limits=some).reason
    one = Limits(vertices_max=10_000, features_max=1)
    assert "more than 1 features" in refusal(path, limits=one).reason
    assert "MiB" in refusal(path, bytes_max=1_000).reason


def test_a_collection_never_reaches_the_geometry_library(tmp_path: Path) -> None:
    """The library crashes on 100,000 nested ones; a file can be made to hold as many."""
    deep: BaseGeometry = shapely.Point(121, 25)
    for _ in range(20):
        deep = shapely.GeometryCollection([deep])
    path = polygons(tmp_path / "grids.gpkg", shapely.box(121, 25, 122, 26), deep)
    assert refusal(path).reason == "feature 2 is no polygon"
    database = sqlite3.connect(path)
    (header,) = database.execute("SELECT substr(geom, 1, 8) FROM grids").fetchone()
    nested = b"\x01\x07\x00\x00\x00\x01\x00\x00\x00" * 100_000
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (name,) in database.execute(triggers).fetchall():
        database.execute(f'DROP TRIGGER "{name}"')
    bare = header[:3] + bytes([header[3] & 0xF1]) + header[4:]
    database.execute("UPDATE grids SET geom = ? WHERE fid = 2", (bare + nested,))
    database.commit()
    database.close()
    assert refusal(path).reason


def test_invalid_polygons_are_left_to_who_looks_at_each(tmp_path: Path) -> None:
    tie = shapely.Polygon([(121, 25), (122, 26), (122, 25), (121, 26), (121, 25)])
    (found,) = read_features(polygons(tmp_path / "grids.fgb", tie))
    assert found.geometry is not None
    assert not found.geometry.is_valid


def test_one_of_several_layers_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "grids.gpkg"
    polygons(path, shapely.box(121, 25, 122, 26), layer="north")
    polygons(path, shapely.box(121, 24, 122, 25), layer="south", append=True)
    assert "2 layers" in refusal(path).reason
    assert "--layer" in refusal(path).proposal
    assert read_features(path, Hints(layer="south"))[0].geometry.bounds[1] == 24
    assert "no layer of that name" in refusal(path, layer="west").reason


def test_only_the_attributes_of_grids_are_read(tmp_path: Path) -> None:
    path = layer(tmp_path / "grids.gpkg", crs=METRIC, metric=True)
    assert read_features(path, Hints(fields=Fields(code="name")))[0].properties == {}
    assert set(read_features(path, Hints(fields=Fields()))[0].properties) == {"code"}
