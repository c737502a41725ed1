"""Boundaries in time: one place and one moment have one answer, the same as by plain search."""

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.history import GridHistory, Version, end_of, start_of
from tests.geo.shapes import CELL, SOUTH, WEST, lattices, positions

TIMES = st.integers(0, 100)


def version(grid: str, from_ms: int, to_ms: int | None, code: str = "") -> Version:
    return Version(grid=grid, code=code or grid, from_ms=from_ms, to_ms=to_ms)


@st.composite
def histories(draw):
    """A lattice whose cells hold over random stretches of time, none overlapping its own."""
    lattice = draw(lattices())
    versions, shapes = [], []
    for code, cell in lattice.cells.items():
        cuts = sorted(draw(st.sets(TIMES, max_size=4)))
        ends: list[int | None] = [*cuts[1:], None if draw(st.booleans()) else 101]
        for from_ms, to_ms in zip(cuts, ends, strict=bool(cuts)):
            if draw(st.booleans()):
                versions.append(version(code, from_ms, to_ms))
                shapes.append(cell)
    return lattice, versions, shapes


def brute_force(versions, shapes, lon, lat, at_ms):
    point = shapely.Point(lon, lat)
    held = [
        each
        for each, shape in zip(versions, shapes, strict=True)
        if each.from_ms <= at_ms < (math.inf if each.to_ms is None else each.to_ms)
        if shape.intersects(point)
    ]
    return min(held, key=lambda each: each.code, default=None)


@given(st.data())
def test_a_place_and_a_moment_give_what_a_plain_search_gives(data):
    lattice, versions, shapes = data.draw(histories())
    asked = data.draw(st.lists(st.tuples(positions(lattice), TIMES), min_size=1, max_size=8))
    history = GridHistory(versions, shapes)
    assert len(history) == len(versions)
    found = history.at(
        [lon for (lon, _), _ in asked], [lat for (_, lat), _ in asked], [at for _, at in asked]
    )
    assert found == [
        brute_force(versions, shapes, lon, lat, at_ms) for (lon, lat), at_ms in asked
    ]


@given(st.data())
def test_the_index_of_a_moment_answers_as_the_history_does(data):
    lattice, versions, shapes = data.draw(histories())
    (lon, lat), at_ms = data.draw(positions(lattice)), data.draw(TIMES)
    history = GridHistory(versions, shapes)
    index = history.index_at(at_ms, (lon, lat, lon, lat))
    (then,) = history.at([lon], [lat], [at_ms])
    assert index.locate(lon, lat, 0.0).grid == (None if then is None else then.grid)


def test_a_version_holds_from_its_start_until_before_its_end():
    cell = shapely.box(WEST, SOUTH, WEST + CELL, SOUTH + CELL)
    history = GridHistory([version("a", 10, 20), version("a", 20, None)], [cell, cell])
    found = history.at([WEST + CELL / 2] * 4, [SOUTH + CELL / 2] * 4, [9, 10, 19, 20])
    assert [each and each.from_ms for each in found] == [None, 10, 10, 20]


def test_a_place_that_is_no_number_lies_nowhere():
    cell = shapely.box(WEST, SOUTH, WEST + CELL, SOUTH + CELL)
    history = GridHistory([version("a", 0, None)], [cell])
    lons, lats = [math.nan, WEST + CELL / 2, math.inf], [SOUTH, SOUTH + CELL / 2, SOUTH]
    assert [each and each.grid for each in history.at(lons, lats, [5, 5, 5])] == [
        None,
        "a",
        None,
    ]


@pytest.mark.parametrize(("now", "stated", "begins"), [(9, None, 9), (9, 4, 4), (9, 12, 9)])
def test_the_first_version_begins_as_stated_and_never_in_the_future(now, stated, begins):
    assert start_of(now, stated) == begins


@given(TIMES, TIMES)
def test_no_version_is_empty_whatever_the_clock_says(now_ms, from_ms):
    ended = end_of(now_ms, from_ms)
    assert ended > from_ms
    assert ended == now_ms or now_ms <= from_ms
