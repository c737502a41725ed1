"""What a batch of positions may cost, without a store."""

import pytest
import shapely

from geo.locate import GridIndex
from server.grids.schemas import Place
from server.locate.finding import DISTANCES_MAX, find_all
from server.locate.schemas import POINTS_MAX
from server.problems import InvalidBody
from tests.world import LAT, LON, STEP

SIDE = 7
INDEX = GridIndex.build(
    {
        f"{column}{row}": shapely.box(
            LON + column * STEP,
            LAT + row * STEP,
            LON + (column + 1) * STEP,
            LAT + (row + 1) * STEP,
        )
        for column in range(SIDE)
        for row in range(SIDE)
    }
)


def wide(accuracy_m: float) -> Place:
    middle = SIDE / 2 * STEP
    return Place(lon=LON + middle, lat=LAT + middle, accuracy_m=accuracy_m)


def test_a_batch_that_reaches_too_much_is_refused_before_it_is_measured() -> None:
    assert SIDE * SIDE * POINTS_MAX > DISTANCES_MAX
    with pytest.raises(InvalidBody) as refused:
        find_all(INDEX, [wide(2_000.0)] * POINTS_MAX)
    (fault,) = refused.value.extensions["errors"]
    assert (fault["pointer"], "fewer positions" in fault["reason"]) == ("/points", True)


def test_a_smaller_batch_and_a_single_position_are_answered() -> None:
    (one,) = find_all(INDEX, [wide(2_000.0)])
    assert len(one.location) == 16
    several = find_all(INDEX, [wide(2_000.0)] * 3)
    assert several == [one] * 3


def test_a_share_is_counted_only_where_there_is_doubt() -> None:
    sure, doubtful, nowhere = find_all(
        INDEX, [wide(5.0), wide(100.0), Place(lon=0.0, lat=0.0, accuracy_m=5.0)]
    )
    assert sure.shares == {"33": 1.0}
    assert sum(doubtful.shares.values()) == pytest.approx(1.0)
    assert doubtful.shares["33"] == max(doubtful.shares.values())
    assert (nowhere.shares, len(nowhere.location)) == ({}, 0)
