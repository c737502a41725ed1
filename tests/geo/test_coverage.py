import time

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon

from geo.coverage import check_coverage
from geo.errors import GeoError
from geo.measure import area_m2
from tests.geo.shapes import CELL, SOUTH, WEST, Lattice, lattices
from tests.shared_data import shared_path, shared_polygons

STEP = 1e-7


def inner_cell(data, lattice: Lattice) -> tuple[int, int]:
    column = data.draw(st.integers(1, lattice.columns - 2))
    return column, data.draw(st.integers(1, lattice.rows - 2))


def moved_corner(lattice: Lattice, column: int, row: int, share: float) -> Polygon:
    """The cell with its first corner moved away from its middle by a share of the diagonal."""
    ring = np.array(lattice.cell(column, row).exterior.coords)
    ring[0] += (ring[0] - ring[2]) * share
    ring[-1] = ring[0]
    return Polygon(ring)


@given(lattices())
def test_a_faultless_coverage_has_no_faults(lattice):
    assert check_coverage(lattice.cells).faultless
    tolerant = check_coverage(
        lattice.cells, parent=lattice.parent, gap_width_m=1.0, area_m2_min=1.0
    )
    assert tolerant.faultless
    assert check_coverage(lattice.cells, parent=lattice.parent).faultless


@given(lattices(), st.data())
def test_a_missing_cell_is_a_gap_of_its_size(lattice, data):
    column, row = inner_cell(data, lattice)
    rest = lattice.cells
    missing = rest.pop(lattice.code(column, row))
    for parent in (None, lattice.parent):
        found = check_coverage(rest, parent=parent)
        assert len(found.gaps) == 1
        assert found.gaps[0].area_m2 == pytest.approx(area_m2(missing), rel=1e-5)
        assert found.gaps[0].witness.equals(missing)
        assert missing.contains(shapely.Point(found.gaps[0].place))
        assert not found.overlaps
        assert not found.outside


@given(lattices(), st.data())
def test_a_missing_cell_at_the_border_needs_the_parent(lattice, data):
    column = data.draw(st.integers(0, lattice.columns - 1))
    rest = lattice.cells
    missing = rest.pop(lattice.code(column, 0))
    assert check_coverage(rest).faultless
    found = check_coverage(rest, parent=lattice.parent)
    assert [gap.witness.equals(missing) for gap in found.gaps] == [True]


@given(lattices(), st.data(), st.floats(1e-3, 0.3))
def test_an_overlap_names_the_pairs_and_the_ground(lattice, data, share):
    column, row = inner_cell(data, lattice)
    code = lattice.code(column, row)
    cells = lattice.cells | {code: moved_corner(lattice, column, row, share)}
    found = check_coverage(cells)
    expected = {
        (a, b): cells[a].intersection(cells[b]).area > 0 for a in cells for b in cells if a < b
    }
    named = {overlap.grids for overlap in found.overlaps}
    assert named == {pair for pair, shared in expected.items() if shared}
    assert found.overlaps
    for overlap in found.overlaps:
        assert code in overlap.grids
        assert overlap.area_m2 == pytest.approx(area_m2(overlap.witness))
        for grid in overlap.grids:
            assert cells[grid].buffer(1e-12).contains(shapely.Point(overlap.place))
    assert code in {each.grid for each in found.invalid_edges}


@given(lattices(), st.data(), st.floats(1e-3, 0.3))
def test_a_sliver_is_a_gap_and_its_edges_are_named(lattice, data, share):
    column, row = inner_cell(data, lattice)
    code = lattice.code(column, row)
    shrunk = moved_corner(lattice, column, row, -share)
    found = check_coverage(lattice.cells | {code: shrunk})
    lost = area_m2(lattice.cells[code].difference(shrunk))
    assert sum(gap.area_m2 for gap in found.gaps) == pytest.approx(lost, rel=1e-3)
    assert not found.overlaps


@given(lattices(), st.data(), st.integers(1, 10_000), st.booleans())
def test_a_shifted_cell_is_named(lattice, data, steps, eastward):
    column, row = inner_cell(data, lattice)
    code = lattice.code(column, row)
    shift = (steps * STEP, 0.0) if eastward else (0.0, -steps * STEP)
    moved = shapely.transform(lattice.cells[code], lambda xy: xy + np.array(shift))
    found = check_coverage(lattice.cells | {code: moved})
    assert code in {each.grid for each in found.invalid_edges}
    assert any(code in overlap.grids for overlap in found.overlaps)
    assert found.gaps


@given(lattices(), st.data())
def test_a_cell_counted_twice_is_an_overlap(lattice, data):
    code = data.draw(st.sampled_from(sorted(lattice.cells)))
    found = check_coverage(lattice.cells | {"twin": lattice.cells[code]})
    assert [overlap.grids for overlap in found.overlaps] == [(code, "twin")]


