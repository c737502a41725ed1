import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.canonical import (
    DEPTH_MAX,
    EMPTY_DIGEST,
    canonical,
    digest_of,
    digest_toggle,
    feed_item,
    record_body,
    record_hash,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
HASHES = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(VALUES)
def test_canonical_bytes_say_the_same_and_are_a_fixed_point(value):
    written = canonical(value)
    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written


@given(st.dictionaries(st.text(), st.integers(0, 9), max_size=5))
def test_keys_stand_in_the_order_of_their_utf16_units(value):
    keys = list(json.loads(canonical(value)))
    assert keys == sorted(value, key=lambda key: key.encode("utf-16-be"))


def test_the_sorting_example_of_the_standard():
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert canonical([value])[1:-1] == canonical(value)


def test_the_string_and_literal_examples_of_the_standard():
    value = {"string": '\u20ac$\u000f\nA\'B"\\\\"/', "literals": [None, True, False]}
    assert canonical(value) == (
        '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53 + 1,
        -(2**53) - 1,
        {1: "number as key"},
        {"set": {1}},
        b"bytes",
        "\ud800",
        {"\ud800": 1},
        [[[object()]]],
    ],
)
def test_what_has_no_canonical_form_is_an_error(value):
    with pytest.raises(ValueError):  # noqa: PT011 - the contract is the type
        canonical(value)


def test_nesting_has_a_limit():
    value: object = 1
    for _ in range(DEPTH_MAX):
        value = [value]
    canonical(value)
    with pytest.raises(ValueError, match="deep"):
        canonical([value])


def test_a_record_body_is_canonical_and_its_feed_item_gives_it_back():
    state = {"text": "漏水", "media": ["sha256:00"], "certain": True}
    body = record_body("id", "report", 3, state)
    assert body == canonical({"record": "id", "kind": "report", "rev": 3, "state": state})
    item = json.loads(feed_item(body, record_hash(body)))
    assert item.pop("hash") == record_hash(body)
    assert canonical(item) == body
    assert len(record_hash(body)) == 32


@given(st.lists(HASHES, unique=True, max_size=8), st.randoms(use_true_random=False))
def test_a_digest_forgets_the_order_and_what_went_out_again(hashes, random):
    digest = EMPTY_DIGEST
    for each in hashes:
        digest = digest_toggle(digest, each)
    assert digest == digest_of(hashes)
    random.shuffle(hashes)
    for each in hashes:
        digest = digest_toggle(digest, each)
    assert digest == EMPTY_DIGEST == digest_of([])
