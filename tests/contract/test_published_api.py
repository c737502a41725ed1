"""`openapi.yaml` is the reviewed contract: what the application says, and complete."""

from collections.abc import Iterator
from difflib import unified_diff
from http import HTTPStatus
from typing import Any

import pytest
import yaml

from server.app import create_app
from server.openapi import OPEN_PATHS, as_yaml
from server.settings import Settings
from tests.style.sources import ROOT

METHODS = {"get", "post", "put", "patch", "delete"}
PROBLEM = "application/problem+json"
TEXT = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)


def _calls() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, call in item.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", call


CALLS = dict(_calls())


def test_the_committed_contract_is_what_the_application_says() -> None:
    now = as_yaml(create_app(Settings.model_construct()).openapi())
    difference = list(
        unified_diff(TEXT.splitlines(), now.splitlines(), "committed", "now", n=1)
    )
    shown = "\n".join(difference[:40])
    assert not difference, f"run `make openapi` and read this as a client would:\n{shown}"


def test_the_same_code_always_writes_the_same_text() -> None:
    first, second = (create_app(Settings.model_construct()).openapi() for _ in range(2))
    assert as_yaml(first) == as_yaml(second)


def test_names_of_operations_are_unique() -> None:
    names = [call["operationId"] for call in CALLS.values()]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", CALLS)
def test_every_call_says_what_it_does(name: str) -> None:
    said = CALLS[name].get("description", "")
    assert len(said.split()) >= 3
    assert said.endswith(".")


@pytest.mark.parametrize("name", CALLS)
def test_every_failure_is_a_problem(name: str) -> None:
    failures = {
        status: answer
        for status, answer in CALLS[name]["responses"].items()
        if not status.isdigit() or int(status) >= HTTPStatus.BAD_REQUEST
    }
    plain = [
        status
        for status, answer in failures.items()
        if set(answer.get("content", {PROBLEM: None})) != {PROBLEM}
    ]
    assert failures
    assert plain == []


def test_only_health_is_open() -> None:
    assert DOCUMENT["security"] == [{"bearer": []}]
    open_calls = {
        name.split(" ", 1)[1] for name, call in CALLS.items() if call.get("security") == []
    }
    assert open_calls == set(OPEN_PATHS)
