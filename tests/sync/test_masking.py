"""Masked values: they show what the rule shows, and nothing else can be told from them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.fields import DataClass, Field, Text
from sync.kinds import KINDS
from sync.masking import (
    IS_MASKED,
    MASKS,
    STAR,
    Mask,
    declared_mask,
    fault_of,
    mask_of,
    masked,
    masked_within,
    shown,
    shown_within,
)

ONE = st.sampled_from("王李张欧阳明雷ABxyz")
HIDDEN = st.text("王李张明雷子abcxyz ·-'", min_size=1, max_size=12)
DIGITS = st.text("0123456789", min_size=4, max_size=4)
FIELDS = [(kind, name) for kind, masks in MASKS.items() for name in masks]


@given(ONE, HIDDEN, HIDDEN, ONE)
def test_a_masked_name_does_not_depend_on_what_it_hides(first, some, other, last):
    shown_one = masked(Mask.NAME, first + some + "王" + last)
    assert shown_one == masked(Mask.NAME, first + other + "李" + last)
    assert shown_one == f"{first}*{last}"


@given(
    st.sampled_from(["138", "010", "400"]),
    st.text("0123456789", min_size=4, max_size=9),
    st.text("0123456789", min_size=4, max_size=9),
    DIGITS,
)
def test_a_masked_number_does_not_depend_on_what_it_hides(begin, some, other, end):
    a, b = (masked(Mask.PHONE, begin + hidden + end) for hidden in (some, other))
    assert a == b == f"{begin}****{end}"


@given(st.sampled_from(list(Mask)), st.text(max_size=24))
def test_a_masked_value_is_short_holds_a_star_and_hides_most(mask, value):
    found = masked(mask, value)
    assert STAR in found
    assert len(found) <= 11
    kept = found.replace(STAR, "")
    assert len(kept) <= (7 if mask is Mask.PHONE else 2)
    seen = unicodedata.normalize("NFKC", value)
    assert not kept or len(kept) < len(seen)


@given(st.sampled_from(FIELDS), st.text(max_size=24))
def test_no_masked_value_is_taken_back(field, value):
    kind, name = field
    assert fault_of(kind, name, shown(kind, name, value)) == IS_MASKED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "*"),
        ("王", "*"),
        ("王明", "王*"),
        ("王小明", "王*明"),
        ("欧阳小明", "欧*明"),
        (" Ana Example ", "A*e"),
        ("Ge\u0301 Li", "G*i"),
        ("**", "*"),
        ("\u200b\u0301", "*"),
    ],
)
def test_names(value, expected):
    assert masked(Mask.NAME, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("13900001234", "139****1234"),
        ("+86 139 0000 1234", "139****1234"),
        ("\uff11\uff13\uff1900001234", "139****1234"),
        ("010-1234 5678", "010****5678"),
        ("1234 5678", "****5678"),
        ("555-12", "****12"),
        ("1234", "****"),
        ("ask next door", "****"),
        ("", "****"),
    ],
)
def test_numbers(value, expected):
    assert masked(Mask.PHONE, value) == expected


def test_what_looks_like_a_masked_value_is_not_taken_where_values_are_masked():
    assert fault_of("resident", "phone", "139\uff0a\uff0a1234") == IS_MASKED
    assert fault_of("resident", "name", "Ana Example") is None
    assert fault_of("resident", "name", None) is None
    assert fault_of("household", "door", "3*") is None


def test_values_of_other_fields_are_shown():
    assert shown("grid", "name", "North") == "North"
    assert shown("household", "door", "3-402") == "3-402"
    assert shown("resident", "phone", None) is None
    assert shown("resident", "phone", 13900001234) == "****"


def test_what_a_mutation_says_is_masked_wherever_it_says_it():
    said = {
        "kind": "resident",
        "set": {"name": "王小明", "phone": "13900001234", "birth_year": 1980},
        "args": {"field": "phone", "value": "13900001234"},
        "unknown": [{"contact_phone": 13900001234}, {"field": 3, "value": "kept"}],
        "phone": ["13900001234"],
        "clears": {"phone": None},
    }
    assert shown_within("resident", said) == {
        "kind": "resident",
        "set": {"name": "王*明", "phone": "139****1234", "birth_year": 1980},
        "args": {"field": "phone", "value": "139****1234"},
        "unknown": [{"contact_phone": "****"}, {"field": 3, "value": "kept"}],
        "phone": "****",
        "clears": {"phone": None},
    }
    assert masked_within("resident", said) == ("contact_phone", "name", "phone")
    assert masked_within("grid", said["set"]) == ("phone",)
    assert shown_within("grid", {"set": {"name": "North"}}) == {"set": {"name": "North"}}
    assert shown_within("rezident", {"set": {"name": "王小明"}}) == {"set": {"name": "王*明"}}
    assert shown_within(None, {"field": "name", "value": "王小明"}) == {
        "field": "name",
        "value": "王*明",
    }


def test_the_table_names_texts_of_class_p1_and_misses_none_that_reaches_a_person():
    for kind, name in FIELDS:
        field = KINDS[kind].fields[name]
        assert field.data_class is DataClass.P1
        assert isinstance(field.type, Text)
    for each in KINDS.values():
        for name, field in each.fields.items():
            reaches = "phone" in name or name == "name"
            if field.data_class is DataClass.P1 and reaches:
                assert mask_of(each.name, name) is not None, f"{each.name}.{name}"


def test_a_sensitive_field_is_hidden_wholly():
    field = Field(name="illness", type=Text(40), data_class=DataClass.P2)
    assert declared_mask("resident", field) is Mask.WHOLE
    assert masked(Mask.WHOLE, "anything") == masked(Mask.WHOLE, "") == "****"
