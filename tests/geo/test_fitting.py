"""Systems are proposed for coordinates that name none; the true one is among them."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from geo.fitting import FITS_MAX, beside, fitting, told

BEIJING = (116.2, 39.8, 116.6, 40.1)
TAIPEI = (121.4, 24.9, 121.7, 25.2)


def codes(bounds, ground=None):
    return [each.code for each in fitting(bounds, ground=ground)]


@cache
def way(source, target):
    return Transformer.from_crs(source, target, always_xy=True).transform


def in_plane(crs, degrees):
    west, south, east, north = degrees
    xs, ys = way(4326, crs)([west, west, east, east], [south, north, south, north])
    return min(xs), min(ys), max(xs), max(ys)


@settings(max_examples=20)
@given(
    st.sampled_from([(3826, TAIPEI), (4548, BEIJING)]),
    st.floats(0.05, 0.9),
    st.floats(0.01, 0.1),
)
def test_a_system_that_fits_is_proposed_for_any_part_of_the_ground(case, at, size):
    crs, (west, south, east, north) = case
    x, y = west + (east - west) * at, south + (north - south) * at
    part = (x, y, x + (east - west) * size, y + (north - south) * size)
    ground = case[1]
    found = fitting(in_plane(crs, part), ground=ground)
    assert 1 <= len(found) <= FITS_MAX
    for each in found:
        lon, lat = way(each.code, 4326)(*in_plane(crs, part)[:2])
        assert not beside((lon, lat, lon, lat), ground)


def test_the_zone_of_the_ground_is_proposed_and_not_its_neighbour():
    found = codes(in_plane(4548, BEIJING), BEIJING)
    assert "EPSG:4548" in found
    assert "EPSG:4547" not in found


def test_degrees_are_proposed_before_planes():
    assert codes(BEIJING) == ["EPSG:4326", "EPSG:4490"]
    assert codes(TAIPEI, TAIPEI)[0] == "EPSG:4326"


def test_without_ground_a_zone_is_proposed_if_the_coordinates_tell_it():
    assert codes(in_plane(4527, (116.9, 39.8, 117.0, 40.1))) == ["EPSG:4527"]
    assert codes(in_plane(4548, BEIJING)) == []


@pytest.mark.parametrize("bounds", [(-7e6, 0.0, -6e6, 1.0), (1e30, 1e30, 1e30, 1e30)])
def test_what_fits_nowhere_has_no_proposal(bounds):
    assert fitting(bounds) == ()
    assert fitting(bounds, ground=TAIPEI) == ()


def test_systems_are_told_by_code_and_name():
    assert told(fitting(TAIPEI, ground=TAIPEI)).startswith("EPSG:4326 (WGS 84) or EPSG:4490")
