"""What a proposal moves: the same as looking at every place by itself."""

import math

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.changes import Edit, EditKind, propose
from geo.measure import distance_m
from geo.preview import near_borders, rebucket
from tests.geo.edits import edited_lattices
from tests.geo.shapes import CELL, SOUTH, WEST, brute_force, positions


def codes_of(*grids) -> dict[str, str]:
    return {grid: grid for each in grids for grid in each}


@given(st.data())
def test_places_move_as_a_plain_search_says_and_none_is_lost(data):
    lattice, edits = data.draw(edited_lattices())
    proposal = propose(lattice.cells, edits)
    asked = data.draw(st.lists(positions(lattice), min_size=1, max_size=10))
    inside = [(lon, lat) for lon, lat in asked if brute_force(lattice.cells, lon, lat)]
    homes = [brute_force(lattice.cells, lon, lat) for lon, lat in inside]
    found = rebucket(
        proposal,
        homes,
        [lon for lon, _ in inside],
        [lat for _, lat in inside],
        codes=codes_of(lattice.cells, proposal.after),
        edge_m=5.0,
    )
    expected = [brute_force(proposal.after, lon, lat) for lon, lat in inside]
    for got, plain, home, (lon, lat) in zip(found.grids, expected, homes, inside, strict=True):
        if plain is not None:
            assert got == plain
            continue
        # The middle of an edge that a border was rounded beside: a hair outside of everything.
        cell = lattice.cells[home]
        assert shapely.boundary(cell).distance(shapely.Point(lon, lat)) < 2e-7


@given(st.data())
def test_near_a_border_is_what_a_plain_measurement_says(data):
    lattice, edits = data.draw(edited_lattices())
    proposal = propose(lattice.cells, edits)
    lon, lat = data.draw(positions(lattice))
    reach = data.draw(st.floats(1.0, 60.0))
    borders = [shapely.boundary(each) for each in proposal.given.values()]
    (near,) = near_borders(borders, [lon], [lat], edge_m=reach).tolist()
    point = shapely.Point(lon, lat)
    best = min(
        (
            distance_m(lon, lat, *shapely.get_coordinates(nearest)[0].tolist())
            for line in borders
            for nearest in [shapely.line_interpolate_point(line, line.project(point))]
        ),
        default=math.inf,
    )
    # `project` measures in degrees, which is up to a tenth longer than the shortest way.
    if best < reach * 0.98:
        assert near
    if best > reach * 1.15:
        assert not near


def box(west: float, east: float) -> shapely.Polygon:
    return shapely.box(WEST + west * CELL, SOUTH, WEST + east * CELL, SOUTH + CELL)


def moved(edits, homes, wests):
    proposal = propose({"a": box(0, 1), "b": box(1, 2)}, edits)
    return rebucket(
        proposal,
        homes,
        [WEST + west * CELL for west in wests],
        [SOUTH + CELL / 2] * len(wests),
        codes=codes_of(proposal.after, proposal.taken),
        edge_m=10.0,
    )


def test_a_place_that_lost_its_grid_is_an_orphan_and_one_that_never_lay_in_it_stays():
    shrunk = [Edit(kind=EditKind.REDRAW, takes=("a",), gives={"a": box(0, 0.5)})]
    found = moved(shrunk, ["a", "a", "a", "b"], [0.2, 0.7, 5.0, 1.5])
    assert found.grids == ("a", None, "a", "b")
    gone = [Edit(kind=EditKind.RETIRE, takes=("a",), gives={})]
    assert moved(gone, ["a", "a", "a"], [0.2, 5.0, 1.2]).grids == (None, None, "b")
    assert moved(gone, ["a"], [math.nan]).grids == (None,)


def test_only_borders_that_an_edit_gives_are_ambiguous():
    border = [
        Edit(kind=EditKind.REDRAW, takes=("a",), gives={"a": box(0, 0.9)}),
        Edit(kind=EditKind.REDRAW, takes=("b",), gives={"b": box(0.9, 2)}),
    ]
    found = moved(border, ["a", "a", "a"], [0.5, 0.88, math.inf])
    assert found.ambiguous.tolist() == [False, True, False]
    assert not moved([], ["a"], [0.0]).ambiguous.any()


def test_no_places_and_no_borders_ask_nothing():
    empty = near_borders([shapely.boundary(box(0, 1))], [], [], edge_m=5.0)
    assert empty.shape == (0,)
    assert near_borders([], np.array([WEST]), np.array([SOUTH]), edge_m=5.0).tolist() == [False]
