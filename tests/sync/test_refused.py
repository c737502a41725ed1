"""Names that come near what is refused are found however they are written; others are not."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.refused import NAME_CHARS_MAX, PLAIN, REFUSED, TYPO_LETTERS_MIN, refused_concept

LATIN = [(word, each.concept) for each in REFUSED for word in (*each.english, *each.pinyin)]
CHINESE = [(word, each.concept) for each in REFUSED for word in each.chinese]
LONG = [word for word, _ in LATIN if len(word.replace("_", "")) >= TYPO_LETTERS_MIN]
RIVALS = (
    "is_key_person politicalStatus zzmm minzu 民族 face_id riskLevel tags worker-ranking "
    "punch_in gps_track idCard sfzh household_income 打卡记录 zheng_zhi_mian_mao 種族 黨員 "
    "重點人員 實時位置 政治面茂 politcal fingreprint bio-metrics RELIGION2 guestList 宗-教"
)
PLAIN_WORDS = (
    "status grace_days interface visitor rework partition position priority assignment trace "
    "community facet banking 网格 电话 languages place terrace"
)


@pytest.mark.parametrize("name", RIVALS.split())
def test_the_list_finds_what_rivals_store(name: str) -> None:
    assert refused_concept(name)


@pytest.mark.parametrize("name", [*PLAIN_WORDS.split(), *sorted(PLAIN), "", "  ", "7", "___"])
def test_the_list_leaves_plain_words_alone(name: str) -> None:
    assert refused_concept(name) is None


@pytest.mark.parametrize(("word", "concept"), [*LATIN, *CHINESE])
def test_every_word_of_the_list_is_found(word: str, concept: str) -> None:
    assert refused_concept(word) == concept


@given(
    st.sampled_from(LATIN),
    st.sampled_from(["_", "-", " ", ".", "__", "/"]),
    st.sampled_from(["", "the", "x"]),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from(["", "1", "22"]),
)
def test_separators_case_neighbours_and_numbers_hide_nothing(
    entry, separator, beside, case, number
) -> None:
    word, concept = entry
    name = separator.join(filter(None, (beside, *case(word).split("_")))) + number
    assert refused_concept(name) == concept


@given(st.sampled_from(LATIN), st.data())
def test_a_word_may_be_cut_into_parts_anywhere(entry, data) -> None:
    word, _ = entry
    letters = word.replace("_", "")
    cut = data.draw(st.integers(1, len(letters) - 1))
    assert refused_concept(f"{letters[:cut]} {letters[cut:]}")


@given(st.sampled_from(LONG), st.data())
def test_one_wrong_letter_in_a_long_word_hides_nothing(word, data) -> None:
    letters = word.replace("_", "")
    at = data.draw(st.integers(0, len(letters) - 2))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    changes = {
        "changed": letters[:at] + letter + letters[at + 1 :],
        "added": letters[:at] + letter + letters[at:],
        "dropped": letters[:at] + letters[at + 1 :],
        "swapped": letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :],
    }
    for changed in changes.values():
        assert changed in PLAIN or refused_concept(changed), changed


@given(st.sampled_from(CHINESE), st.sampled_from(["", " ", "_", "·", "\u200b"]))
def test_chinese_is_found_inside_a_name_and_with_anything_between(entry, between) -> None:
    word, concept = entry
    assert refused_concept(f"居民{between.join(word)}信息") == concept


@given(st.sampled_from(LATIN))
def test_wide_accented_and_invisible_letters_hide_nothing(entry) -> None:
    word, concept = entry
    wide = "".join(chr(ord(c) + 0xFEE0) if c != "_" else c for c in word)
    accented = unicodedata.normalize("NFC", word[0] + "\u0301" + word[1:])
    for disguised in (wide, accented, "\u200d".join(word), word.replace("a", "\u0430")):
        assert refused_concept(disguised) == concept


@given(st.text())
def test_any_text_is_answered(name) -> None:
    assert refused_concept(name) is None or refused_concept(name) in {
        each.concept for each in REFUSED
    }


def test_the_end_of_an_endless_name_is_not_read() -> None:
    assert refused_concept("x " * NAME_CHARS_MAX + "religion") is None
