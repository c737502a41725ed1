"""Each of the fifty stories is held by a test that exists, or waits for something named."""

import ast
from functools import cache

import pytest

from sync.kinds import KINDS
from tests.journeys.stories import HELD, WAITS
from tests.style.sources import ROOT


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_no_story_is_skipped() -> None:
    assert HELD.keys() | WAITS.keys() == set(range(1, 51))


@pytest.mark.parametrize("story", HELD)
def test_the_tests_of_a_story_exist(story: int) -> None:
    for each in HELD[story]:
        path, _, name = each.partition("::")
        assert name in functions_of(path), f"story {story}: no {each}"


def test_what_is_waited_for_is_not_there_yet() -> None:
    """A kind that comes with a capability ends the waiting: then write the journey."""
    assert not {"component", "form", "service_need", "boundary"} & KINDS.keys()
