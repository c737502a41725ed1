"""What is exported is imported again, vertex for vertex, in every format."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from geo.boundary import encode_boundary
from geo.layers import GRIDS, INCIDENTS
from geo.polygon import as_multipolygon, normal_boundary, snap
from server.imports.hints import Fields, Hints
from server.imports.shapes import read_features
from server.layers.export import ExportFormat, TextTooLongError, write_layer
from server.layers.queries import CountedRow
from server.layers.systems import find_system
from tests.geo.shapes import SOUTH, WEST, lattices

FILES = [each for each in ExportFormat if each is not ExportFormat.CSV]
COMMUNITY = "018f0000-0000-7000-8000-000000000001"
LAKE = shapely.box(WEST, SOUTH, WEST + 0.01, SOUTH + 0.01).difference(
    shapely.box(WEST + 0.004, SOUTH + 0.004, WEST + 0.006, SOUTH + 0.006)
)
ISLES = shapely.union(LAKE, shapely.box(WEST + 0.02, SOUTH, WEST + 0.021, SOUTH + 0.001))


def rows(shapes: dict[str, BaseGeometry], name: str = "网格") -> list[CountedRow]:
    """Rows of the layer of grids; the last field but one, `valid_to`, is null."""
    return [
        CountedRow(
            (at, shapely.to_wkb(shape), code, code, name, COMMUNITY, 1, 1_000, None, 2_000)
        )
        for at, (code, shape) in enumerate(shapes.items())
    ]


def again(
    shapes: dict[str, BaseGeometry], form: ExportFormat, crs: str
) -> dict[str, BaseGeometry]:
    """Shapes after they were exported and imported, by code."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / f"grids{form.suffix}"
        size = write_layer(
            GRIDS, rows(shapes), system=find_system(crs), form=form, output=output
        )
        assert size == output.stat().st_size
        assert [each.name for each in Path(folder).iterdir()] == [output.name]
        found = read_features(output, Hints(fields=Fields()))
    assert {each.properties["name"] for each in found} == {"网格"}
    assert {each.properties["community"] for each in found} == {COMMUNITY}
    return {
        each.properties["code"]: normal_boundary(as_multipolygon(each.geometry))
        for each in found
    }


@settings(max_examples=8)
@given(lattices(), st.sampled_from(FILES))
def test_a_coverage_comes_back_as_it_was(lattice, form):
    stored = {code: normal_boundary(snap(cell)) for code, cell in lattice.cells.items()}
    back = again(stored, form, "EPSG:4326")
    assert {code: encode_boundary(each) for code, each in back.items()} == {
        code: encode_boundary(each) for code, each in stored.items()
    }


@pytest.mark.parametrize("form", FILES)
def test_holes_and_parts_come_back(form):
    stored = {"lake": normal_boundary(LAKE), "isles": normal_boundary(ISLES)}
    back = again(stored, form, "EPSG:4326")
    assert all(shapely.equals(back[code], stored[code]) for code in stored)
    assert [shapely.get_num_geometries(each) for each in back.values()] in ([1, 2], [2, 1])


@pytest.mark.parametrize("form", [each for each in FILES if each is not ExportFormat.GEOJSON])
def test_through_a_map_plane_corners_stay_within_a_centimetre(form):
    stored = {"lake": normal_boundary(LAKE)}
    (back,) = again(stored, form, "EPSG:3826").values()
    moved = shapely.get_coordinates(back) - shapely.get_coordinates(stored["lake"])
    assert np.abs(moved).max() <= 1.1e-7


def test_a_shapefile_does_not_cut_off_text(tmp_path):
    long = rows({"a": normal_boundary(LAKE)}, name="网" * 85)
    write = {"system": find_system("EPSG:4326"), "output": tmp_path / "grids.zip"}
    with pytest.raises(TextTooLongError):
        write_layer(GRIDS, long, form=ExportFormat.SHP, **write)
    assert list(tmp_path.iterdir()) == []
    names = [each.name[:10] for each in INCIDENTS.fields]
    assert len(set(names)) == len(names)
