"""How long a phone that hears nothing may keep what it holds, whatever its owner does to it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sync.expiry import Expiry, elapsed_ms, moved_on
from sync.mutation import ClockReading

spans = st.integers(0, 10**9)
walls = st.integers(-(10**13), 10**13)


@st.composite
def lives(draw):
    """A phone's readings: it runs, restarts, and its wall clock is set."""
    true_ms, uptime_ms, boot, error_ms = 0, draw(spans), 0, 0
    readings = []
    for _ in range(draw(st.integers(1, 8))):
        step = draw(st.sampled_from(["run", "restart", "set"]))
        span = draw(spans)
        if step == "run":
            true_ms, uptime_ms = true_ms + span, uptime_ms + span
        elif step == "restart":
            true_ms, uptime_ms, boot = true_ms + span, 0, boot + 1
        else:
            error_ms = draw(walls)
        reading = ClockReading(
            wall_ms=true_ms + error_ms, uptime_ms=uptime_ms, boot=f"boot-{boot}"
        )
        readings.append((step, span, reading))
    return readings


@given(lives())
def test_time_never_runs_backwards_and_uptime_always_counts(life):
    expiry = Expiry(left_ms=10**12, server_ms=0, read=life[0][2])
    for step, span, reading in life[1:]:
        after = moved_on(expiry, reading)
        passed = after.server_ms - expiry.server_ms
        assert passed >= (span if step == "run" else 0)
        assert after.left_ms == max(expiry.left_ms - passed, 0)
        expiry = after


@given(lives(), walls)
def test_inside_one_boot_nobody_can_set_the_clock(life, wall_ms):
    _, _, reading = life[-1]
    later = replace(reading, uptime_ms=reading.uptime_ms + 5_000, wall_ms=wall_ms)
    assert elapsed_ms(reading, later) == 5_000


def test_a_phone_that_was_off_counts_by_its_wall_clock_and_at_least_since_it_is_on():
    then = ClockReading(wall_ms=1_000_000, uptime_ms=500, boot="a")
    off = ClockReading(wall_ms=1_090_000, uptime_ms=10_000, boot="b")
    assert elapsed_ms(then, off) == 90_000
    set_back = replace(off, wall_ms=0)
    assert elapsed_ms(then, set_back) == 10_000
    assert elapsed_ms(then, replace(set_back, uptime_ms=-5)) == 0
    assert elapsed_ms(then, replace(then, uptime_ms=400, wall_ms=1_000_300)) == 400


def test_what_is_left_ends_at_nothing():
    then = ClockReading(wall_ms=0, uptime_ms=0, boot="a")
    expiry = Expiry(left_ms=100, server_ms=5_000, read=then)
    now = ClockReading(wall_ms=9, uptime_ms=101, boot="a")
    assert moved_on(expiry, now) == Expiry(left_ms=0, server_ms=5_101, read=now)
