"""Sizes and names: what keeps a module readable in one sitting (docs/how-to/write-code.md)."""

import ast

from tests.style.sources import PRODUCT, functions, modules, words

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
# Say nothing wherever they stand, and say nothing where a noun is expected.
_EMPTY = (
    "common handler handlers helper helpers manager managers misc processor stuff util "
    "utilities utils"
)
ALWAYS_EMPTY = frozenset(_EMPTY.split())
EMPTY_NOUNS = frozenset({"base", "data", "handle", "info"})
# Words of the glossary that contain one of the above.
GLOSSARY = frozenset({"DataClass"})


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{module.path}:{node.lineno} {node.name} has {lines} lines"
        for module in modules()
        for node in functions(module.tree)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = [
        f"{module.path} has {lines} lines"
        for module in modules()
        if (lines := len(module.text.splitlines())) > MODULE_LINES_MAX
    ]
    assert long == []


def test_no_module_has_an_empty_name() -> None:
    empty = [
        f"{module.path}: {part}"
        for module in modules()
        for part in module.dotted.split(".")
        if ALWAYS_EMPTY.intersection(words(part)) or part in EMPTY_NOUNS
    ]
    assert empty == []


def test_no_class_has_an_empty_name() -> None:
    empty = [
        f"{module.path}:{node.lineno} {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and node.name not in GLOSSARY
        if ALWAYS_EMPTY.intersection(words(node.name)) or words(node.name)[-1] in EMPTY_NOUNS
    ]
    assert empty == []


def test_public_functions_of_the_cores_state_their_contract() -> None:
    bare = [
        f"{module.path}:{node.lineno} {node.name}"
        for module in modules("sync", "geo")
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert bare == []


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        module.path
        for module in modules(*PRODUCT)
        if module.path.endswith("/__init__.py")
        and len(ast.get_docstring(module.tree) or "") < 80
    ]
    assert silent == []
