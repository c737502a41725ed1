from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.areas import (
    LEVEL_MAX,
    LEVELS,
    ORDINAL_MAX,
    Area,
    AreaEntry,
    AreaTree,
    Span,
    assign_spans,
    child_span,
    level_of,
    line_of,
    ordinal_of,
)
from geo.errors import GeoError
from tests.shared_data import shared_rows

ordinals = st.integers(1, ORDINAL_MAX)
paths = st.lists(ordinals, min_size=1, max_size=LEVEL_MAX)


def span_at(path: Sequence[int]) -> Span:
    """The span of the area reached by these ordinals from the top."""
    span = None
    for level, ordinal in enumerate(path, start=1):
        span = child_span(span, level, ordinal)
    assert span is not None
    return span


@given(paths, paths)
def test_spans_nest_exactly_as_the_paths_do(one, other):
    inside = other[: len(one)] == one
    assert span_at(one).contains(span_at(other)) == inside
    apart = span_at(one).hi < span_at(other).lo or span_at(other).hi < span_at(one).lo
    assert apart == (not inside and one[: len(other)] != other)


@given(paths)
def test_a_span_tells_its_level_and_slot(path):
    assert (level_of(span_at(path)), ordinal_of(span_at(path))) == (len(path), path[-1])


@given(paths)
def test_the_line_of_an_area_names_it_and_all_above_it_and_no_other(path):
    above = [span_at(path[:level]).lo for level in range(len(path), 0, -1)]
    assert line_of(span_at(path).lo) == tuple(above)


def test_a_level_that_does_not_exist_has_no_place_in_a_line():
    district = span_at((3, 7))
    community = child_span(district, 4, 9)
    assert line_of(community.lo) == (community.lo, district.lo, span_at((3,)).lo)


@given(paths)
def test_every_number_fits_a_signed_database_integer(path):
    span = span_at(path)
    assert 0 < span.lo <= span.hi < 2**63


@given(st.data())
def test_a_level_that_does_not_exist_somewhere_leaves_no_trace(data):
    """Communities directly under a district never meet those under its streets."""
    district = span_at(data.draw(st.tuples(ordinals, ordinals)))
    skipping = child_span(district, 4, data.draw(ordinals))
    street = child_span(district, 3, data.draw(ordinals))
    assert district.contains(skipping)
    assert not street.contains(skipping)
    assert (level_of(skipping), skipping == child_span(street, 4, ordinal_of(skipping))) == (
        4,
        False,
    )


@pytest.mark.parametrize(
    ("parent", "level", "ordinal", "reason"),
    [
        (None, 0, 1, "level-out-of-range"),
        (None, 6, 1, "level-out-of-range"),
        (None, 1, 0, "ordinal-out-of-range"),
        (None, 1, ORDINAL_MAX + 1, "ordinal-out-of-range"),
        (child_span(None, 2, 1), 2, 1, "not-below-parent"),
        (child_span(None, 2, 1), 1, 1, "not-below-parent"),
        (child_span(None, 5, 1), 5, 1, "not-below-parent"),
    ],
)
def test_spans_that_cannot_be(parent, level, ordinal, reason):
    with pytest.raises(GeoError) as fault:
        child_span(parent, level, ordinal)
    assert fault.value.reason == reason


@pytest.mark.parametrize("span", [Span(0, 0), Span(1, 2), Span(1, (1 << 12) + 0), Span(5, 4)])
def test_numbers_that_are_no_span(span):
    with pytest.raises(GeoError) as fault:
        level_of(span)
    assert fault.value.reason == "not-a-span"


@st.composite
def trees(draw):
    """Areas with arbitrary parents of the level above, in any order."""
    areas = [area("r", None, child_span(None, 1, 1))]
    for number in range(draw(st.integers(0, 20))):
        parent = draw(st.sampled_from([each for each in areas if each.level < LEVEL_MAX]))
        taken = sum(each.parent_id == parent.id for each in areas)
        span = child_span(parent.span, parent.level + 1, taken + 1)
        areas.append(area(f"a{number}", parent.id, span))
    return draw(st.permutations(areas))


def area(name: str, parent: str | None, span: Span) -> Area:
    return Area(
        id=name, code=f"c-{name}", name=name, level=level_of(span), parent_id=parent, span=span
    )


@given(trees())
def test_the_tree_answers_like_the_parent_links(areas):
    tree = AreaTree(areas)
    parents = {each.id: each.parent_id for each in areas}

    def above(name: str) -> list[str]:
        parent = parents[name]
        return [] if parent is None else [parent, *above(parent)]

    for each in areas:
        assert [a.id for a in tree.ancestors(each.id)] == above(each.id)
        below = {other.id for other in areas if each.id in above(other.id)}
        assert {a.id for a in tree.descendants(each.id)} == below
        assert {o.id for o in areas if tree.contains(each.id, o.id)} == below | {each.id}
        assert [a.id for a in tree.children(each.id)] == [
            o.id for o in sorted(areas, key=lambda a: a.span) if o.parent_id == each.id
        ]


