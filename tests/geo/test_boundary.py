import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon

from geo.boundary import VERTICES_MAX, decode_boundary, encode_boundary
from geo.errors import GeoError
from geo.polygon import as_multipolygon, snap
from tests.geo.shapes import snapped_boundaries
from tests.shared_data import shared_polygons

TRIANGLE = Polygon([(-120.2, 38.5), (-120.95, 40.7), (-126.453, 43.252), (-120.2, 38.5)])

REASONS = {
    "readable",
    "boundary-unreadable",
    "too-few-positions",
    "out-of-range",
    "ring-not-closed",
}


def _polyline(number: int) -> str:
    """One number by the published description, written out once more."""
    left = ~(number << 1) if number < 0 else number << 1
    signs = []
    while left >= 32:
        signs.append(chr((32 | left & 31) + 63))
        left >>= 5
    return "".join([*signs, chr(left + 63)])


@given(snapped_boundaries())
def test_what_is_decoded_is_what_was_encoded(boundary):
    assert shapely.equals_identical(decode_boundary(encode_boundary(boundary)), boundary)


@given(st.text(alphabet=st.characters(min_codepoint=59, max_codepoint=130), max_size=40))
def test_any_text_decodes_or_is_refused_with_a_reason(text):
    try:
        boundary = decode_boundary(text)
    except GeoError as caught:
        reason = caught.reason
    else:
        reason = "empty" if boundary.is_empty else "readable"
    assert reason in REASONS


def test_a_ring_is_an_ordinary_polyline_latitude_first():
    """The published example of the algorithm, with seven decimals instead of five."""
    text = encode_boundary(TRIANGLE)
    assert text.startswith(_polyline(385_000_000) + _polyline(-1_202_000_000))
    assert set(text) <= {chr(code) for code in range(63, 127)}


def test_real_grids_survive_vertex_for_vertex():
    for grid in shared_polygons("taipei_wanhua.geojson", "CODEBASE").values():
        stored = as_multipolygon(snap(grid))
        assert shapely.equals_identical(decode_boundary(encode_boundary(grid)), stored)


def test_a_polygon_comes_back_as_a_multipolygon_with_its_holes():
    hole = Polygon([(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)], [[(1, 1), (1, 2), (2, 2), (1, 1)]])
    both = MultiPolygon([hole, TRIANGLE])
    text = encode_boundary(both)
    assert (text.count(","), text.count(";")) == (1, 1)
    assert shapely.equals_identical(decode_boundary(text), both)
    assert shapely.equals_identical(
        decode_boundary(encode_boundary(hole)), MultiPolygon([hole])
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too-few-positions"),
        ("??" * 3, "too-few-positions"),
        ("??" * 4 + ",", "too-few-positions"),
        ("??" * 4 + "?", "boundary-unreadable"),
        ("??" * 4 + "_", "boundary-unreadable"),
        ("??" * 4 + " ", "boundary-unreadable"),
        ("~~~~~~~~?" + "?" * 7, "boundary-unreadable"),
        ("??" * 3 + "?A", "ring-not-closed"),
        ("??" * 3 + "A?", "ring-not-closed"),
        (_polyline(900_000_001) + "?" * 7, "out-of-range"),
        ("?" + _polyline(1_800_000_001) + "?" * 6, "out-of-range"),
        ("?" * (14 * VERTICES_MAX + 1), "boundary-too-long"),
    ],
)
def test_damaged_text_is_refused(text, reason):
    with pytest.raises(GeoError) as fault:
        decode_boundary(text)
    assert fault.value.reason == reason


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [(Point(0, 0), "type-not-allowed"), (MultiPolygon(), "empty-geometry")],
)
def test_only_polygons_have_a_boundary(geometry, reason):
    with pytest.raises(GeoError) as fault:
        encode_boundary(geometry)
    assert fault.value.reason == reason