@given(lattices(), st.data())
def test_a_cell_inside_another_is_an_overlap(lattice, data):
    """Its edges touch nothing, so only the ground shows it."""
    code = data.draw(st.sampled_from(sorted(lattice.cells)))
    inside = shapely.affinity.scale(lattice.cells[code], 0.3, 0.3)
    found = check_coverage(lattice.cells | {"inner": inside})
    assert [overlap.grids for overlap in found.overlaps] == [(code, "inner")]


@given(lattices(), st.data())
def test_ground_beyond_the_parent_is_named(lattice, data):
    column = data.draw(st.integers(0, lattice.columns - 1))
    smaller = shapely.difference(lattice.parent, lattice.cell(column, 0))
    found = check_coverage(lattice.cells, parent=smaller)
    assert [gap.witness.equals(lattice.cell(column, 0)) for gap in found.outside] == [True]
    assert not found.gaps


@given(lattices(), st.data())
def test_an_invalid_cell_is_named_and_left_out(lattice, data):
    column, row = inner_cell(data, lattice)
    ring = np.array(lattice.cell(column, row).exterior.coords)[[0, 2, 1, 3, 0]]
    found = check_coverage(lattice.cells | {lattice.code(column, row): Polygon(ring)})
    assert [cell.grid for cell in found.invalid] == [lattice.code(column, row)]
    assert found.invalid[0].reason == "Self-intersection"
    assert found.invalid[0].place is not None
    assert len(found.gaps) == 1


@given(lattices(), st.data())
def test_the_order_of_the_grids_does_not_matter(lattice, data):
    column, row = inner_cell(data, lattice)
    cells = lattice.cells | {lattice.code(column, row): moved_corner(lattice, column, row, 0.1)}
    shuffled = dict(data.draw(st.permutations(list(cells.items()))))
    assert check_coverage(shuffled) == check_coverage(cells)


SQUARE = shapely.box(WEST, SOUTH, WEST + CELL, SOUTH + CELL)


def test_tolerances_hide_what_is_smaller():
    wide = shapely.box(WEST + CELL - 1e-6, SOUTH, WEST + 2 * CELL, SOUTH + CELL)
    cells = {"a": SQUARE, "b": wide}
    overlap = check_coverage(cells).overlaps[0]
    assert overlap.area_m2 == pytest.approx(0.1009 * 221.5, rel=0.01)
    assert check_coverage(cells, area_m2_min=23.0).overlaps == ()
    assert len(check_coverage(cells, area_m2_min=23.0).invalid_edges) == 2


def test_a_narrow_gap_is_named_by_its_width():
    """A tenth of a metre between two cells: a hole to nobody, but its edges do not meet."""
    apart = shapely.box(WEST + CELL + 1e-6, SOUTH, WEST + 2 * CELL, SOUTH + CELL)
    cells = {"a": SQUARE, "b": apart}
    assert check_coverage(cells).faultless
    assert check_coverage(cells, gap_width_m=0.05).faultless
    assert [e.grid for e in check_coverage(cells, gap_width_m=0.2).invalid_edges] == ["a", "b"]


def test_a_hole_of_the_parent_is_not_a_gap():
    lake = shapely.box(WEST + CELL / 4, SOUTH + CELL / 4, WEST + CELL / 2, SOUTH + CELL / 2)
    shore = {"shore": shapely.difference(SQUARE, lake)}
    assert len(check_coverage(shore).gaps) == 1
    assert check_coverage(shore, parent=shore["shore"]).faultless
    island = shapely.affinity.scale(lake, 0.5, 0.5)
    around = check_coverage(shore | {"island": island}).gaps
    assert sum(gap.area_m2 for gap in around) == pytest.approx(area_m2(lake) * 0.75, rel=1e-4)


def test_no_grids_cover_nothing():
    assert check_coverage({}, gap_width_m=1.0).faultless
    found = check_coverage({}, parent=SQUARE)
    assert [gap.witness.equals(SQUARE) for gap in found.gaps] == [True]


def test_a_grid_of_several_parts_is_one_grid():
    far = shapely.box(WEST + 5 * CELL, SOUTH, WEST + 6 * CELL, SOUTH + CELL)
    assert check_coverage({"both": MultiPolygon([SQUARE, far])}).faultless


def test_an_invalid_parent_is_refused():
    with pytest.raises(GeoError) as fault:
        check_coverage({}, parent=Polygon([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)]))
    assert (fault.value.pointer, fault.value.reason) == ("/parent", "invalid-geometry")


def comb(teeth: int, *, upright: bool) -> Polygon:
    """A comb as large as a cell; an upright and a lying one cross at every tooth."""
    width = CELL / teeth
    ring = [(0.0, 0.0)]
    for tooth in range(teeth):
        left = tooth * width
        ring += [(left, CELL), (left + width / 2, CELL)]
        ring += [(left + width / 2, width / 9), (left + width, width / 9)]
    corners = np.array([*ring, (CELL, 0.0)])
    return Polygon((corners if upright else corners[:, ::-1]) + np.array([WEST, SOUTH]))


