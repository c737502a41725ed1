import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.certainty import SAMPLES, shares
from geo.locate import CANDIDATES_MAX, Disc, GridIndex
from geo.measure import metres_per_degree
from tests.geo.shapes import CELL, SOUTH, WEST, Lattice, lattices, positions

LEFT = shapely.box(WEST, SOUTH, WEST + CELL, SOUTH + CELL)
RIGHT = shapely.box(WEST + CELL, SOUTH, WEST + 2 * CELL, SOUTH + CELL)
BORDER = (WEST + CELL, SOUTH + CELL / 2)
RADII = st.sampled_from([3.0, 20.0, 65.0, 150.0])
RIGHT_TO = 0.06


@st.composite
def discs_around(draw, lattice: Lattice):
    """A position on an edge or anywhere around, with what a phone may say of it."""
    lon, lat = draw(positions(lattice))
    return Disc(lon, lat, draw(RADII))


def by_area(cell: shapely.Polygon, disc: Disc) -> float:
    """The part of a disc inside a cell, by clipping on a plane around the disc."""
    scale = np.array(metres_per_degree(disc.lat))
    flat = shapely.transform(cell, lambda xy: (xy - np.array([disc.lon, disc.lat])) * scale)
    circle = shapely.Point(0, 0).buffer(disc.accuracy_m, quad_segs=32)
    return float(circle.intersection(flat).area / circle.area)


@given(st.data())
def test_a_share_is_the_part_of_the_disc_in_the_grid(data):
    lattice = data.draw(lattices(most=4))
    discs = [data.draw(discs_around(lattice)) for _ in range(3)]
    for disc, found in zip(discs, shares(GridIndex.build(lattice.cells), discs), strict=True):
        assert sum(found.values()) <= 1 + 1e-9
        for code, cell in lattice.cells.items():
            assert found.get(code, 0.0) == pytest.approx(by_area(cell, disc), abs=RIGHT_TO)


@given(st.data())
def test_what_has_a_share_is_a_candidate_and_what_is_certain_has_all(data):
    lattice = data.draw(lattices(most=4))
    disc = data.draw(discs_around(lattice))
    index = GridIndex.build(lattice.cells)
    location = index.locate(disc.lon, disc.lat, disc.accuracy_m)
    (found,) = shares(index, [disc])
    if len(location) < CANDIDATES_MAX:
        assert found.keys() <= {each.grid for each in location}
    if location.certain:
        assert found == {location.grid: 1.0}


def test_half_a_disc_on_a_straight_border_is_half():
    index = GridIndex.build({"a": LEFT, "b": RIGHT})
    (found,) = shares(index, [Disc(*BORDER, accuracy_m=20.0)])
    assert found == {"a": pytest.approx(0.5, abs=0.03), "b": pytest.approx(0.5, abs=0.03)}
    assert sum(found.values()) == 1.0


def test_grids_that_overlap_do_not_share_twice():
    (found,) = shares(GridIndex.build({"a": LEFT, "b": LEFT}), [Disc(*BORDER, accuracy_m=9.0)])
    assert found == {"a": pytest.approx(0.5, abs=0.03)}


def test_a_point_on_a_border_is_the_lowest_codes():
    assert shares(GridIndex.build({"a": LEFT, "b": RIGHT}), [Disc(*BORDER)]) == [{"a": 1.0}]


def test_a_disc_in_no_grid_and_one_at_a_pole_have_no_shares():
    index = GridIndex.build({"a": LEFT})
    assert shares(index, [Disc(0.0, 0.0, 50.0), Disc(0.0, 90.0, 50.0)]) == [{}, {}]
    assert shares(index, []) == []


def test_many_discs_are_answered_in_order():
    index = GridIndex.build({"a": LEFT, "b": RIGHT})
    middle = SOUTH + CELL / 2
    discs = [Disc(WEST + (0.5 + number % 2) * CELL, middle, 5.0) for number in range(1_203)]
    assert shares(index, discs) == [{"ab"[number % 2]: 1.0} for number in range(1_203)]
    assert SAMPLES == 100  # shares are read as hundredths
