"""Where ground came from: shares add up, and say nothing of borders that only touch."""

import math

import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.lineage import PPM, shares
from geo.measure import area_m2
from tests.geo.shapes import CELL, SOUTH, WEST, lattices


@given(lattices())
def test_an_unchanged_coverage_is_its_own_lineage(lattice):
    found = shares(lattice.cells, lattice.cells)
    assert [(each.parent, each.child) for each in found] == [
        (code, code) for code in sorted(lattice.cells)
    ]
    assert {(each.parent_ppm, each.child_ppm) for each in found} == {(PPM, PPM)}


@given(st.data())
def test_the_shares_of_a_merger_and_of_its_undoing_mirror_each_other(data):
    lattice = data.draw(lattices())
    row = data.draw(st.integers(0, lattice.rows - 1))
    cells = {
        lattice.code(column, row): lattice.cell(column, row)
        for column in range(lattice.columns)
    }
    whole = {"whole": shapely.coverage_union_all(list(cells.values()))}
    merged, split = shares(cells, whole), shares(whole, cells)
    assert [(each.child, each.child_ppm) for each in split] == [
        (each.parent, each.parent_ppm) for each in merged
    ]
    assert {each.parent_ppm for each in merged} == {PPM}
    assert math.isclose(sum(each.child_ppm for each in merged), PPM, abs_tol=len(merged))
    assert math.isclose(
        sum(each.area_m2 for each in merged), area_m2(whole["whole"]), rel_tol=1e-4
    )


def test_a_border_that_moves_leaves_common_ground_of_three_pairs():
    def box(west: float, east: float) -> shapely.Polygon:
        return shapely.box(WEST + west * CELL, SOUTH, WEST + east * CELL, SOUTH + CELL)

    before = {"a": box(0, 1), "b": box(1, 2)}
    after = {"a": box(0, 0.75), "b": box(0.75, 2)}
    found = {(each.parent, each.child): each for each in shares(before, after)}
    assert list(found) == [("a", "a"), ("a", "b"), ("b", "b")]
    assert math.isclose(found["a", "b"].parent_ppm, 250_000, abs_tol=20)
    assert math.isclose(found["a", "b"].child_ppm, 200_000, abs_tol=20)


def test_nothing_before_or_nothing_afterwards_has_no_lineage():
    cell = {"a": shapely.box(WEST, SOUTH, WEST + CELL, SOUTH + CELL)}
    assert shares({}, cell) == shares(cell, {}) == ()
