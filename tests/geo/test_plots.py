"""Ground divided among homes, and put together again."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from geo.errors import GeoError
from geo.measure import area_m2
from geo.partition import partition
from geo.plots import PLOTS_MAX, Homes, plots_of
from tests.shared_data import shared_polygons, shared_rows

LON, LAT, SIDE = 121.5, 25.03, 0.004
GROUND = shapely.box(LON, LAT, LON + SIDE, LAT + SIDE)
ISLAND = shapely.box(LON + 2 * SIDE, LAT, LON + 3 * SIDE, LAT + SIDE)


def homes(*places: tuple[float, float, int]) -> Homes:
    """Homes by their share of the side from west and south."""
    return Homes(
        lons=np.array([LON + x * SIDE for x, _, _ in places]),
        lats=np.array([LAT + y * SIDE for _, y, _ in places]),
        households=np.array([each[2] for each in places], dtype=np.int64),
    )


spots = st.lists(
    st.tuples(st.floats(-0.1, 1.1), st.floats(-0.1, 1.1), st.integers(1, 9)),
    min_size=1,
    max_size=25,
)


@given(spots, st.sampled_from([GROUND, shapely.union(GROUND, ISLAND)]), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_plots_cover_the_ground_and_parts_of_them_do(
    where: list[tuple[float, float, int]], ground: BaseGeometry, count: int
) -> None:
    plots = plots_of(ground, homes(*where))
    assert sum(each.weight for each in plots.places) == sum(each[2] for each in where)
    found = partition(plots.places, count)
    shapes = [
        plots.boundary([at for at, part in enumerate(found.parts) if part == number])
        for number in range(len(found.weights))
    ]
    for at, shape in enumerate(shapes):
        for other in shapes[at + 1 :]:
            assert area_m2(shapely.intersection(shape, other)) < 1.0
    whole = shapely.union_all(shapes)
    assert area_m2(shapely.symmetric_difference(whole, ground)) < 5.0


def test_a_barrier_makes_neighbours_strangers() -> None:
    where = homes((0.2, 0.5, 1), (0.4, 0.5, 1), (0.8, 0.5, 1))
    wall = shapely.LineString([(LON + 0.5 * SIDE, LAT), (LON + 0.5 * SIDE, LAT + SIDE)])
    free, barred = plots_of(GROUND, where), plots_of(GROUND, where, [wall])
    assert free.places[1].neighbours[2] == pytest.approx(1.0, abs=0.01)
    assert barred.places[1].neighbours[2] == pytest.approx(0.1, abs=0.01)
    assert barred.places[0].neighbours == free.places[0].neighbours
    assert 2 not in free.places[0].neighbours


def test_homes_at_one_place_are_one_plot() -> None:
    plots = plots_of(GROUND, homes((0.5, 0.5, 2), (0.5, 0.5, 3)))
    assert [each.weight for each in plots.places] == [5]
    assert area_m2(plots.boundary([0])) == pytest.approx(area_m2(GROUND))


def test_homes_a_hand_apart_are_one_plot() -> None:
    plots = plots_of(GROUND, homes((0.5, 0.5, 2), (0.5, 0.5 + 1e-9, 3), (0.5, 0.51, 1)))
    assert [each.weight for each in plots.places] == [5, 1]


def test_ground_without_homes_or_with_too_many_is_refused() -> None:
    with pytest.raises(GeoError, match="no homes"):
        plots_of(GROUND, homes())
    many = [(at / 100, at % 100 / 100, 1) for at in range(PLOTS_MAX + 1)]
    with pytest.raises(GeoError, match="More than"):
        plots_of(GROUND, homes(*many))


def test_the_real_quarter_is_cut_into_grids_that_are_nearly_equal() -> None:
    cells = shared_polygons("taipei_wanhua.geojson", "CODEBASE")
    where = [
        row
        for row in shared_rows("buildings", "taipei_building_points.csv.gz")
        if row["CODEBASE"] in cells and row["dwelling_like"].lower() in {"1", "true", "t"}
    ][:1_500]
    ground = shapely.union_all([cells[row["CODEBASE"]] for row in where])
    plots = plots_of(
        ground,
        Homes(
            lons=np.array([float(row["lon"]) for row in where]),
            lats=np.array([float(row["lat"]) for row in where]),
            households=np.array([1 + at % 9 for at in range(len(where))], dtype=np.int64),
        ),
    )
    households = sum(each.weight for each in plots.places)
    found = partition(plots.places, round(households / 300))
    assert found.deviation <= 0.1
    shapes = [
        plots.boundary([at for at, part in enumerate(found.parts) if part == number])
        for number in range(len(found.weights))
    ]
    assert area_m2(shapely.union_all(shapes)) == pytest.approx(area_m2(ground), rel=1e-5)