@given(trees())
def test_the_tree_lists_parents_first_and_every_area_once(areas):
    tree = AreaTree(areas)
    listed = [each.id for each in tree]
    assert (sorted(listed), len(tree)) == (sorted(each.id for each in areas), len(areas))
    for each in areas:
        if each.parent_id is not None:
            assert listed.index(each.parent_id) < listed.index(each.id)
        assert tree.by_id[each.id] is tree.by_code[each.code] is each


@given(trees())
def test_the_next_span_is_free_and_below_its_parent(areas):
    tree = AreaTree(areas)
    for parent in (each for each in areas if each.level < LEVEL_MAX):
        span = tree.next_span(parent.id, parent.level + 1)
        assert parent.span.contains(span)
        assert all(not span.contains(o.span) and span != o.span for o in areas)
    assert tree.next_span(None, 1) == child_span(None, 1, 2)


ROOT = area("r", None, child_span(None, 1, 1))


@pytest.mark.parametrize(
    ("second", "pointer", "reason"),
    [
        (area("r", "r", child_span(ROOT.span, 2, 1)), "/1/id", "duplicate-id"),
        (area("x", None, ROOT.span), "/1/span", "duplicate-span"),
        (area("x", "y", child_span(ROOT.span, 2, 1)), "/1/parent", "unknown-parent"),
        (area("x", "x", child_span(ROOT.span, 2, 1)), "/1/span", "not-below-parent"),
        (area("x", "r", child_span(None, 2, 1)), "/1/span", "not-below-parent"),
    ],
)
def test_a_tree_that_does_not_fit_together_is_refused(second, pointer, reason):
    with pytest.raises(GeoError) as fault:
        AreaTree([ROOT, second])
    assert (fault.value.pointer, fault.value.reason) == (pointer, reason)


@pytest.mark.parametrize(
    ("changes", "pointer", "reason"),
    [
        ({"code": "c-r"}, "/1/code", "duplicate-code"),
        ({"span": Span(3, 9)}, "/1/span", "not-a-span"),
        ({"level": 3}, "/1/level", "wrong-level"),
    ],
)
def test_an_area_that_contradicts_itself_is_refused(changes, pointer, reason):
    fitting = {
        "id": "x",
        "code": "c-x",
        "name": "x",
        "level": 2,
        "parent_id": "r",
        "span": child_span(ROOT.span, 2, 1),
    }
    with pytest.raises(GeoError) as fault:
        AreaTree([ROOT, Area(**(fitting | changes))])
    assert (fault.value.pointer, fault.value.reason) == (pointer, reason)


def entry(code: str, level: int, parent: str | None = None) -> AreaEntry:
    return AreaEntry(code=code, level=level, parent_code=parent)


@given(st.permutations([entry("9", 1), *(entry(f"9{n}", 2, "9") for n in range(8))]))
def test_the_order_of_a_list_does_not_change_the_spans(entries):
    assert assign_spans(entries) == assign_spans(sorted(entries, key=lambda each: each.code))


def test_what_has_a_span_keeps_it_and_new_areas_come_after():
    before = assign_spans([entry("9", 1), entry("92", 2, "9"), entry("95", 2, "9")])
    after = assign_spans([entry("91", 2, "9"), entry("92", 2, "9"), entry("8", 1)], before)
    assert {code: after[code] for code in before} == before
    assert ordinal_of(after["91"]) == 3
    assert after["8"] == child_span(None, 1, 2)


@pytest.mark.parametrize(
    ("entries", "pointer", "reason"),
    [
        ([entry("9", 1), entry("9", 1)], "/1/code", "duplicate-code"),
        ([entry("9", 1), entry("91", 2, "8")], "/1/parent", "unknown-parent"),
        ([entry("9", 7)], "/0/level", "level-out-of-range"),
        ([entry("9", 1), entry("91", 1, "9")], "/1/level", "not-below-parent"),
        ([entry(f"{n:05}", 1) for n in range(4095)], "/4094/ordinal", "ordinal-out-of-range"),
    ],
)
def test_a_list_that_cannot_be_placed_names_the_line(entries, pointer, reason):
    with pytest.raises(GeoError) as fault:
        assign_spans(entries)
    assert (fault.value.pointer, fault.value.reason) == (pointer, reason)


REAL_LEVELS = {"county": 2, "town": 3, "village": 4}


def test_a_real_hierarchy_nests():
    """Six real counties with their streets, towns and communities."""
    rows = shared_rows("admin", "cn_subtrees_2016.csv.gz")
    codes = {row["code"] for row in rows}
    entries = [
        entry(
            row["code"],
            REAL_LEVELS[row["level"]],
            row["parent"] if row["parent"] in codes else None,
        )
        for row in rows
    ]
    spans = assign_spans(entries)
    tree = AreaTree(
        Area(
            id=each.code,
            code=each.code,
            name="",
            level=each.level,
            parent_id=each.parent_code,
            span=spans[each.code],
        )
        for each in entries
    )
    assert len(tree) == 2_702
    assert len(list(tree.descendants("310115000000"))) == 42 + 1_281
    assert len(tree.children(None)) == 6
    for code in codes:
        for above in tree.ancestors(code):
            assert tree.contains(above.id, code)
            assert not tree.contains(code, above.id)


def test_the_levels_have_names():
    assert LEVELS == ("city", "district", "street", "community", "grid")
