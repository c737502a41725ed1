import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import (
    BOX_LAT,
    BOX_LON,
    Datum,
    from_wgs84,
    from_wgs84_many,
    to_wgs84,
    to_wgs84_many,
)
from geo.measure import distance_m
from tests.shared_data import shared_rows

SHIFTED = [Datum.GCJ02, Datum.BD09]
UNSHIFTED = [Datum.WGS84, Datum.CGCS2000]
in_box = st.tuples(st.floats(*BOX_LON), st.floats(*BOX_LAT))
outside = st.one_of(
    st.tuples(st.floats(-180, BOX_LON[0] - 0.02), st.floats(-90, 90)),
    st.tuples(st.floats(BOX_LON[1] + 0.02, 180), st.floats(-90, 90)),
    st.tuples(st.floats(-180, 180), st.floats(-90, BOX_LAT[0] - 0.02)),
    st.tuples(st.floats(-180, 180), st.floats(BOX_LAT[1] + 0.02, 90)),
)


@given(in_box, st.sampled_from(SHIFTED))
def test_there_and_back_is_the_same_place(place, datum):
    lon, lat = place
    shifted_lon, shifted_lat = from_wgs84(lon, lat, datum)
    assert distance_m(lon, lat, *to_wgs84(shifted_lon, shifted_lat, datum)) <= 1e-5


@given(st.one_of(in_box, outside), st.sampled_from(list(Datum)))
def test_one_position_and_many_are_the_same_formula(place, datum):
    lon, lat = place
    for one, many in ((to_wgs84, to_wgs84_many), (from_wgs84, from_wgs84_many)):
        lons, lats = many([lon, lon], [lat, lat], datum)
        assert np.allclose([lons[1], lats[1]], one(lon, lat, datum), rtol=0, atol=1e-12)


@given(outside, st.sampled_from(list(Datum)))
def test_outside_of_the_box_all_datums_are_one(place, datum):
    lon, lat = place
    assert from_wgs84(lon, lat, datum) == place
    assert to_wgs84(lon, lat, datum) == place


@given(in_box, st.sampled_from(UNSHIFTED))
def test_cgcs2000_is_wgs84(place, datum):
    lon, lat = place
    assert to_wgs84(lon, lat, datum) == from_wgs84(lon, lat, datum) == place


@pytest.mark.parametrize("datum", SHIFTED)
def test_a_hundred_thousand_places_come_back_within_a_hundredth_of_a_millimetre(datum):
    random = np.random.default_rng(20_261_123)
    lon, lat = random.uniform(*BOX_LON, 100_000), random.uniform(*BOX_LAT, 100_000)
    shifted_lon, shifted_lat = from_wgs84_many(lon, lat, datum)
    back_lon, back_lat = to_wgs84_many(shifted_lon, shifted_lat, datum)
    assert np.hypot(back_lon - lon, back_lat - lat).max() * 111_400 <= 1e-5


def test_the_published_and_computed_pairs_agree():
    rows = shared_rows("coords", "gcj02_vectors.csv")
    wgs, gcj = (
        np.array([[float(row[f"{name}_lon"]), float(row[f"{name}_lat"])] for row in rows])
        for name in ("wgs", "gcj")
    )
    assert len(rows) == 204
    there = np.column_stack(from_wgs84_many(wgs[:, 0], wgs[:, 1], Datum.GCJ02))
    back = np.column_stack(to_wgs84_many(gcj[:, 0], gcj[:, 1], Datum.GCJ02))
    assert np.abs(there - gcj).max() < 1e-12
    assert np.abs(back - wgs).max() < 1e-10


@pytest.mark.parametrize(
    ("lon", "lat"), [(116.39, 39.90), (121.47, 31.23), (104.07, 30.67), (126.64, 45.76)]
)
def test_a_mislabelled_datum_is_off_by_several_grids(lon, lat):
    """Beijing, Shanghai, Chengdu, Harbin: why a position without a datum is not accepted."""
    assert 300 <= distance_m(lon, lat, *from_wgs84(lon, lat, Datum.GCJ02)) <= 600
    assert 900 <= distance_m(lon, lat, *from_wgs84(lon, lat, Datum.BD09)) <= 1_400


def test_in_the_strip_along_the_border_the_origin_inside_is_taken():
    lon, lat = from_wgs84(BOX_LON[1], 40.0, Datum.GCJ02)
    assert lon > BOX_LON[1]
    assert to_wgs84(lon, lat, Datum.GCJ02) == pytest.approx((BOX_LON[1], 40.0), abs=1e-10)


def test_an_unknown_datum_is_refused():
    with pytest.raises(ValueError, match="mars"):
        to_wgs84(116.4, 39.9, "mars")


def test_longitudes_and_latitudes_come_in_pairs():
    with pytest.raises(ValueError, match="as many longitudes as latitudes"):
        to_wgs84_many([116.4, 116.5], [39.9], Datum.GCJ02)
