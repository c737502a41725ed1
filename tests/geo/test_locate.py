import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely import MultiPolygon, Point, Polygon

from geo.errors import GeoError
from geo.locate import ACCURACY_M_MAX, CANDIDATES_MAX, Disc, GridIndex
from tests.geo.shapes import CELL, SOUTH, WEST, Lattice, brute_force, lattices, positions
from tests.shared_data import shared_polygons, shared_rows

SQUARES = {
    f"{column}{row}": shapely.box(
        WEST + column * CELL,
        SOUTH + row * CELL,
        WEST + (column + 1) * CELL,
        SOUTH + (row + 1) * CELL,
    )
    for column in range(3)
    for row in range(3)
}


@given(st.data())
def test_every_answer_is_the_brute_force_one(data):
    lattice = data.draw(lattices())
    places = data.draw(st.lists(positions(lattice), min_size=1, max_size=20))
    index = GridIndex.build(lattice.cells)
    expected = [brute_force(lattice.cells, lon, lat) for lon, lat in places]
    assert [index.locate(lon, lat).grid for lon, lat in places] == expected
    assert index.locate_many(*np.transpose(places)) == expected


@given(st.data())
def test_the_order_of_the_grids_and_their_ids_do_not_matter(data):
    lattice = data.draw(lattices())
    place = data.draw(positions(lattice))
    codes = {f"id-{number}": code for number, code in enumerate(data.draw(_shuffled(lattice)))}
    index = GridIndex.build({grid: lattice.cells[code] for grid, code in codes.items()}, codes)
    found = index.locate(*place).grid
    assert (found and codes[found]) == brute_force(lattice.cells, *place)
    assert index.locate_many([place[0]], [place[1]]) == [found]


def _shuffled(lattice: Lattice):
    return st.permutations(sorted(lattice.cells))


@given(st.data())
def test_candidates_are_the_grids_within_the_disc(data):
    """Against distances on a plane around the position itself."""
    lattice = data.draw(lattices(most=4))
    lon, lat = data.draw(positions(lattice))
    accuracy_m = data.draw(st.sampled_from([0.0, 3.0, 20.0, 65.0, 150.0]))
    found = GridIndex.build(lattice.cells).locate(lon, lat, accuracy_m)
    to_edge = _edges_m(lattice, lon, lat)
    holding = {c for c, cell in lattice.cells.items() if cell.intersects(Point(lon, lat))}
    slack = 0.01 + accuracy_m * 0.002
    near = {code for code, metres in to_edge.items() if metres <= accuracy_m - slack}
    far = {code for code, metres in to_edge.items() if metres > accuracy_m + slack} - holding
    named = [each.grid for each in found]
    assert holding | near <= set(named)
    assert not far & set(named)
    assert {each.grid for each in found if each.inside} == holding
    for each in found:
        assert each.distance_to_edge_m == pytest.approx(to_edge[each.grid], rel=2e-3, abs=1e-2)
    outside = [each.distance_to_edge_m for each in found if not each.inside]
    assert named[: len(holding)] == sorted(holding)
    assert outside == sorted(outside)
    assert found.certain == (
        len(holding) == 1 and found.candidates[0].distance_to_edge_m > accuracy_m
    )


def _edges_m(lattice: Lattice, lon: float, lat: float) -> dict[str, float]:
    """Metres to each cell's edge, on a plane that touches the earth at the position."""
    here = f"+proj=aeqd +lon_0={lon!r} +lat_0={lat!r}"
    around = Transformer.from_crs(4326, here, always_xy=True)
    rings = [cell.exterior for cell in lattice.cells.values()]
    plane = shapely.transform(
        rings, lambda xy: np.column_stack(around.transform(xy[:, 0], xy[:, 1]))
    )
    distances = shapely.distance(plane, Point(0, 0)).tolist()
    return dict(zip(lattice.cells, distances, strict=True))


def test_deep_inside_a_grid_a_good_fix_is_certain():
    found = GridIndex.build(SQUARES).locate(WEST + CELL / 2, SOUTH + CELL / 2, 8.0)
    assert found.certain
    assert [each.grid for each in found] == ["00"]
    assert 100 < found.candidates[0].distance_to_edge_m < 101


def test_at_the_border_of_the_city_one_candidate_is_not_certain():
    found = GridIndex.build(SQUARES).locate(WEST + 0.00001, SOUTH + CELL / 2, 8.0)
    assert (found.grid, len(found), found.certain) == ("00", 1, False)


def test_just_outside_the_nearest_grid_is_a_candidate_but_not_the_answer():
    found = GridIndex.build(SQUARES).locate(WEST - 0.00001, SOUTH + CELL / 2, 8.0)
    assert (found.grid, [each.grid for each in found]) == (None, ["00"])
    assert not found.candidates[0].inside


