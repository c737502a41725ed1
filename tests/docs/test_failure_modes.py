"""Every failure mode on the page is held by a test that exists."""

import ast
import re

import pytest

from tests.docs.pages import read
from tests.style.sources import ROOT

ROW = re.compile(r"^\| ([^|]+) \| `([^`]+)::(\w+)`", re.MULTILINE)
ROWS = ROW.findall(read("docs/protocol/13-failure-modes.md"))


def test_the_page_lists_them() -> None:
    assert len(ROWS) == 36
    assert len({each[0] for each in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("failure", "path", "name"), ROWS)
def test_what_stands_against_it_exists(failure: str, path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    assert name in names, f"nothing stands against: {failure}"
