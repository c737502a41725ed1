"""Repair keeps the ground that was drawn, says what it changed, and gives up in time."""

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiPolygon, Point, Polygon

from geo.errors import GeoError
from geo.measure import area_m2
from geo.repair import CROSSINGS_MAX, crossings, repair
from tests.geo.shapes import SOUTH, WEST


def star(points):
    """A star polygon of which nearly every edge crosses every other."""
    angles = [2 * math.pi * k * (points // 2) / points for k in range(points)]
    return Polygon([(WEST + math.cos(a) / 100, SOUTH + math.sin(a) / 100) for a in angles])


def repaired(drawn):
    """What repair made, or the reason why it did not."""
    try:
        return repair(drawn)
    except GeoError as fault:
        return fault.reason


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=4, max_size=9))
def test_what_is_repaired_is_valid_and_within_what_was_drawn(corners):
    """Whatever ring is drawn: a valid form inside of its outline, or a reason."""
    ring = [(WEST + x / 1000, SOUTH + y / 1000) for x, y in corners]
    drawn = Polygon(ring)
    made = repaired(drawn)
    if isinstance(made, str):
        assert made == "invalid-geometry"
        return
    assert shapely.is_valid(made.boundary)
    assert made.repaired_m2 == pytest.approx(area_m2(made.boundary))
    assert made.change_m2 == made.repaired_m2 - made.drawn_m2
    hull = shapely.buffer(shapely.convex_hull(drawn), 1e-6)
    assert shapely.covers(hull, made.boundary)


def test_a_bow_tie_becomes_two_triangles():
    tie = Polygon([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)])
    made = repair(tie)
    assert len(made.boundary.geoms) == 2
    assert made.drawn_m2 == pytest.approx(0.0, abs=1.0)
    assert made.change_m2 == pytest.approx(area_m2(Polygon([(0, 0), (1, 1), (0, 2)])) * 2, 1e-3)


def test_a_valid_polygon_stays_as_it_is():
    box = shapely.box(WEST, SOUTH, WEST + 0.01, SOUTH + 0.01)
    made = repair(box)
    assert shapely.equals(made.boundary, box)
    assert made.change_m2 == 0.0


def test_crossings_are_counted():
    assert crossings(star(5), most=100) == 5
    assert crossings(shapely.box(0, 0, 1, 1), most=100) == 0
    assert crossings(star(41), most=10) > 10


@pytest.mark.parametrize("points", [101, 5_001])
def test_a_star_is_refused_before_anything_is_repaired(points):
    with pytest.raises(GeoError) as fault:
        repair(star(points), "/row")
    assert (fault.value.pointer, fault.value.reason) == ("/row", "too-tangled")
    assert str(CROSSINGS_MAX) in fault.value.detail


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        (Point(1, 1), "type-not-allowed"),
        (MultiPolygon(), "empty-geometry"),
        (Polygon([(0, 0), (1, 1), (2, 2), (0, 0)]), "invalid-geometry"),
        (LineString([(0, 0), (1, 1)]), "type-not-allowed"),
    ],
)
def test_what_is_no_ground_is_refused(drawn, reason):
    with pytest.raises(GeoError) as fault:
        repair(drawn)
    assert fault.value.reason == reason
