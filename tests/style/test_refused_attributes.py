"""Civic service, not surveillance: what is refused is absent from every schema we have."""

import yaml

from server.privacy.catalogue import kind_entries, table_entries, unclassified
from server.privacy.conformance import api_names, conformance, refused_names
from sync.fields import DataClass
from tests.style.sources import ROOT

DOCUMENT = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))


def test_the_conformance_suite_finds_nothing() -> None:
    done = conformance(DOCUMENT)
    assert [each.name for each in done if not each.ok] == [], done


def test_every_field_and_column_says_what_it_holds_and_why() -> None:
    assert len(kind_entries()) > 80
    assert len(table_entries()) > 250
    assert unclassified((*kind_entries(), *table_entries())) == []


def test_the_published_api_is_looked_at() -> None:
    names = list(api_names(DOCUMENT))
    assert {"/v1/households", "HouseholdBody", "contact_phone", "household_id"} <= set(names)
    assert refused_names(names) == []


def test_nothing_sensitive_is_stored_in_the_clear() -> None:
    held = (*kind_entries(), *table_entries())
    sensitive = {
        (each.place, each.name) for each in held if each.holding.data_class is DataClass.P2
    }
    assert sensitive == {
        ("resident_identifier", "sealed"),
        ("resident_identifier", "blind_index"),
    }
