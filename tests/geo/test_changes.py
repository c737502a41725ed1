"""Edits of boundaries: what they make of a coverage, and what is wrong with bad ones."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.change_faults import FaultKind, Tolerance, faults_of, width_m
from geo.changes import Edit, EditKind, Proposal, propose
from geo.coverage import check_coverage
from geo.errors import GeoError
from geo.measure import area_m2, metres_per_degree
from tests.geo.edits import edited_lattices, merger_of, split_of
from tests.geo.shapes import CELL, SOUTH, WEST, lattices

EXACT = Tolerance(area_m2=0.0, width_m=0.0)
USUAL = Tolerance(area_m2=1.0, width_m=0.5)


def box(west: float, east: float, south: float = 0.0, north: float = 1.0) -> shapely.Polygon:
    return shapely.box(
        WEST + west * CELL, SOUTH + south * CELL, WEST + east * CELL, SOUTH + north * CELL
    )


def redraw(grid: str, shape: shapely.Polygon) -> Edit:
    return Edit(kind=EditKind.REDRAW, takes=(grid,), gives={grid: shape})


def retire(*grids: str) -> list[Edit]:
    return [Edit(kind=EditKind.RETIRE, takes=(each,), gives={}) for each in grids]


def create(grid: str, shape: shapely.Polygon) -> Edit:
    return Edit(kind=EditKind.CREATE, takes=(), gives={grid: shape})


ROW = {"a": box(0, 1), "b": box(1, 2), "c": box(2, 3)}


def faults(*edits: Edit, tolerance=USUAL, **options):
    found = faults_of(propose(ROW, edits), tolerance=tolerance, **options)
    return [(each.kind.value, each.grids, each.refused) for each in found]


@given(edited_lattices())
def test_careful_edits_keep_a_coverage_and_have_no_fault(edited):
    lattice, edits = edited
    proposal = propose(lattice.cells, edits)
    assert check_coverage(proposal.after, parent=lattice.parent, area_m2_min=0.5).overlaps == ()
    covered = shapely.union_all(list(proposal.after.values()))
    assert math.isclose(area_m2(covered), area_m2(lattice.parent), rel_tol=1e-9)
    for parent in (None, lattice.parent):
        found = faults_of(proposal, tolerance=USUAL, parent=parent)
        assert [each for each in found if each.refused] == []


@given(edited_lattices())
def test_the_order_of_edits_does_not_matter_and_the_books_balance(edited):
    lattice, edits = edited
    cells = lattice.cells
    one, other = propose(cells, edits), propose(cells, edits[::-1])
    assert one.after.keys() == other.after.keys()
    assert one.closed == other.closed == lattice.cells.keys() - one.after.keys()
    taken = shapely.union_all(list(one.taken.values()))
    given_ = shapely.union_all(list(one.given.values()))
    assert area_m2(taken) == pytest.approx(area_m2(given_), rel=1e-6, abs=1e-3)
    for grid in lattice.cells.keys() - one.taken.keys():
        assert one.after[grid] is other.after[grid]


@given(lattices(), st.data(), st.floats(0.01, 0.4))
def test_a_redrawn_cell_that_swells_or_shrinks_is_refused_with_the_ground(lattice, data, share):
    column = data.draw(st.integers(1, lattice.columns - 2))
    row = data.draw(st.integers(1, lattice.rows - 2))
    code, cell = lattice.code(column, row), lattice.cell(column, row)
    swells = data.draw(st.booleans())
    centre = np.array(shapely.get_coordinates(shapely.centroid(cell))[0])
    factor = 1 + share if swells else 1 - share
    drawn = shapely.transform(cell, lambda xy: centre + (xy - centre) * factor)
    found = faults_of(propose(lattice.cells, [redraw(code, drawn)]), tolerance=USUAL)
    refused = [each for each in found if each.refused]
    kinds = {each.kind for each in refused}
    assert kinds == ({FaultKind.OVERLAP} if swells else {FaultKind.GAP})
    for each in refused:
        assert code in each.grids
        assert each.area_m2 == pytest.approx(area_m2(each.witness))
        assert each.witness.buffer(1e-12).contains(shapely.Point(each.place))
    wrong = shapely.symmetric_difference(drawn, cell)
    if not swells:
        assert sum(each.area_m2 for each in refused) == pytest.approx(area_m2(wrong), rel=1e-3)


@given(lattices(), st.data())
def test_a_cell_forgotten_in_a_split_is_a_gap_of_its_size(lattice, data):
    column = data.draw(st.integers(0, lattice.columns - 1))
    row = data.draw(st.integers(0, lattice.rows - 1))
    code = lattice.code(column, row)
    whole = split_of(code, lattice.cell(column, row))
    kept, lost = whole.gives.values()
    half = Edit(kind=EditKind.SPLIT, takes=(code,), gives={f"{code}-a": kept})
    found = faults_of(propose(lattice.cells, [half]), tolerance=USUAL)
    (gap,) = [each for each in found if each.refused]
    assert gap.kind is FaultKind.GAP
    assert gap.area_m2 == pytest.approx(area_m2(lost), rel=1e-4, abs=0.1)


@given(lattices(), st.data())
def test_a_grid_named_twice_is_refused_whatever_the_edits(lattice, data):
    column = data.draw(st.integers(0, lattice.columns - 2))
    merger = merger_of(lattice, column, 0)
    code = data.draw(st.sampled_from(merger.takes))
    edits = data.draw(st.permutations([merger, *retire(code)]))
    with pytest.raises(GeoError) as caught:
        propose(lattice.cells, edits)
    assert (caught.value.reason, caught.value.pointer) == ("named-twice", "/edits/1")


@pytest.mark.parametrize(
    ("edits", "reason", "pointer"),
    [
        (retire("x"), "unknown-grid", "/edits/0"),
        ([create("a", box(5, 6))], "already-there", "/edits/0"),
        ([create("d", box(5, 6)), create("d", box(6, 7))], "named-twice", "/edits/1"),
    ],
)
def test_edits_that_contradict_the_boundaries_in_force(edits, reason, pointer):
    with pytest.raises(GeoError) as caught:
        propose(ROW, edits)
    assert (caught.value.reason, caught.value.pointer) == (reason, pointer)


def test_no_edits_change_nothing_and_have_no_faults():
    proposal = propose(ROW, [])
    assert proposal.after == ROW
    assert faults_of(proposal, tolerance=EXACT) == ()
    nothing = Proposal(after={}, taken=ROW, given={}, retired=frozenset(ROW))
    assert {each.kind for each in faults_of(nothing, tolerance=EXACT)} == {FaultKind.RETIRED}


def test_a_merger_is_the_ground_of_what_it_takes():
    merger = Edit(kind=EditKind.MERGE, takes=("a", "b"), gives={"m": None})
    proposal = propose(ROW, [merger])
    assert shapely.equals(proposal.given["m"], box(0, 2))
    assert proposal.closed == {"a", "b"}
    assert set(proposal.after) == {"m", "c"}
    assert faults(merger, tolerance=EXACT) == []


def test_a_retired_grid_nobody_takes_is_told_and_one_that_is_half_taken_refused():
    assert faults(*retire("b")) == [("retired", ("b",), False)]
    assert faults(*retire("b"), redraw("a", box(0, 2))) == []
    assert faults(*retire("b"), redraw("a", box(0, 1.5))) == [("gap", ("a", "b"), True)]


def test_new_ground_is_told_and_refused_only_outside_of_the_parent():
    new = create("d", box(3, 4))
    assert faults(new) == [("new-ground", ("d",), False)]
    assert faults(new, parent=box(0, 4)) == []
    assert faults(new, parent=box(0, 3.5)) == [("outside", ("d",), True)]


def test_ground_of_the_parent_that_nobody_has_is_a_gap():
    drawn = redraw("c", box(2, 2.9))
    assert faults(drawn, parent=box(0, 3)) == [("gap", ("c",), True)]
    wider = redraw("c", box(2, 3.2))
    assert faults(wider, parent=box(0, 3.2, 0, 1.1)) == []
    assert faults(wider, parent=box(0, 3.3)) == []


def test_a_lake_that_was_there_is_told_and_not_refused():
    around = shapely.difference(box(0, 4, -2, 3), box(0, 3))
    grids = {"a": box(0, 1), "c": box(2, 3), "ring": around, "far": box(8, 9)}
    found = faults_of(propose(grids, [redraw("a", box(0, 1))]), tolerance=USUAL)
    assert not any(each.refused for each in found)
    (lake,) = [each for each in found if each.kind is FaultKind.GAP]
    assert lake.area_m2 == pytest.approx(area_m2(box(1, 2)), rel=1e-6)


def test_faults_that_no_edit_comes_near_are_not_told():
    corner = shapely.union_all([box(0, 1), box(1, 3, 1, 1.2)])
    parent = shapely.union_all([corner, box(1.5, 2, 0, 0.5)])
    proposal = propose({"a": corner}, [redraw("a", corner)])
    assert faults_of(proposal, tolerance=USUAL, parent=parent) == ()
    crossing = {"a": box(0, 1), "b": box(1, 2, 0, 0.5), "c": box(1, 2, 0.4, 1)}
    found = faults_of(propose(crossing, [redraw("a", box(0, 1))]), tolerance=USUAL)
    assert {each.kind for each in found} == {FaultKind.EDGES}


def test_what_is_within_the_tolerance_is_told_and_not_refused():
    hair = 2e-7 / CELL
    overlapping = redraw("a", box(0, 1 + hair))
    (overlap, edges_a) = faults(overlapping)
    assert overlap == ("overlap", ("a", "b"), True)
    assert edges_a == ("edges", ("a",), False)
    assert faults(overlapping, tolerance=Tolerance(area_m2=20.0, width_m=0.5))[0] == (
        "overlap",
        ("a", "b"),
        False,
    )


def test_a_thin_part_of_a_grid_is_a_sliver():
    hair = 2e-6 / CELL
    thin = Edit(
        kind=EditKind.SPLIT,
        takes=("b",),
        gives={"b1": box(1, 2 - hair), "b2": box(2 - hair, 2)},
    )
    assert faults(thin) == [("sliver", ("b2",), True)]
    assert faults(thin, tolerance=Tolerance(area_m2=1.0, width_m=0.1)) == []


def test_a_bow_tie_is_invalid_and_takes_part_in_nothing_else():
    bow = shapely.Polygon(
        [(WEST, SOUTH), (WEST + CELL, SOUTH + CELL), (WEST + CELL, SOUTH), (WEST, SOUTH + CELL)]
    )
    found = faults_of(propose(ROW, [redraw("a", bow)]), tolerance=USUAL)
    assert {each.kind for each in found} == {FaultKind.INVALID, FaultKind.GAP}
    (invalid,) = [each for each in found if each.kind is FaultKind.INVALID]
    assert invalid.place == pytest.approx((WEST + CELL / 2, SOUTH + CELL / 2))


def test_a_building_a_border_runs_through_is_named_with_what_is_cut_off():
    building = box(0.7, 0.95, 0.2, 0.4)
    moved = [redraw("a", box(0, 0.9)), redraw("b", box(0.9, 2))]
    assert faults(*moved, buildings=[building]) == [("building", ("a", "b"), True)]
    (found,) = faults_of(propose(ROW, moved), tolerance=USUAL, buildings=[building])
    assert shapely.equals(found.witness, box(0.9, 0.95, 0.2, 0.4))
    untouched = box(1.9, 2.1, 0.2, 0.4)
    assert faults(redraw("a", box(0, 1)), buildings=[building, untouched]) == []
    assert faults(*retire("a", "b", "c"), buildings=[building])[0][0] == "retired"


def test_a_neighbour_that_was_invalid_before_is_told():
    bow = shapely.Polygon(
        [
            (WEST + CELL, SOUTH),
            (WEST + 2 * CELL, SOUTH + CELL),
            (WEST + 2 * CELL, SOUTH),
            (WEST + CELL, SOUTH + CELL),
        ]
    )
    found = faults_of(propose(ROW | {"b": bow}, [redraw("a", box(0, 1))]), tolerance=USUAL)
    assert [(each.kind, each.refused) for each in found] == [(FaultKind.INVALID, False)]


@given(st.floats(0.01, 50), st.floats(0.001, 2))
def test_the_width_of_a_long_strip_is_its_width(width, length):
    lon_m, _ = metres_per_degree(SOUTH)
    strip = shapely.box(WEST, SOUTH, WEST + width / lon_m, SOUTH + length)
    least = width * (1 - width / (width + length * 100_000)) * 0.98
    assert least <= width_m(strip) <= width * 1.02


def test_faults_that_refuse_come_first_and_the_largest_first():
    found = faults_of(
        propose(ROW, [redraw("a", box(0, 1.2)), redraw("c", box(2, 2.9))]), tolerance=USUAL
    )
    assert [each.refused for each in found] == sorted(
        (each.refused for each in found), reverse=True
    )
    sizes = [each.area_m2 for each in found if each.refused]
    assert sizes == sorted(sizes, reverse=True)