def test_a_shared_corner_goes_to_the_lowest_code_and_names_all_four():
    found = GridIndex.build(SQUARES).locate(WEST + CELL, SOUTH + CELL)
    assert (found.grid, len(found), found.certain) == ("00", 4, False)
    assert [each.grid for each in found] == ["00", "01", "10", "11"]


def test_far_away_there_is_nothing():
    found = GridIndex.build(SQUARES).locate(0.0, 0.0, 1e9)
    assert (found.grid, len(found), list(found), found.certain) == (None, 0, [], False)


def test_a_hopeless_fix_is_cut_and_names_a_limited_number_of_grids():
    many = {
        f"{n:03}": shapely.box(WEST + n * 1e-4, SOUTH, WEST + (n + 1) * 1e-4, SOUTH + 1e-4)
        for n in range(500)
    }
    found = GridIndex.build(many).locate(WEST + 0.025, SOUTH, 100_000.0)
    assert len(found) == CANDIDATES_MAX
    beyond = WEST - ACCURACY_M_MAX / 90_000
    assert not GridIndex.build(many).locate(beyond, SOUTH, 100_000.0).candidates


def test_the_hole_of_a_grid_is_not_the_grid():
    ring = SQUARES["11"].exterior.coords
    outer = shapely.box(WEST, SOUTH, WEST + 3 * CELL, SOUTH + 3 * CELL).exterior.coords
    index = GridIndex.build({"ring": MultiPolygon([Polygon(outer, [ring])])})
    middle = (WEST + 1.5 * CELL, SOUTH + 1.5 * CELL)
    assert index.locate(*middle).grid is None
    assert index.locate(*middle, 150.0).candidates[0].distance_to_edge_m == pytest.approx(
        101, abs=1
    )


def test_positions_without_a_number():
    index = GridIndex.build(SQUARES)
    assert index.locate_many([math.nan, WEST], [SOUTH, math.inf]) == [None, None]
    for broken in (
        (math.nan, 0.0, 0.0),
        (0.0, math.inf, 0.0),
        (0.0, 0.0, math.nan),
        (0, 0, -1),
    ):
        with pytest.raises(ValueError, match="finite"):
            index.locate(*broken)


def test_an_index_of_nothing_finds_nothing():
    index = GridIndex.build({})
    assert (len(index), index.locate(0.0, 0.0, 5.0).grid) == (0, None)
    assert index.locate_many([1.0], [1.0]) == [None]


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [(Point(0, 0), "type-not-allowed"), (Polygon(), "empty-geometry")],
)
def test_only_areas_can_be_indexed(geometry, reason):
    with pytest.raises(GeoError) as fault:
        GridIndex.build({"g": geometry})
    assert (fault.value.pointer, fault.value.reason) == ("/g", reason)


def test_real_requests_on_real_borders_have_one_owner_each():
    """74,401 requests over 77 areas: 665 lie on a border of several areas, 140 in none."""
    areas = shared_polygons("chicago_community_areas.geojson.gz", "community_area")
    rows = shared_rows("incidents", "chicago_sanitation_2011_2014.csv.gz")
    lonlat = np.array([(r["lon"], r["lat"]) for r in rows if r["lon"]], dtype=float)
    codes = {area: f"{int(area):02}" for area in areas}
    located = GridIndex.build(areas, codes).locate_many(*lonlat.T)
    backwards = GridIndex.build(dict(reversed(areas.items())), codes).locate_many(*lonlat.T)
    assert located == backwards
    names = sorted(areas, key=codes.__getitem__)
    tree = shapely.STRtree([areas[name] for name in names])
    owners: dict[int, set[str]] = {}
    for position, area in tree.query(shapely.points(lonlat), "intersects").T.tolist():
        owners.setdefault(position, set()).add(names[area])
    several = [position for position, found in owners.items() if len(found) > 1]
    assert (len(several), located.count(None)) == (665, 140)
    assert all(located[at] == min(owners[at], key=codes.__getitem__) for at in several)


@given(st.data())
def test_reach_counts_at_least_the_grids_whose_edge_is_measured(data):
    lattice = data.draw(lattices(most=4))
    index = GridIndex.build(lattice.cells)
    places = data.draw(st.lists(positions(lattice), max_size=4))
    radii = st.sampled_from([0.0, 65.0, 1e6])
    discs = [Disc(lon, lat, data.draw(radii)) for lon, lat in places]
    candidates = sum(len(index.locate(d.lon, d.lat, d.accuracy_m)) for d in discs)
    assert candidates <= index.reach(discs) <= len(discs) * len(index)


def test_reach_adds_up_over_many_discs():
    index = GridIndex.build(SQUARES)
    inside, outside = Disc(WEST + CELL / 2, SOUTH + CELL / 2, 5.0), Disc(0.0, 0.0, 5.0)
    assert index.reach([inside, outside] * 700) == 700
