import zipfile
from functools import cache

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from shapely import Point

from geo.crs import DECLARED_CHARS_MAX, check_plausible, find_crs, to_wgs84_geometries
from geo.errors import GeoError
from geo.measure import distance_m
from tests.geo.shapes import lattices
from tests.shared_data import shared_path, shared_rows

BEIJING = (116.2, 39.8, 116.6, 40.1)
# EPSG:4548, central meridian 117 E, easting first.
BEIJING_GK = (431_576.0, 4_407_000.0, 466_000.0, 4_439_000.0)
CINCINNATI = (-84.6, 39.0, -84.4, 39.2)


def refusal(crs, bounds, expected=None):
    with pytest.raises(GeoError) as fault:
        check_plausible(crs, bounds, expected=expected)
    assert fault.value.pointer == "/crs"
    return fault.value.reason, fault.value.detail


def projection(name):
    with zipfile.ZipFile(shared_path("grids", name)) as archive:
        member = next(each for each in archive.namelist() if each.endswith(".prj"))
        return archive.read(member).decode()


@given(st.text(max_size=30) | st.from_regex(r"[A-Z]{3,5}:[0-9]{1,6}", fullmatch=True))
def test_any_declaration_is_found_or_refused(text):
    try:
        found = find_crs(text)
    except GeoError as caught:
        reason = caught.reason
    else:
        reason = found.name and "found"
    assert reason in {"found", "missing-crs", "unknown-crs"}


@pytest.mark.parametrize("declared", [None, ""])
def test_a_missing_system_is_refused(declared):
    with pytest.raises(GeoError) as fault:
        find_crs(declared, "/layer/crs")
    assert (fault.value.pointer, fault.value.reason) == ("/layer/crs", "missing-crs")


@pytest.mark.parametrize(
    "declared",
    [
        0,
        -1,
        99_999_999,
        "EPSG:0",
        "WGS 84",
        "+init=/file:1",
        "EPSG:5773",
        "EPSG:32700",
        "x" * (DECLARED_CHARS_MAX + 1),
    ],
)
def test_an_unknown_system_is_refused(declared):
    """EPSG:5773 is a system of heights, EPSG:32700 sixty zones at once."""
    with pytest.raises(GeoError) as fault:
        find_crs(declared)
    assert fault.value.reason == "unknown-crs"


@pytest.mark.parametrize(
    ("name", "code"),
    [("cincinnati_blocks_epsg3735.zip", 3735), ("nyc_tracts_2000_epsg2263_dirty.zip", 2263)],
)
def test_the_text_of_a_shapefile_is_matched_to_the_register(name, code):
    assert find_crs(projection(name)) == find_crs(code)


def test_real_coordinates_fit_their_system_and_no_other():
    blocks = (1_398_000.0, 410_000.0, 1_405_000.0, 416_000.0)
    check_plausible(3735, blocks, expected=CINCINNATI)
    assert refusal(4326, blocks) == (
        "implausible-crs",
        "The coordinates are not degrees; a projected system is missing",
    )
    assert refusal(2263, blocks, CINCINNATI)[0] == "unexpected-place"
    assert refusal(4548, blocks)[0] == "implausible-crs"


@pytest.mark.parametrize(
    ("crs", "bounds", "proposal"),
    [
        (4490, (39.8, 116.2, 40.1, 116.6), "axes are exchanged"),
        (4326, (39.8, 116.2, 40.1, 116.6), "axes are exchanged"),
        (4548, (4_407_000.0, 431_576.0, 4_439_000.0, 466_000.0), "axes are exchanged"),
        (4548, BEIJING, "look like degrees"),
        (4490, BEIJING_GK, "are not degrees"),
        (4490, (-0.2, 51.4, 0.1, 51.6), "outside of the area"),
        (4548, (np.inf, np.inf, np.inf, np.inf), "outside of the area"),
    ],
)
def test_a_lying_system_is_refused_with_a_proposal(crs, bounds, proposal):
    reason, detail = refusal(crs, bounds)
    assert reason == "implausible-crs"
    assert proposal in detail


def test_a_true_system_is_accepted():
    check_plausible(4326, BEIJING)
    check_plausible("EPSG:4490", BEIJING)
    check_plausible(find_crs(4548), BEIJING_GK, expected=BEIJING)


def test_the_neighbouring_zone_is_told_by_the_place_only():
    """Zone numbers repeat every three degrees, so the coordinates alone fit both systems."""
    check_plausible(4547, BEIJING_GK)
    assert refusal(4547, BEIJING_GK, BEIJING)[0] == "unexpected-place"


def test_a_system_without_an_area_of_use_must_stay_on_earth():
    local = CRS("+proj=tmerc +lat_0=0 +lon_0=116.35 +x_0=500000 +ellps=GRS80").to_wkt()
    check_plausible(local, (490_000.0, 4_407_000.0, 510_000.0, 4_439_000.0))
    assert refusal(local, (np.inf, 0.0, np.inf, 1.0))[0] == "implausible-crs"


def test_a_missing_system_is_never_plausible():
    assert refusal(None, BEIJING)[0] == "missing-crs"


@given(lattices())
def test_degrees_stay_as_they_are(lattice):
    cells = list(lattice.cells.values())
    for crs in (4326, 4490, "OGC:CRS84"):
        assert shapely.equals_identical(to_wgs84_geometries(cells, crs), cells).all()


@cache
def into(crs: int) -> Transformer:
    return Transformer.from_crs(4326, crs, always_xy=True)


@given(lattices(), st.sampled_from([4549, 3826, 32651]))
def test_a_coverage_stays_one_and_comes_back(lattice, crs):
    """Through a map plane and back: vertices move by less than a tenth of a millimetre."""
    there = into(crs)
    plane = shapely.transform(
        list(lattice.cells.values()),
        lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1])),
    )
    back = to_wgs84_geometries(plane, crs)
    assert shapely.coverage_is_valid(back)
    moved = shapely.get_coordinates(back) - shapely.get_coordinates(
        list(lattice.cells.values())
    )
    assert np.abs(moved).max() * 111_000 < 1e-4


def test_real_places_in_feet_come_out_in_degrees():
    """Requests of Chicago carry both State Plane feet and degrees."""
    every = shared_rows("incidents", "chicago_sanitation_2011_2014.csv.gz")[:300]
    rows = [row for row in every if row["lon"]]
    feet = [Point(float(row["x_il_east_ft"]), float(row["y_il_east_ft"])) for row in rows]
    for row, place in zip(rows, to_wgs84_geometries(feet, 3435), strict=True):
        assert distance_m(float(row["lon"]), float(row["lat"]), place.x, place.y) < 2.0


def test_heights_are_dropped():
    assert not to_wgs84_geometries([Point(116, 39, 50)], 4490)[0].has_z


def test_a_place_that_does_not_exist_is_refused():
    with pytest.raises(GeoError) as fault:
        to_wgs84_geometries([Point(1e30, 1e30)], 4548)
    assert fault.value.reason == "not-convertible"
