import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.codes import (
    COMMUNITY_GRID,
    COMPONENT,
    COUNTY,
    LAYOUTS,
    STATISTICAL,
    STREET,
    UNIT_GRID,
    Layout,
    Segment,
    check_code,
    layout_of,
    number_cells,
    split_code,
)
from geo.errors import GeoError
from tests.geo.shapes import lattices
from tests.shared_data import shared_polygons, shared_rows


@given(st.sampled_from(list(LAYOUTS.values())), st.data())
def test_a_code_is_the_sum_of_its_segments(layout, data):
    numbers = {
        each.name: data.draw(st.integers(each.lowest, 10**each.digits - 1))
        for each in layout.segments
    }
    parts = {each.name: f"{numbers[each.name]:0{each.digits}}" for each in layout.segments}
    code = "".join(parts.values())
    assert split_code(layout, code) == parts
    assert layout_of(code) == layout


@given(st.text(max_size=24), st.sampled_from(list(LAYOUTS.values())))
def test_any_text_is_a_code_or_is_refused_with_a_reason(text, layout):
    try:
        check_code(layout, text, "/code")
    except GeoError as caught:
        reason = (caught.pointer, caught.reason)
    else:
        reason = ("/code", "fits")
    assert reason[0] == "/code"
    assert reason[1] in {
        "fits",
        "code-not-digits",
        "code-wrong-length",
        "code-segment-out-of-range",
    }


@given(lattices(), st.data())
def test_numbers_run_west_to_east_then_north_to_south(lattice, data):
    """Cells moved by up to a quarter keep their row and column, in whatever order they come."""
    cells = data.draw(st.permutations(list(lattice.cells.items())))
    codes = number_cells("110101001001", dict(cells))
    expected = [
        lattice.code(column, row)
        for row in reversed(range(lattice.rows))
        for column in range(lattice.columns)
    ]
    assert sorted(codes, key=codes.__getitem__) == expected
    assert codes[expected[0]] == "110101001001001"


def test_cells_with_one_centre_go_by_id():
    square = shapely.box(121, 25, 122, 26)
    codes = number_cells("110101001001", {"b": square, "a": square})
    assert codes == {"a": "110101001001001", "b": "110101001001002"}


def test_no_cells_need_no_codes():
    assert number_cells("110101001001", {}) == {}


def test_numbering_goes_on_after_the_numbers_used():
    codes = number_cells("110101001001", {"a": shapely.box(121, 25, 122, 26)}, first=7)
    assert codes == {"a": "110101001001007"}


def test_a_community_may_run_out_of_numbers():
    with pytest.raises(GeoError) as fault:
        number_cells("110101001001", {"a": shapely.box(121, 25, 122, 26)}, first=1_000)
    assert fault.value.reason == "sequence-exhausted"


def test_a_prefix_of_the_wrong_length_is_refused():
    with pytest.raises(GeoError) as fault:
        number_cells("110101", {"a": shapely.box(121, 25, 122, 26)})
    assert fault.value.reason == "code-wrong-length"


def test_a_real_district_gets_one_code_per_grid():
    grids = shared_polygons("taipei_wanhua.geojson", "CODEBASE")
    codes = number_cells("110101001001", grids)
    assert sorted(codes.values()) == [f"110101001001{n:03}" for n in range(1, 768)]
    assert number_cells("110101001001", dict(reversed(grids.items()))) == codes


@pytest.mark.parametrize(
    ("layout", "code", "reason"),
    [
        (STATISTICAL, "1101010010", "code-wrong-length"),
        (STATISTICAL, "11010100100a", "code-not-digits"),
        (
            STATISTICAL,
            "\uff11" * 12,
            "code-not-digits",
        ),
        (STATISTICAL, "091010010010", "code-segment-out-of-range"),
        (UNIT_GRID, "110101001001000", "code-segment-out-of-range"),
        (COMPONENT, "3205080001000001", "code-segment-out-of-range"),
        (COUNTY, "", "code-wrong-length"),
        (STREET, "11010100100", "code-wrong-length"),
        (COMMUNITY_GRID, "1" * 19, "code-wrong-length"),
    ],
)
def test_wrong_codes_say_why(layout, code, reason):
    with pytest.raises(GeoError) as fault:
        check_code(layout, code)
    assert fault.value.reason == reason


def test_a_published_component_code_splits():
    assert split_code(COMPONENT, "3205080101000001") == {
        "area": "320508",
        "class": "01",
        "subclass": "01",
        "sequence": "000001",
    }


@pytest.mark.parametrize(
    ("layout", "length"),
    [
        (COUNTY, 6),
        (STREET, 9),
        (STATISTICAL, 12),
        (UNIT_GRID, 15),
        (COMPONENT, 16),
        (COMMUNITY_GRID, 20),
    ],
)
def test_layouts_have_the_lengths_of_their_standards(layout, length):
    assert layout.length == length


def test_a_deployment_may_have_a_layout_of_its_own():
    local = Layout(name="local", segments=(Segment(name="ward", digits=2),))
    check_code(local, "07")
    assert layout_of("07") is None
    assert layout_of("07", [local]) is local
    assert layout_of("07", [local, local]) is None


def test_real_statistical_codes_fit_their_layout():
    for row in shared_rows("admin", "cn_subtrees_2016.csv.gz"):
        check_code(STATISTICAL, row["code"])