@pytest.mark.parametrize(
    "crowd",
    [
        {f"{n}": shapely.affinity.translate(SQUARE, n * 1e-6) for n in range(1_000)},
        {"up": comb(400, upright=True), "lying": comb(400, upright=False)},
    ],
    ids=["stacked squares", "crossed combs"],
)
def test_what_is_nowhere_near_a_coverage_is_refused_at_once(crowd):
    began = time.process_time()
    with pytest.raises(GeoError) as fault:
        check_coverage(crowd)
    assert fault.value.reason == "too-many-overlaps"
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("name", "key", "count"),
    [
        ("taipei_wanhua.geojson", "CODEBASE", 767),
        ("taipei_city.geojson.gz", "CODEBASE", 11_490),
    ],
)
def test_real_coverages_have_no_faults(name, key, count):
    grids = shared_polygons(name, key)
    assert len(grids) == count
    assert check_coverage(grids).faultless


def test_the_faults_of_a_real_dirty_coverage_are_counted():
    """Tainan: overlaps and slivers only where two districts were drawn apart."""
    grids = shared_polygons("tainan_city_dirty.geojson.gz", "CODEBASE")
    found = check_coverage(grids)
    assert len(found.overlaps) == 124
    assert sum(overlap.area_m2 > 1 for overlap in found.overlaps) == 3
    assert sum(overlap.area_m2 for overlap in found.overlaps) == pytest.approx(7.9, abs=0.05)
    assert len(found.invalid_edges) == 149
    assert sum(gap.area_m2 < 100 for gap in found.gaps) == 58
    assert found.invalid == ()


@pytest.mark.parametrize(
    ("name", "key", "count"),
    [
        ("chicago_community_areas.geojson.gz", "community_area", 77),
        ("chicago_wards_2015.geojson.gz", "ward", 50),
    ],
)
def test_real_coverages_around_other_towns_have_only_those_as_gaps(name, key, count):
    found = check_coverage(shared_polygons(name, key))
    assert len(shared_polygons(name, key)) == count
    assert (found.overlaps, found.invalid_edges, found.invalid) == ((), (), ())
    assert [gap.area_m2 > 100_000 for gap in found.gaps] == [True] * 3


def test_the_faults_of_real_villages_are_counted():
    """Quantised borders of a whole island, eight of them invalid until they are repaired."""
    drawn = shared_polygons("tw_villages_2013_dirty.geojson.gz", "village_sn")
    grids = {code: shapely.make_valid(grid) for code, grid in drawn.items()}
    assert sum(not grid.is_valid for grid in drawn.values()) == 8
    found = check_coverage(grids)
    assert len(found.overlaps) == 164
    assert sum(overlap.area_m2 > 1 for overlap in found.overlaps) == 153
    areas = [overlap.area_m2 for overlap in found.overlaps]
    assert sum(areas) == pytest.approx(22_206, rel=0.01)
    assert len(found.invalid_edges) == 304
    assert (len(found.gaps), sum(gap.area_m2 < 100 for gap in found.gaps)) == (101, 42)


@pytest.mark.parametrize(
    ("name", "power", "unit_m", "invalid", "overlaps", "over_a_metre", "edges", "slivers"),
    [
        ("cincinnati_blocks_epsg3735.zip", 16, 0.3048, 0, 0, 0, 0, 0),
        ("nyc_tracts_2000_epsg2263_dirty.zip", 14, 0.3048, 0, 34, 0, 66, 68),
        ("buenosaires_precincts_nocrs_dirty.zip", 17, 1.0, 4, 17, 12, 29, 0),
    ],
)
def test_the_faults_of_real_files_are_counted_as_they_lie_there(
    name, power, unit_m, invalid, overlaps, over_a_metre, edges, slivers
):
    """In their own feet and metres, halved so often that they could be degrees: exactly."""
    drawn = shapely.from_wkb(pyogrio.raw.read(shared_path("grids", name))[2])
    assert (~shapely.is_valid(drawn)).sum() == invalid
    halved = shapely.transform(shapely.make_valid(drawn), lambda xy: xy / 2**power)
    found = check_coverage({f"{row:05}": grid for row, grid in enumerate(halved)})
    unit_m2 = (2**power * unit_m) ** 2
    assert len(found.overlaps) == overlaps
    assert sum(each.witness.area * unit_m2 > 1 for each in found.overlaps) == over_a_metre
    assert len(found.invalid_edges) == edges
    assert sum(each.witness.area * unit_m2 < 100 for each in found.gaps) == slivers


def test_one_missing_real_grid_is_found():
    grids = shared_polygons("taipei_wanhua.geojson", "CODEBASE")
    inner = next(
        code
        for code, grid in grids.items()
        if not shapely.coverage_union_all(list(grids.values())).boundary.intersects(grid)
    )
    missing = grids.pop(inner)
    found = check_coverage(grids)
    assert [gap.witness.equals(missing) for gap in found.gaps] == [True]
    assert not found.invalid_edges
