"""A position that seems to be labelled with the wrong datum."""

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum, from_wgs84, to_wgs84
from geo.locate import GridIndex
from geo.measure import metres_per_degree
from geo.mislabel import OFFSET_M_MAX, OFFSET_M_MIN, Distance, proposed_datum

PLACES = st.tuples(st.floats(100.0, 125.0), st.floats(22.0, 45.0))
SIDE = 0.001  # degrees, about a unit grid
DATUMS = st.sampled_from(list(Datum))
SHIFTED = st.sampled_from([Datum.GCJ02, Datum.BD09])


def ground(lon: float, lat: float) -> Distance:
    """Metres to a grid in the middle of nine; the other eight are somebody else's."""
    cells = {
        f"{x}{y}": shapely.box(
            lon + x * SIDE, lat + y * SIDE, lon + (x + 1) * SIDE, lat + (y + 1) * SIDE
        )
        for x in (-1, 0, 1)
        for y in (-1, 0, 1)
    }
    index = GridIndex.build(cells)

    def distance_m(at_lon: float, at_lat: float) -> float:
        return index.distance_m(at_lon, at_lat, lambda grid: grid == "00", reach_m=OFFSET_M_MAX)

    return distance_m


@given(place=PLACES, label=DATUMS, true=DATUMS)
def test_a_wrong_label_is_seen_and_a_right_one_never(
    place: tuple[float, float], label: Datum, true: Datum
) -> None:
    lon, lat = place
    mine = ground(lon, lat)
    raw = from_wgs84(lon + SIDE / 2, lat + SIDE / 2, true)
    found = proposed_datum(*raw, label, mine)
    beside_m = mine(*to_wgs84(*raw, label))
    if label is true or {label, true} == {Datum.WGS84, Datum.CGCS2000}:
        assert beside_m == 0.0
        assert found is None
    elif OFFSET_M_MIN <= beside_m <= OFFSET_M_MAX:
        assert found is not None
        assert mine(*to_wgs84(*raw, found)) == 0.0


@given(
    place=PLACES, label=DATUMS, east=st.floats(-3_000, 3_000), north=st.floats(-3_000, 3_000)
)
def test_what_is_proposed_lies_in_the_authors_ground_and_what_was_said_beside_it(
    place: tuple[float, float], label: Datum, east: float, north: float
) -> None:
    mine = ground(*place)
    lon_m, lat_m = metres_per_degree(place[1])
    raw = from_wgs84(place[0] + east / lon_m, place[1] + north / lat_m, label)
    found = proposed_datum(*raw, label, mine)
    if found is not None:
        assert OFFSET_M_MIN <= mine(*to_wgs84(*raw, label)) <= OFFSET_M_MAX
        assert mine(*to_wgs84(*raw, found)) == 0.0


@pytest.mark.parametrize("true", [Datum.GCJ02, Datum.BD09])
def test_a_map_that_shifts_and_says_it_does_not_is_found_out(true: Datum) -> None:
    lon, lat = 116.3912, 39.9067
    raw = from_wgs84(lon + SIDE / 2, lat + SIDE / 2, true)
    assert proposed_datum(*raw, "wgs84", ground(lon, lat)) is true
    assert proposed_datum(*raw, "cgcs2000", ground(lon, lat)) is true
    there = (lon + SIDE / 2, lat + SIDE / 2)
    assert proposed_datum(*there, true, ground(lon, lat)) is Datum.WGS84


def test_nothing_is_proposed_where_datums_do_not_differ_or_nobody_has_ground() -> None:
    berlin = ground(13.4, 52.5)
    for label in Datum:
        assert proposed_datum(13.41, 52.5, label, berlin) is None
    assert proposed_datum(116.39, 39.9, "wgs84", lambda *_: math.inf) is None


def test_metres_to_some_grids_of_an_index() -> None:
    index = GridIndex.build(
        {"a": shapely.box(0, 0, 1e-3, 1e-3), "b": shapely.box(1e-3, 0, 2e-3, 1e-3)}
    )

    def to_a(lon: float, lat: float, reach_m: float = 500) -> float:
        return index.distance_m(lon, lat, lambda grid: grid == "a", reach_m=reach_m)

    assert to_a(0.5e-3, 0.5e-3) == 0.0
    assert to_a(1e-3, 0.5e-3) == 0.0
    assert to_a(1.5e-3, 0.5e-3) == pytest.approx(55.66, abs=0.1)
    assert to_a(1.5e-3, 0.5e-3, 40) == math.inf
    assert to_a(1, 1) == math.inf
