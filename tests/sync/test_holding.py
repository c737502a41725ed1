"""What every field is held for: each is named, and none is harmless by default."""

import pytest

from sync.fields import DataClass
from sync.holding import (
    KIND_HOLDINGS,
    PURPOSES,
    RETENTIONS,
    SOURCES,
    Purpose,
    Retention,
    Source,
    class_said,
    holding_of_field,
    named_fields,
)
from sync.kinds import KINDS


@pytest.mark.parametrize(("kind", "name"), [*named_fields()])
def test_every_field_is_held_for_something(kind: str, name: str) -> None:
    holding = holding_of_field(kind, name)
    assert holding is not None
    assert holding.purposes


def test_what_is_said_of_a_kind_is_about_its_fields() -> None:
    assert set(KIND_HOLDINGS) == set(KINDS)
    for name, said in KIND_HOLDINGS.items():
        fields, sets = KINDS[name].fields, KINDS[name].sets
        assert said.plain <= set(fields), name
        assert set(said.sets) == set(sets), name
        assert set(said.own) <= {*fields, *sets}, name
        personal = {each for each in fields if fields[each].data_class is not DataClass.P0}
        assert not said.plain & personal, name


def test_every_word_is_explained() -> None:
    assert set(PURPOSES) == set(Purpose)
    assert set(RETENTIONS) == set(Retention)
    assert set(SOURCES) == set(Source)


def test_a_field_that_nobody_named_has_no_holding() -> None:
    assert holding_of_field("household", "shoe_size") is None


def test_a_field_of_a_kind_says_its_class_its_use_and_its_source() -> None:
    phone = holding_of_field("household", "contact_phone")
    assert phone is not None
    assert (phone.data_class, phone.purposes) == (DataClass.P1, (Purpose.VISITS,))
    assert phone.source is Source.AUTHOR
    languages = holding_of_field("household", "languages")
    assert languages is not None
    assert languages.data_class is DataClass.P1
    reporter = holding_of_field("report", "reporter")
    assert reporter is not None
    assert (reporter.data_class, reporter.source) == (DataClass.P1, Source.RULES)


def test_there_is_no_holding_of_a_kind_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        holding_of_field("vehicle", "plate")


def test_nothing_is_harmless_only_because_nobody_said_what_it_is() -> None:
    code = KINDS["grid"].fields["code"]
    assert class_said(code, frozenset()) is None
    assert class_said(code, frozenset({"code"})) is DataClass.P0
    assert class_said(KINDS["household"].fields["door"], frozenset()) is DataClass.P1
