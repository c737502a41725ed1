"""A vector file says in which reference system it is, and must not lie about it."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import shape

from server.imports.cells import FileFault
from server.imports.shapes import read_features
from tests.imports.conftest import collection, row_of_cells, square
from tests.shared_data import shared_path

METRIC = "EPSG:3826"
Write = Callable[[str, Any], Path]


def layer(path: Path, *, crs: str, metric: bool) -> Path:
    """Write three cells in a row with their codes; `metric` converts them to `METRIC`."""
    features = row_of_cells(3)["features"]
    shapes = [shape(each["geometry"]) for each in features]
    if metric:
        convert = Transformer.from_crs(4326, METRIC, always_xy=True).transform
        shapes = [shapely.transform(each, convert, interleaved=False) for each in shapes]
    codes = np.array([each["properties"]["code"] for each in features], dtype=object)
    pyogrio.raw.write(
        str(path),
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [codes],
        np.array(["code"]),
        geometry_type="Polygon",
        crs=crs,
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
        read_features(path, **options)
    return caught.value


@pytest.mark.parametrize("name", ["grids.gpkg", "grids.shp"])
def test_a_projected_file_comes_out_in_degrees(tmp_path: Path, name: str) -> None:
    features = read_features(layer(tmp_path / name, crs=METRIC, metric=True))
    assert [each.properties["code"][-3:] for each in features] == ["001", "002", "003"]
    for feature, wanted in zip(features, row_of_cells(3)["features"], strict=True):
        assert feature.geometry is not None
        expected = shape(wanted["geometry"])
        assert feature.geometry.hausdorff_distance(expected) < 1e-8


def test_a_shapefile_may_come_in_a_zip(tmp_path: Path) -> None:
    layer(tmp_path / "grids.shp", crs=METRIC, metric=True)
    packed = tmp_path / "grids.zip"
    with zipfile.ZipFile(packed, "w") as target:
        for each in tmp_path.glob("grids.*"):
            if each != packed:
                target.write(each, each.name)
    assert len(read_features(packed)) == 3


def test_a_file_without_a_reference_system_is_refused_until_it_is_named(
    tmp_path: Path,
) -> None:
    path = shapefile_without_a_system(tmp_path)
    fault = refusal(path)
    assert "does not say" in fault.reason
    assert "--crs" in fault.proposal
    assert len(read_features(path, crs=METRIC)) == 3


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


def test_the_operator_may_not_contradict_the_file(tmp_path: Path) -> None:
    path = layer(tmp_path / "grids.gpkg", crs=METRIC, metric=True)
    assert "another" in refusal(path, crs="EPSG:4326").reason


def test_an_unknown_reference_system_is_refused(tmp_path: Path) -> None:
    path = shapefile_without_a_system(tmp_path)
    assert "not known" in refusal(path, crs="EPSG:99999999").reason


def test_geojson_is_always_degrees(written: Write) -> None:
    path = written("grids.geojson", row_of_cells(1))
    assert len(read_features(path)) == 1
    assert len(read_features(path, crs="EPSG:4490")) == 1
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


def test_a_zip_must_hold_one_shapefile(tmp_path: Path) -> None:
    path = tmp_path / "grids.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("layer.vrt", "<OGRVRTDataSource/>")
        target.writestr("a.shp", "<OGRVRTDataSource/>")
    assert "shapefile" in refusal(path).reason


def test_two_million_vertices_are_refused(written: Write) -> None:
    steps = 2_000_000
    ring = ",".join(f"[121.5,{25 + step / steps:.7f}]" for step in range(steps))
    content = f'{{"type":"Polygon","coordinates":[[{ring},[121.5,25.0]]]}}'
    assert "vertices are allowed" in refusal(written("grids.geojson", content)).reason
