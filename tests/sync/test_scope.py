from hypothesis import given
from hypothesis import strategies as st

from sync.scope import scope_change

buckets = st.frozensets(st.sampled_from([f"grid:{n}" for n in range(6)]))


@given(buckets, buckets)
def test_a_device_that_obeys_holds_exactly_what_it_may(listed, allowed):
    enter, leave = scope_change(listed, allowed)
    assert (listed | set(enter)) - set(leave) == allowed
    assert scope_change(allowed, allowed) == ((), ())


@given(buckets, buckets)
def test_the_answer_does_not_depend_on_order_and_repeats_until_obeyed(listed, allowed):
    change = scope_change(sorted(listed), sorted(allowed))
    assert change == scope_change(sorted(listed, reverse=True), allowed)
    assert change[1] == scope_change(listed, allowed)[1]


def test_a_bucket_no_longer_allowed_is_left_and_a_new_one_entered():
    assert scope_change(["grid:a", "config"], ["config", "grid:b"]) == (
        ("grid:b",),
        ("grid:a",),
    )
