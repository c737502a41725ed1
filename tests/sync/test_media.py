"""Which photos a mutation names, and what state a photo is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.media import MISSING_AFTER_MS, MediaState, declared_media, waiting_state
from sync.mutation import Mutation
from sync.outcome import Outcome

HASHES = st.lists(st.sampled_from([f"sha256:{digit * 64}" for digit in "0123ab"]), max_size=8)
OTHERS = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.none()))


def naming(**members):
    return Mutation(n=1, record="r", kind="report", base=0, body=b"", **members)


@given(added=HASHES, listed=HASHES, outcome=st.sampled_from(Outcome))
def test_a_mutation_declares_each_hash_it_names_once_unless_it_was_not_taken(
    added, listed, outcome
):
    found = declared_media(naming(add={"media": tuple(added)}, args={"media": listed}), outcome)
    taken = outcome not in {Outcome.INVALID, Outcome.QUARANTINED}
    assert found == (tuple(sorted({*added, *listed})) if taken else ())


@given(OTHERS)
def test_what_is_no_hash_declares_nothing(other):
    listed = naming(args={"media": other})
    inside = naming(args={"media": [other]})
    assert declared_media(listed, Outcome.APPLIED) == ()
    assert declared_media(inside, Outcome.HELD) == ()
    assert declared_media(naming(), Outcome.APPLIED) == ()


@pytest.mark.parametrize(
    ("age_ms", "under_way", "state"),
    [
        (0, False, MediaState.DECLARED),
        (MISSING_AFTER_MS - 1, False, MediaState.DECLARED),
        (MISSING_AFTER_MS, False, MediaState.MISSING),
        (MISSING_AFTER_MS, True, MediaState.PARTIAL),
        (0, True, MediaState.PARTIAL),
    ],
)
def test_a_photo_is_missing_a_week_after_it_was_named_unless_it_is_under_way(
    age_ms, under_way, state
):
    assert waiting_state(declared_ms=1_000, under_way=under_way, now_ms=1_000 + age_ms) is state
