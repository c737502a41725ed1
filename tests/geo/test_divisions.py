"""Published lists of divisions, and the real ones of 2016 and 2023."""

from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.areas import AreaEntry, assign_spans, level_of
from geo.divisions import (
    DIVISION_LEVELS,
    Division,
    Hierarchy,
    compared,
    full_code,
    hierarchy,
    placed,
)
from geo.errors import GeoError
from tests.shared_data import shared_rows


@cache
def published(*names: str) -> Hierarchy:
    rows = [row for name in names for row in shared_rows("admin", name)]
    return hierarchy(
        Division(
            row=at,
            code=full_code(row["code"]),
            name=row["name"],
            level=row["level"],
            parent=full_code(row["parent"]) if row["parent"] else None,
        )
        for at, row in enumerate(rows, start=2)
        if names[0] == "cn_divisions_2023_l1_l4.csv.gz"
        or at < 3_514
        or row["level"] != "county"
    )


def of_2016() -> Hierarchy:
    return published("cn_divisions_2016_l0_l3.csv.gz", "cn_subtrees_2016.csv.gz")


def of_2023() -> Hierarchy:
    return published("cn_divisions_2023_l1_l4.csv.gz")


def test_what_became_of_the_divisions_between_2016_and_2023() -> None:
    found = compared(of_2016(), of_2023())
    counties = found["county"]
    # Three counties of 2023 stand for their city, whose code they have.
    assert (len(counties.vanished), len(counties.appeared)) == (421, 263)
    assert (counties.kept, len(counties.renamed)) == (2_712, 3)
    assert found["city"].vanished == ("139000000000", "371200000000", "542400000000")
    assert found["city"].appeared == ("540600000000",)
    towns = found["town"]
    old = {code for code, each in of_2016().divisions.items() if each.level == "town"}
    new = {code for code, each in of_2023().divisions.items() if each.level == "town"}
    assert set(towns.vanished) == old - new
    assert (len(old), len(towns.vanished), len(towns.renamed)) == (117, 5, 38)
    assert [level for level in found if level in {"country", "village"}] == []


def test_filled_up_codes_collide_and_the_higher_level_counts() -> None:
    found = of_2023().collisions
    assert {each.code: (each.kept.level, *(x.level for x in each.left)) for each in found} == {
        "441900000000": ("city", "county"),
        "442000000000": ("city", "county"),
        "460400000000": ("city", "county"),
        "350527000000": ("county", "town"),
    }
    assert of_2016().collisions == ()


@pytest.mark.parametrize("listed", [of_2016, of_2023])
def test_the_tree_begins_at_cities_and_has_no_offices_on_paper(listed) -> None:
    areas = {each.code: each for each in placed(listed())}
    assert areas["110000000000"].level == 1  # a municipality is a city
    assert areas["110101000000"].parent == "110000000000"
    assert areas["429004000000"].parent is None  # a county directly under its province
    assert areas["330106000000"].parent == "330100000000"
    assert {"330000000000", "110100000000", "429000000000", "130401000000"}.isdisjoint(areas)
    spans = assign_spans(
        AreaEntry(code=each.code, level=each.level, parent_code=each.parent)
        for each in areas.values()
    )
    assert {level_of(spans[code]) for code in areas} == {each.level for each in areas.values()}
    for each in areas.values():
        if each.parent is not None:
            assert spans[each.parent].contains(spans[each.code])


def test_towns_of_a_city_without_counties_hang_under_the_city() -> None:
    areas = {each.code: each for each in placed(of_2023())}
    assert (areas["441900003000"].parent, areas["441900003000"].level) == ("441900000000", 3)
    assert areas["441900000000"].level == 1


def test_what_is_above_may_be_missing_from_a_list() -> None:
    only = hierarchy([Division(row=2, code="1" * 12, name="N", level="town", parent="2" * 12)])
    (area,) = placed(only)
    assert (area.parent, area.listed) == (None, False)


names = st.sampled_from(["A", "B", "市辖区"])
rows = st.lists(
    st.builds(
        Division,
        row=st.integers(1, 99),
        code=st.integers(0, 9).map(lambda n: f"{n:012}"),
        name=names,
        level=st.sampled_from(DIVISION_LEVELS),
        parent=st.none() | st.integers(0, 9).map(lambda n: f"{n:012}"),
    ),
    max_size=12,
)


@given(rows, rows)
def test_every_row_is_kept_or_left_and_every_code_accounted_for(
    first: list[Division], second: list[Division]
) -> None:
    before, after = hierarchy(first), hierarchy(second)
    left = sum(len(each.left) for each in before.collisions)
    assert len(before.divisions) + left == len(first)
    for level, found in compared(before, after).items():
        old = Counter(each.level for each in before.divisions.values())[level]
        new = Counter(each.level for each in after.divisions.values())[level]
        assert found.kept + len(found.vanished) == old
        assert found.kept + len(found.appeared) == new
        assert compared(after, before)[level].vanished == found.appeared
    codes = [each.code for each in placed(before)]
    assert len(codes) == len(set(codes))
    assert {each.parent for each in placed(before)} - {None} <= set(codes)


@pytest.mark.parametrize("code", ["", "1", "123", "12345678901a", "\uff11\uff12"])
def test_a_code_has_a_length_of_its_level(code: str) -> None:
    with pytest.raises(GeoError):
        full_code(code)
