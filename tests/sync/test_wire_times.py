import pytest
from hypothesis import given

from sync.rfc3339 import WALL_MAX_MS, WALL_MIN_MS, format_wall, parse_wall
from tests.sync import wire_values as values


@given(values.walls)
def test_a_time_reads_back_as_it_was_written(wall_ms):
    assert parse_wall(format_wall(wall_ms)) == wall_ms


@pytest.mark.parametrize(
    ("text", "wall_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.5z", 500),
        ("1970-01-01T08:00:00.0019999+08:00", 1),
        ("1969-12-31T23:59:59.999-00:00", -1),
        ("1970-01-01T00:00:00-00:30", 1_800_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
    ],
)
def test_offsets_fractions_and_leap_seconds_are_understood(text, wall_ms):
    assert parse_wall(text) == wall_ms


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23",
        "2026-11-23T08:00:00",
        "2026-11-23 08:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T08:00:00+24:00",
        "2026-11-23T08:00:00.Z",
        "\uff12026-11-23T08:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"must|year|day|month"):
        parse_wall(text)


@pytest.mark.parametrize("wall_ms", [WALL_MIN_MS - 1, WALL_MAX_MS + 1])
def test_times_outside_four_digit_years_are_not_written(wall_ms):
    with pytest.raises(ValueError, match="years"):
        format_wall(wall_ms)
