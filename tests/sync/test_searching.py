"""Search keys: how a text was typed does not matter, what it says does."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.searching import (
    KEY_CHARS_MAX,
    LAST,
    Span,
    end_key,
    phone_key,
    search_key,
    sought,
)

TEXTS = st.text(max_size=80)
WORDS = st.text("abzäöß王李小明一号0189", min_size=1, max_size=20)
MARKS = st.sampled_from([" ", "\u3000", "-", "·", ".", "/", "(", "\u200b"])
DIGITS = st.text("0123456789", min_size=4, max_size=20)


def inside(key, span):
    return key is not None and span.low <= key < span.high


@given(TEXTS)
def test_a_key_is_its_own_key(text):
    key = search_key(text)
    assert search_key(key) == key
    assert phone_key(phone_key(text)) is None or phone_key(text).isdecimal()


@given(st.text(st.characters(max_codepoint=0x7F), max_size=60))
def test_ascii_has_the_key_that_a_wide_form_of_it_has(text):
    wide = text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    assert search_key(wide) == search_key(text)
    assert phone_key(wide) == phone_key(text)


@given(TEXTS)
def test_a_key_is_short_and_holds_letters_digits_and_their_marks(text):
    for key in (search_key(text), end_key(text), phone_key(text)):
        if key is not None:
            assert 0 < len(key) <= KEY_CHARS_MAX
            assert {unicodedata.category(each)[0] for each in key} <= set("LNM")


@given(WORDS, st.data())
def test_marks_width_and_case_do_not_matter(text, data):
    spread = "".join(each + data.draw(MARKS) for each in text)
    assert search_key(spread) == search_key(text)
    assert search_key(text.upper()) == search_key(text)
    wide = "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)
    assert search_key(wide) == search_key(text)


@given(WORDS, WORDS)
def test_what_a_text_begins_and_ends_with_finds_it(first, last):
    whole = first + last
    assert inside(search_key(whole), sought(first).begins)
    assert inside(end_key(whole), sought(last).ends)


@given(WORDS, WORDS)
def test_nothing_else_is_found(looked_for, text):
    asked = sought(looked_for)
    plain, wanted = search_key(text), search_key(looked_for)
    assert inside(plain, asked.begins) == plain.startswith(wanted)
    assert inside(end_key(text), asked.ends) == plain.endswith(wanted)


@given(DIGITS, st.integers(4, 20))
def test_the_last_digits_of_a_number_find_it(number, digits):
    tail = number[-digits:]
    if phone_key(tail) == tail[::-1] and phone_key(number) == number[::-1]:
        assert inside(phone_key(number), sought(tail).phone_ends)


@pytest.mark.parametrize(
    "typed",
    [
        "13912345678",
        "139 1234 5678",
        "+86 139-1234-5678",
        "008613912345678",
        "".join(chr(0xFF10 + int(each)) for each in "13912345678"),
    ],
)
def test_a_mobile_number_is_one_however_it_is_typed(typed):
    assert phone_key(typed) == "87654321931"
    assert sought(typed).phone_ends == Span(low="87654321931", high="87654321931" + LAST)


@pytest.mark.parametrize(
    ("typed", "key"),
    [("86123", "32168"), ("+86 010 1234 5678", "876543210106" + "8"), ("ext. 12", "21")],
)
def test_other_numbers_keep_all_their_digits(typed, key):
    assert phone_key(typed) == key


@pytest.mark.parametrize("typed", ["123", "12号", "王1234", "Li"])
def test_few_digits_and_texts_with_letters_ask_for_no_telephone(typed):
    assert sought(typed).phone_ends is None


@pytest.mark.parametrize("nothing", [None, "", "  ", "-·/", "\x00"])
def test_where_there_is_no_letter_and_no_digit_there_is_no_key(nothing):
    assert (search_key(nothing), end_key(nothing), phone_key(nothing)) == (None, None, None)
    assert sought(nothing or "") is None
