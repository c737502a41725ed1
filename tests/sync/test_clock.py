from hypothesis import given
from hypothesis import strategies as st

from sync.clock import correct, offset_of
from sync.mutation import ClockReading, Quality

NOW = 1_790_000_000_000
YEAR = 365 * 24 * 3_600_000
WALLS = st.integers(0, NOW + 10 * YEAR)


def reading(wall_ms: int, uptime_ms: int, boot: str = "a") -> ClockReading:
    return ClockReading(wall_ms=wall_ms, uptime_ms=uptime_ms, boot=boot)


@given(WALLS, WALLS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_with_the_same_boot_the_time_is_exact_whatever_the_wall_clock_did(
    wall, wall_at_send, uptime, passed
):
    corrected = correct(
        reading(wall, uptime),
        reading(wall_at_send, uptime + passed),
        received_ms=NOW,
        offset_ms=12345,
        floor_ms=0,
    )
    assert corrected.at_ms == NOW - passed
    assert corrected.quality is Quality.EXACT


@given(WALLS, st.integers(-10 * YEAR, 10 * YEAR), st.integers(0, NOW))
def test_after_a_restart_the_time_is_estimated_and_lies_between_floor_and_arrival(
    wall, offset, floor
):
    corrected = correct(
        reading(wall, 5, "before"),
        reading(wall, 1, "after"),
        received_ms=NOW,
        offset_ms=offset,
        floor_ms=floor,
    )
    assert floor <= corrected.at_ms <= NOW
    if floor <= wall + offset <= NOW:
        assert corrected.at_ms == wall + offset
        assert corrected.quality is Quality.ESTIMATED
    else:
        assert corrected.quality is Quality.CLAMPED


def test_a_clock_in_1970_and_one_ten_years_ahead_are_moved_to_what_is_possible():
    for wall, expected in ((0, NOW - YEAR), (NOW + 10 * YEAR, NOW)):
        corrected = correct(
            reading(wall, 5), None, received_ms=NOW, offset_ms=None, floor_ms=NOW - YEAR
        )
        assert corrected.at_ms == expected
        assert corrected.quality is Quality.CLAMPED


def test_an_uptime_after_sending_is_not_believed():
    corrected = correct(
        reading(NOW - 10, 9), reading(NOW, 8), received_ms=NOW, offset_ms=0, floor_ms=0
    )
    assert corrected.at_ms == NOW - 10
    assert corrected.quality is Quality.ESTIMATED


def test_a_floor_in_the_future_gives_way_to_arrival():
    corrected = correct(
        reading(NOW, 9), reading(NOW, 9), received_ms=NOW, offset_ms=0, floor_ms=NOW + 9
    )
    assert corrected.at_ms == NOW


def test_a_console_acts_when_its_request_arrives():
    corrected = correct(None, None, received_ms=NOW, offset_ms=None, floor_ms=0)
    assert (corrected.at_ms, corrected.quality) == (NOW, Quality.EXACT)


def test_the_offset_is_what_turns_the_device_clock_into_ours():
    send = reading(NOW - 5_000, 1)
    assert send.wall_ms + offset_of(send, NOW) == NOW
