"""When a phone shall call again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.pacing import (
    NEXT_SYNC_S_MAX,
    NEXT_SYNC_S_MIN,
    RETRY_S_MAX,
    RETRY_S_MIN,
    next_sync_s,
    retry_after_s,
    takes_one_batch,
)

loads = st.floats(min_value=-1, max_value=3)
chances = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(load=loads, chance=chances)
def test_every_answer_lies_within_the_published_limits(load: float, chance: float) -> None:
    assert NEXT_SYNC_S_MIN <= next_sync_s(load, chance) <= NEXT_SYNC_S_MAX


@given(low=loads, high=loads, chance=chances)
def test_a_busier_server_never_asks_to_come_earlier(
    low: float, high: float, chance: float
) -> None:
    low, high = sorted((low, high))
    assert next_sync_s(low, chance) <= next_sync_s(high, chance)


@given(low=loads, high=loads)
def test_a_busier_server_spreads_its_phones_wider(low: float, high: float) -> None:
    low, high = sorted((low, high))

    def spread(load: float) -> int:
        return next_sync_s(load, 0.999) - next_sync_s(load, 0)

    assert spread(low) <= spread(high) + 1


def test_two_thousand_phones_of_a_busy_server_do_not_come_back_together() -> None:
    seconds = [next_sync_s(1, number / 2_000) for number in range(2_000)]
    fullest = max(seconds.count(each) for each in set(seconds))
    assert fullest <= 3


@pytest.mark.parametrize(
    ("load", "chance", "seconds"),
    [(0, 0, 900), (0, 0.5, 990), (1, 0, 1_800), (1, 0.5, 2_700), (0.5, 0, 1_350)],
)
def test_examples(load: float, chance: float, seconds: int) -> None:
    assert next_sync_s(load, chance) == seconds


def test_half_a_full_server_takes_one_batch_a_request() -> None:
    assert [takes_one_batch(load) for load in (0, 0.49, 0.5, 1)] == [False, False, True, True]


counts = st.floats(min_value=0, max_value=1e6)


@given(refused=counts, more=counts, served=counts)
def test_the_more_are_refused_the_later_they_come_back(
    refused: float, more: float, served: float
) -> None:
    calm, crowded = retry_after_s(refused, served), retry_after_s(refused + more, served)
    assert RETRY_S_MIN <= calm <= crowded <= RETRY_S_MAX


@pytest.mark.parametrize(
    ("refused", "served", "seconds"),
    [(1, 0, 2), (1, 100, 2), (100, 100, 2), (400, 100, 8), (100_000, 1, 30)],
)
def test_examples_of_coming_back(refused: float, served: float, seconds: float) -> None:
    assert retry_after_s(refused, served) == seconds
