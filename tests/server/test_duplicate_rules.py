"""How alike two records look: the same from both sides, and never without a shared key."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.duplicates.rules import (
    SUGGESTED_FROM,
    Home,
    Person,
    alike_homes,
    alike_people,
    pairs_of,
    similar,
)
from sync.searching import search_key

keys = st.none() | st.text("ab", min_size=1, max_size=4)
ids = st.sampled_from(["1", "2", "3"])
people = st.builds(
    Person,
    id=ids,
    household=ids,
    dwelling=st.none() | ids,
    name_key=keys,
    phone_key=keys,
    birth_year=st.none() | st.integers(1990, 1993),
)
homes = st.builds(
    Home,
    id=ids,
    dwelling=ids,
    door_key=keys,
    phone_key=keys,
    names=st.frozensets(st.text("ab", min_size=1, max_size=2)),
)


def person(name: str, **known: Any) -> Person:
    plain: dict[str, Any] = {"phone_key": None, "birth_year": None, "dwelling": None}
    said = {
        **plain,
        "id": name,
        "household": f"{name} {known}",
        "name_key": search_key(name),
        **known,
    }
    return Person(**said)


@given(people, people)
def test_people_look_alike_from_both_sides_and_share_a_key_if_suggested(
    one: Person, other: Person
) -> None:
    likeness = alike_people(one, other)
    assert likeness == alike_people(other, one)
    assert 0 <= likeness.score <= 100
    assert list(likeness.reasons) == sorted(set(likeness.reasons))
    if likeness.suggested:
        lived = one.dwelling == other.dwelling or one.household == other.household
        assert (
            one.name_key == other.name_key
            or one.phone_key == other.phone_key
            or (lived and one.birth_year == other.birth_year)
        )


@given(homes, homes)
def test_homes_look_alike_from_both_sides_and_share_a_key_if_suggested(
    one: Home, other: Home
) -> None:
    likeness = alike_homes(one, other)
    assert likeness == alike_homes(other, one)
    assert 0 <= likeness.score <= 100
    if likeness.suggested:
        assert (
            (one.dwelling, one.door_key) == (other.dwelling, other.door_key)
            or one.phone_key == other.phone_key
            or one.names & other.names
        )


def distance(one: str, other: str) -> int:
    """The number of slips between two texts, counted the long way."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        before, row[0] = row[0], at
        for place, each in enumerate(other, start=1):
            changed = before + (letter != each)
            before = row[place]
            row[place] = min(row[place] + 1, row[place - 1] + 1, changed)
    return row[-1]


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_similar_is_one_slip_or_another_order(one: str, other: str) -> None:
    shortest = min(len(one), len(other))
    turned = shortest >= 2 and sorted(one) == sorted(other)
    slipped = shortest >= 3 and distance(one, other) <= 1
    assert similar(one, other) == (turned or slipped)
    assert similar(other, one) == similar(one, other)


def test_what_is_suggested_and_what_is_not() -> None:
    wu = person("Wu Xiaoming", phone_key="1", birth_year=1990, dwelling="d")
    for other, score, reasons in (
        (person("\uff37\uff35\u3000xiao-ming", phone_key="1"), 80, ("same-name", "same-phone")),
        (person("Xiaoming Wu", phone_key="1"), 60, ("same-phone", "similar-name")),
        (person("Wu Xiaomin", dwelling="d"), 55, ("same-dwelling", "similar-name")),
        (person("Wu Xiaoming", birth_year=1991), 45, ("same-name",)),
        (
            person("Wu Xiaoming", birth_year=1950, phone_key="1"),
            50,
            ("same-name", "same-phone"),
        ),
        (person("Li Dahai", phone_key="1", birth_year=1990, dwelling="d"), 0, ()),
    ):
        likeness = alike_people(wu, other)
        assert (likeness.score, likeness.reasons) == (score, reasons)
        assert likeness.suggested == (score >= SUGGESTED_FROM)


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=4), max_size=4))
def test_each_pair_of_a_block_comes_once_and_in_order(blocks: list[list[str]]) -> None:
    pairs = list(pairs_of(blocks))
    assert pairs == sorted(set(pairs))
    assert set(pairs) == {
        (one, other) for block in blocks for one in block for other in block if one < other
    }
