"""Counts of people: nobody can subtract one extract from another and find fewer than k."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.anonymity import EXPORT_K, SCREEN_K, publishable

Tree = dict[int, int | None]


@st.composite
def towns(draw: st.DrawFn) -> tuple[Tree, dict[int, int]]:
    """A tree of up to ten areas and the few people who live in them; ids say nothing."""
    size = draw(st.integers(1, 10))
    ids = draw(st.permutations(range(100, 100 + size)))
    parents: Tree = {ids[0]: None}
    for place in range(1, size):
        parents[ids[place]] = draw(st.sampled_from([None, *ids[:place]]))
    order = draw(st.permutations(ids))
    counts = {area: draw(st.integers(0, 12)) for area in ids if draw(st.booleans())}
    return {area: parents[area] for area in order}, counts


def inside(parents: Tree, area: int) -> set[int]:
    """The area and everything in it."""
    found = {area}
    while more := {each for each, outer in parents.items() if outer in found} - found:
        found |= more
    return found


def small_groups_an_attacker_finds(
    parents: Tree, counts: dict[int, int], extracts: list[dict[int, int]], k: int
) -> list[set[int]]:
    """Places with 1 to k-1 people whose number follows from the extracts by linear algebra."""
    peopled = [area for area in parents if counts.get(area)]
    known = [
        [float(each in inside(parents, area)) for each in peopled]
        for extract in extracts
        for area in extract
    ]
    if not known:
        return []
    matrix = np.array(known)
    rank = np.linalg.matrix_rank(matrix)
    return [
        set(group)
        for size in range(1, min(len(peopled), k - 1) + 1)
        for group in combinations(peopled, size)
        if sum(counts[each] for each in group) < k
        and np.linalg.matrix_rank(np.vstack([matrix, [float(p in group) for p in peopled]]))
        == rank
    ]


@given(towns(), st.integers(2, 8))
def test_no_small_group_follows_from_what_is_published(town, k) -> None:
    parents, counts = town
    published = publishable(parents, counts, k=k)
    assert small_groups_an_attacker_finds(parents, counts, [published], k) == []


@given(towns(), st.integers(2, 5), st.integers(0, 5), st.data())
def test_two_extracts_together_tell_no_more(town, k, more, data) -> None:
    """One on a screen and one in a file, each of any part of the town."""
    parents, counts = town
    screen = publishable(parents, counts, k=k)
    file = publishable(parents, counts, k=k + more, among=frozenset(screen))
    assert file.items() <= screen.items()
    parts = [
        {area: each[area] for area in data.draw(st.sets(st.sampled_from([*each])))}
        for each in (screen, file)
        if each
    ]
    assert small_groups_an_attacker_finds(parents, counts, parts, k) == []
    assert small_groups_an_attacker_finds(parents, counts, [file], k + more) == []


@given(towns(), st.integers(2, 8))
def test_what_is_published_is_true(town, k) -> None:
    parents, counts = town
    for area, count in publishable(parents, counts, k=k).items():
        assert count == sum(counts.get(each, 0) for each in inside(parents, area))
        assert count == 0 or count >= k


@given(towns(), st.integers(2, 8))
def test_a_town_without_small_numbers_is_published_whole(town, k) -> None:
    parents, counts = town
    large = {area: count + k for area, count in counts.items()}
    assert set(publishable(parents, large, k=k)) == set(parents)


@given(towns(), st.integers(2, 8))
def test_a_whole_with_enough_people_is_always_published(town, k) -> None:
    parents, counts = town
    roots = {area for area, outer in parents.items() if outer is None}
    enough = {
        root
        for root in roots
        if sum(counts.get(each, 0) for each in inside(parents, root)) >= k
    }
    assert enough <= set(publishable(parents, counts, k=k))


COMMUNITY: Tree = {1: None, 11: 1, 12: 1, 13: 1, 14: 1}


def test_the_smallest_neighbour_of_a_small_count_is_held_back_too() -> None:
    counts = {11: 3, 12: 40, 13: 8, 14: 0}
    assert publishable(COMMUNITY, counts, k=SCREEN_K) == {1: 51, 12: 40, 14: 0}


def test_small_counts_that_are_enough_together_protect_each_other() -> None:
    counts = {11: 3, 12: 40, 13: 2, 14: 9}
    assert publishable(COMMUNITY, counts, k=SCREEN_K) == {1: 54, 12: 40, 14: 9}


def test_a_file_shows_less_than_a_screen() -> None:
    counts = {11: 6, 12: 40, 13: 7, 14: 9}
    screen = publishable(COMMUNITY, counts, k=SCREEN_K)
    assert set(screen) == set(COMMUNITY)
    file = publishable(COMMUNITY, counts, k=EXPORT_K, among=frozenset(screen))
    assert file == {1: 62, 12: 40}


def test_without_its_total_a_small_count_needs_no_cover() -> None:
    counts = {11: 3, 12: 40, 13: 8}
    among = frozenset({11, 12, 13})
    assert publishable(COMMUNITY, counts, k=5, among=among) == {12: 40, 13: 8}


def test_a_neighbour_without_a_rest_of_its_own_is_opened() -> None:
    """12 is the sum of its published parts: one of them has to go with it."""
    parents = {1: None, 11: 1, 12: 1, 121: 12, 122: 12}
    counts = {11: 2, 121: 6, 122: 7}
    assert publishable(parents, counts, k=5) == {1: 15, 122: 7}


@pytest.mark.parametrize(("counts", "k"), [({11: -1}, 5), ({11: 1}, 1), ({99: 5}, 5)])
def test_nonsense_is_refused(counts: dict[int, int], k: int) -> None:
    with pytest.raises(ValueError, match=r"k is at least|not in the tree"):
        publishable(COMMUNITY, counts, k=k)
