import pickle
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import shapely
from hypothesis import given
from shapely import LineString, MultiPolygon, Polygon

from geo.errors import GeoError, Position
from geo.polygon import (
    as_multipolygon,
    invalidity,
    normal_boundary,
    polygonal,
    refuse_crossing,
    refuse_invalid,
    snap,
    wind,
)
from tests.geo.shapes import lattices, snapped_boundaries
from tests.shared_data import shared_path

BOWTIE = Polygon([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)])
CLOCKWISE = Polygon([(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)])


def jts_cases() -> Iterator[tuple[str, bool]]:
    """The validity cases of the JTS test suites: geometry text and the expected answer."""
    for name in ("general__TestValid.xml", "misc__TestValid.xml"):
        root = ET.parse(shared_path("geometry", "jts", name)).getroot()  # noqa: S314
        for case in root.iter("case"):
            text = re.sub(r"\s+", " ", case.findtext("a") or "").strip()
            for op in case.iter("op"):
                if op.get("name") == "isValid":
                    yield text, (op.text or "").strip() == "true"


def test_validity_agrees_with_the_jts_suites():
    cases = list(jts_cases())
    assert len(cases) == 88
    for text, valid in cases:
        with np.errstate(invalid="ignore"):
            geometry = shapely.from_wkb(text) if text[0].isdigit() else shapely.from_wkt(text)
        assert (invalidity(geometry) is None) == valid, text


def test_an_invalid_polygon_is_refused_with_reason_and_place():
    with pytest.raises(GeoError) as fault:
        refuse_invalid(BOWTIE, "/geometry")
    assert fault.value.reason == "invalid-geometry"
    assert fault.value.detail == "Self-intersection"
    assert fault.value.position == Position(1.0, 1.0)
    assert str(fault.value) == "/geometry: Self-intersection (invalid-geometry)"


def test_a_fault_without_a_place_on_earth_has_no_position():
    with np.errstate(invalid="ignore"):
        found = invalidity(Polygon([(0, 0), (1, float("nan")), (1, 1), (0, 0)]))
    assert found is not None
    assert found[1] is None


@given(snapped_boundaries())
def test_snapping_what_is_snapped_changes_nothing(boundary):
    assert shapely.equals_identical(snap(boundary), boundary)


@given(lattices())
def test_neighbours_stay_neighbours_when_snapped(lattice):
    loose = {
        code: shapely.transform(cell, lambda xy: xy + 3.3e-9)
        for code, cell in lattice.cells.items()
    }
    assert shapely.coverage_is_valid([snap(cell) for cell in loose.values()])


@given(lattices())
def test_the_normal_form_is_stable_and_keeps_the_ground(lattice):
    for cell in lattice.cells.values():
        stored = normal_boundary(cell.reverse())
        assert shapely.equals_identical(normal_boundary(stored), stored)
        assert stored.equals(cell)


def test_rings_are_wound_by_rfc_7946():
    holed = Polygon(
        [(0, 0), (0, 9), (9, 9), (9, 0), (0, 0)], [[(1, 1), (2, 1), (2, 2), (1, 1)]]
    )
    wound = wind(holed)
    assert isinstance(wound, Polygon)
    assert wound.exterior.is_ccw
    assert not wound.interiors[0].is_ccw
    assert wound.equals(holed)


def test_minus_zero_is_zero():
    assert "-0" not in snap(Polygon([(-1e-9, 0), (1, 0), (1, 1), (-1e-9, 0)])).wkt


def test_a_polygon_too_small_for_the_snapping_grid_is_refused():
    with pytest.raises(GeoError) as fault:
        normal_boundary(Polygon([(0, 0), (1e-8, 0), (1e-8, 1e-8), (0, 0)]), "/boundary")
    assert (fault.value.pointer, fault.value.reason) == ("/boundary", "invalid-geometry")


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [(LineString([(0, 0), (1, 1)]), "type-not-allowed"), (Polygon(), "empty-geometry")],
)
def test_only_polygons_become_multipolygons(geometry, reason):
    with pytest.raises(GeoError) as fault:
        as_multipolygon(geometry, "/g")
    assert (fault.value.pointer, fault.value.reason) == ("/g", reason)
    assert as_multipolygon(CLOCKWISE) == MultiPolygon([CLOCKWISE])


def test_a_fault_crosses_a_process_border_unchanged():
    """Long checks run in a process of their own."""
    fault = GeoError("/a", "slug", "Sentence", Position(1.0, 2.0))
    copy = pickle.loads(pickle.dumps(fault))  # noqa: S301
    assert (copy.pointer, copy.reason, copy.detail, copy.position) == fault.args
    assert str(GeoError("", "slug", "Sentence")) == "the document: Sentence (slug)"


@pytest.mark.parametrize(
    "ring",
    [
        [(179, 10), (-179, 10), (-179, 11), (179, 11), (179, 10)],
        # Around the pole and back along the far side of the antimeridian.
        [(-180, 80), (0, 80), (180, 80), (180, 90), (-180, 90), (-180, 80)],
        [(-120, 85), (0, 85), (120, 85), (-120, 85)],
    ],
    ids=["antimeridian", "over the pole", "around the pole"],
)
def test_an_edge_around_the_world_is_refused_with_its_place(ring):
    far = MultiPolygon([Polygon(CLOCKWISE), Polygon(ring)])
    with pytest.raises(GeoError) as fault:
        refuse_crossing(far, "/geometry")
    assert (fault.value.pointer, fault.value.reason) == ("/geometry", "crosses-antimeridian")
    assert fault.value.position in {Position(*map(float, each)) for each in ring}


def test_parts_on_both_sides_of_the_world_are_no_edge_around_it():
    band = Polygon([(-180, 80), (0, 80), (180, 80), (180, 85), (0, 85), (-180, 85)])
    refuse_crossing(band)
    refuse_crossing(MultiPolygon([Polygon(CLOCKWISE), shapely.box(170, 0, 171, 1)]))
    refuse_crossing(MultiPolygon([shapely.box(-171, 0, -170, 1), shapely.box(170, 0, 171, 1)]))


def test_what_has_area_is_kept_out_of_nested_collections():
    both = MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)])
    mixed = shapely.GeometryCollection([both, LineString([(0, 0), (5, 5)])])
    assert polygonal(mixed) == both
