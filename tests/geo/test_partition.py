"""Connected parts of nearly equal weight."""

import math
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.partition import PARTS_MAX, Partition, Place, partition


def graph(
    edges: Iterable[tuple[int, int, float]], weights: list[int], width: int = 1
) -> list[Place]:
    beside: list[dict[int, float]] = [{} for _ in weights]
    for one, other, cost in edges:
        beside[one][other] = beside[other][one] = cost
    return [
        Place(weight=weight, x=at % width, y=at // width, neighbours=beside[at])
        for at, weight in enumerate(weights)
    ]


def raster(width: int, height: int, weights: list[int], *, wall: int = 0) -> list[Place]:
    """Cells side by side; crossing the column `wall` is cheap to cut."""
    edges = []
    for at in range(width * height):
        if at % width + 1 < width:
            edges.append((at, at + 1, 0.1 if at % width + 1 == wall else 1.0))
        if at + width < width * height:
            edges.append((at, at + width, 1.0))
    return graph(edges, weights, width)


def groups(found: Partition) -> dict[int, set[int]]:
    parts: dict[int, set[int]] = {}
    for place, part in enumerate(found.parts):
        parts.setdefault(part, set()).add(place)
    return parts


def is_connected(places: list[Place], some: set[int]) -> bool:
    seen, waiting = set(), [min(some)]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += [other for other in places[each].neighbours if other in some]
    return seen == some


def border(places: list[Place], found: Partition) -> float:
    return sum(
        cost
        for at, each in enumerate(places)
        for other, cost in each.neighbours.items()
        if found.parts[at] != found.parts[other]
    )


@st.composite
def connected(draw: st.DrawFn) -> list[Place]:
    size = draw(st.integers(1, 30))
    weights = draw(st.lists(st.integers(0, 40), min_size=size, max_size=size))
    costs = st.floats(0.01, 5.0)
    edges = [(at, draw(st.integers(0, at - 1)), draw(costs)) for at in range(1, size)]
    more = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1), costs)
    edges += [each for each in draw(st.lists(more, max_size=40)) if each[0] != each[1]]
    return graph(edges, weights, 5)


@given(connected(), st.integers(1, 12), st.integers(0, 3))
@settings(deadline=None)
def test_parts_are_connected_cover_everything_and_are_the_same_every_time(
    places: list[Place], count: int, seed: int
) -> None:
    found = partition(places, count, seed=seed)
    parts = groups(found)
    assert set(parts) == set(range(len(found.weights)))
    assert 1 <= len(parts) <= min(count, len(places))
    for number, some in parts.items():
        assert is_connected(places, some)
        assert found.weights[number] == sum(places[each].weight for each in some)
    mean = sum(found.weights) / len(parts)
    worst = max(abs(each - mean) for each in found.weights)
    assert found.deviation == pytest.approx(worst / mean if mean else 0.0)
    assert partition(places, count, seed=seed) == found


@given(
    st.integers(8, 14),
    st.integers(8, 14),
    st.integers(2, 5),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=25, deadline=None)
def test_where_places_are_small_no_part_is_ten_percent_off(
    width: int, height: int, count: int, seed: int, random: object
) -> None:
    weights = [random.randint(1, 5) for _ in range(width * height)]  # type: ignore[attr-defined]
    found = partition(raster(width, height, weights), count, seed=seed)
    assert len(found.weights) == count
    assert found.deviation <= 0.1


def test_a_border_goes_along_the_wall() -> None:
    places = raster(12, 8, [3] * 96, wall=6)
    found = partition(places, 2)
    assert found.deviation == 0.0
    assert border(places, found) == pytest.approx(2 * 8 * 0.1)


def test_a_house_that_is_too_large_is_a_part_of_its_own_size() -> None:
    weights = [1] * 25
    weights[12] = 100
    found = partition(raster(5, 5, weights), 4)
    assert max(found.weights) >= 100
    assert found.deviation > 1


def test_what_cannot_be_cut_is_refused() -> None:
    apart = graph([(0, 1, 1.0)], [1, 1, 1])
    with pytest.raises(ValueError, match="connected"):
        partition(apart, 2)
    with pytest.raises(ValueError, match="connected"):
        partition([], 1)
    for count in (0, PARTS_MAX + 1):
        with pytest.raises(ValueError, match="parts"):
            partition(apart[:1], count)


def test_nobody_at_home_is_no_division_by_zero() -> None:
    found = partition(raster(4, 4, [0] * 16), 3)
    assert (set(found.weights), found.deviation) == ({0}, 0.0)
    assert math.isfinite(found.deviation)


def test_repairing_ends_after_so_many_rounds() -> None:
    places = raster(6, 6, [1 + at * 7 % 5 for at in range(36)], wall=2)
    found = partition(places, 4, rounds=1)
    assert sum(found.weights) == sum(each.weight for each in places)
    assert all(is_connected(places, each) for each in groups(found).values())
