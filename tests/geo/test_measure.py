import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon

from geo.measure import area_m2, degrees_reaching, distance_m, metres_per_degree
from tests.geo.shapes import lattices
from tests.shared_data import shared_polygons

GEOD = Geod(ellps="WGS84")
latitudes = st.floats(-80, 80)


@given(st.floats(-179, 178), latitudes, st.floats(0.001, 0.0099))
def test_small_areas_agree_with_the_geodesic_ones(lon, lat, size):
    square = shapely.box(lon, lat, lon + size, lat + size)
    geodesic = abs(GEOD.geometry_area_perimeter(square)[0])
    assert area_m2(square) == pytest.approx(geodesic, rel=1e-5)


@given(latitudes)
def test_both_ways_of_measuring_meet(lat):
    below = area_m2(shapely.box(121, lat, 121.00999999, lat + 0.00999999))
    above = area_m2(shapely.box(121, lat, 121.01000001, lat + 0.01000001))
    assert below == pytest.approx(above, rel=1e-5)


@given(lattices())
def test_the_parts_add_up_to_the_whole(lattice):
    cells = sum(area_m2(cell) for cell in lattice.cells.values())
    assert area_m2(lattice.parent) == pytest.approx(cells, rel=1e-5)
    assert area_m2(MultiPolygon(list(lattice.cells.values()))) == pytest.approx(cells)


@given(st.floats(1e-9, 1e-8))
def test_the_smallest_sliver_has_an_area_with_digits(width):
    sliver = shapely.box(121.5, 25.0, 121.5 + width, 25.001)
    lon_m, lat_m = metres_per_degree(25.0005)
    exact_width = (121.5 + width) - 121.5
    assert area_m2(sliver) == pytest.approx(exact_width * lon_m * 0.001 * lat_m, rel=1e-5)


def test_ring_order_does_not_matter_and_holes_are_taken_out():
    outer, hole = shapely.box(0, 0, 2, 2), shapely.box(0.5, 0.5, 1.5, 1.5)
    holed = Polygon(outer.exterior.coords, [hole.exterior.coords])
    assert area_m2(holed) == pytest.approx(area_m2(outer) - area_m2(hole))
    assert area_m2(outer.reverse()) == area_m2(outer)


def test_what_has_no_inside_has_no_area():
    line = LineString([(0, 0), (1, 1)])
    for geometry in (Point(0, 0), line, Polygon(), GeometryCollection([line, Point(1, 1)])):
        assert area_m2(geometry) == 0.0


@given(latitudes, st.floats(1, 2_000))
def test_degrees_reach_as_far_as_asked(lat, metres):
    lon_degrees, lat_degrees = degrees_reaching(metres, lat)
    assert distance_m(121, lat, 121 + lon_degrees, lat) == pytest.approx(metres, rel=1e-4)
    half = lat_degrees / 2
    assert distance_m(121, lat - half, 121, lat + half) == pytest.approx(metres, rel=1e-6)


def test_at_the_pole_a_degree_of_longitude_is_no_length():
    assert degrees_reaching(10.0, 90.0)[0] == 360.0
    assert metres_per_degree(90.0)[0] == pytest.approx(0.0, abs=1e-6)


def test_a_real_district_has_its_size():
    """Wanhua without its river is 7.5 square kilometres."""
    grids = shared_polygons("taipei_wanhua.geojson", "CODEBASE")
    assert math.fsum(map(area_m2, grids.values())) == pytest.approx(7.48e6, rel=0.001)
