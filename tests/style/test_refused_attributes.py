"""Civic service, not surveillance: what is refused is absent from every schema we have."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from sqlmodel import SQLModel

from sync.kinds import KINDS
from tests.style.refused import refused_concept
from tests.style.sources import ROOT


def _refused(names: Iterator[str]) -> list[str]:
    return [f"{name}: {concept}" for name in names if (concept := refused_concept(name))]


RIVALS = (
    "is_key_person politicalStatus zzmm minzu 民族 face_id riskLevel tags worker-ranking "
    "punch_in gps_track idCard sfzh household_income 打卡记录"
)


@pytest.mark.parametrize("name", RIVALS.split())
def test_the_list_finds_what_rivals_store(name: str) -> None:
    assert refused_concept(name)


@pytest.mark.parametrize("name", ["status", "grace_days", "interface", "visitor", "rework"])
def test_the_list_leaves_plain_words_alone(name: str) -> None:
    assert refused_concept(name) is None


def test_no_record_kind_has_a_refused_field() -> None:
    assert (
        _refused(
            f"{kind.name}.{name}"
            for kind in KINDS.values()
            for name in (*kind.fields, *kind.sets)
        )
        == []
    )


def test_no_table_has_a_refused_column() -> None:
    importlib.import_module("server.db.tables")  # fills the metadata
    columns = (
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.tables.values()
        for column in table.columns
    )
    assert _refused(columns) == []


def _names(node: Any) -> Iterator[str]:
    """Every property and parameter name of an OpenAPI document, and its path segments."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"paths", "properties", "schemas"} and isinstance(value, dict):
                yield from value
            if key == "parameters" and isinstance(value, list):
                yield from (each["name"] for each in value if "name" in each)
            yield from _names(value)
    elif isinstance(node, list):
        for each in node:
            yield from _names(each)


def test_the_published_api_names_nothing_refused() -> None:
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    assert _refused(_names(document)) == []
