"""Where things may happen, and what never enters the repository."""

import ast
import re
import sys
import tomllib

from packaging.requirements import Requirement

from tests.style.sources import PRODUCT, ROOT, modules, strings, tracked_files

SPATIAL_SQL = ("server/db/", "server/migrations/")
MAY_COMMIT = ("server/db/", "server/migrations/")
UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|XX" + "X|raise NotImplemented" + "Error")
REPLACED = re.compile(
    r"unittest\." + r"mock|Magic" + r"Mock|monkeypatch\." + r"setattr\((?!sys, )|pytest\."
    r"(skip|xfail|importorskip)\b|mark\." + r"(skip|skipif|xfail)\b"
)
# A path of somebody's machine, or the address of a package registry or mirror.
MACHINE = re.compile(
    r"(?<![\w.$])/(?:work|ro" + r"ot|Users|home|tmp)/[\w.]|python" + r"hosted\.org|"
    r"py" + r"pi\.org|npm" + r"js\.(?:org|com)|deb\." + r"debian\.org"
)
# Texts of others that tests send to the product, kept as they are.
FOREIGN = ("tests/server/hostile/", "server/web/vendor/", "server/web/static/vendor/")
BINARY = (".png", ".jpg", ".gz", ".gpkg", ".woff2", ".ico", ".zip")
# Import name of each distribution whose name differs from it.
IMPORTED_AS = {
    "pillow": "PIL",
    "pyyaml": "yaml",
    "pydantic-settings": "pydantic_settings",
}


def test_spatial_functions_are_called_in_one_room() -> None:
    elsewhere = []
    for module in modules("server"):
        if module.path.startswith(SPATIAL_SQL):
            continue
        elsewhere += [
            f"{module.path}:{line}"
            for line, text in strings(module.tree)
            if re.search(r"\bST_[A-Z]\w+\s*\(", text)
        ]
        elsewhere += [
            f"{module.path}:{node.lineno}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr.startswith("ST_")
        ]
    assert elsewhere == []


def test_only_the_store_commits() -> None:
    elsewhere = [
        f"{module.path}:{node.lineno}"
        for module in modules("server")
        if not module.path.startswith(MAY_COMMIT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "begin", "rollback"}
    ]
    assert elsewhere == []


def test_endpoints_hold_no_sql() -> None:
    """They may name `Connection`, the argument of the work they hand to the store."""
    sql = {
        f"{module.path}:{node.lineno}"
        for module in modules("server")
        if module.path.endswith("/endpoints.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        and _imported(node) & {"sqlalchemy", "sqlmodel", "geoalchemy2"}
        and [alias.name for alias in node.names] != ["Connection"]
    }
    assert sql == set()


def test_features_do_not_import_each_others_endpoints() -> None:
    foreign = [
        f"{module.path}:{node.lineno}"
        for module in modules("server", "demo", "clients")
        if module.path != "server/api.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").endswith(".endpoints")
        and not module.dotted.startswith((node.module or "").rsplit(".", 1)[0])
    ]
    assert foreign == []


def test_secrets_and_chance_come_from_one_module() -> None:
    elsewhere = [
        f"{module.path}:{node.lineno}"
        for module in modules("server", "sync", "geo")
        if module.path != "server/clock.py"
        for node in ast.walk(module.tree)
        if (
            isinstance(node, ast.Import)
            and {"random", "secrets"} & {a.name for a in node.names}
        )
        or (isinstance(node, ast.ImportFrom) and node.module in {"random", "secrets"})
    ]
    assert elsewhere == []


def _lines_matching(pattern: re.Pattern[str], suffixes: tuple[str, ...] = ()) -> list[str]:
    found = []
    for path in tracked_files():
        if path.endswith(BINARY) or path.startswith(FOREIGN):
            continue
        if suffixes and not path.endswith(suffixes):
            continue
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        found += [
            f"{path}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_nothing_is_left_unfinished() -> None:
    assert _lines_matching(UNFINISHED, (".py", ".md", ".toml", ".sh", "Makefile")) == []


def test_our_own_code_is_never_replaced_and_no_test_is_skipped() -> None:
    assert _lines_matching(REPLACED, (".py",)) == []


def test_no_machine_path_and_no_registry_address_is_tracked() -> None:
    assert _lines_matching(MACHINE) == []


def test_lock_files_hold_pinned_hashes_and_nothing_else() -> None:
    line = re.compile(
        r"[a-z0-9][a-z0-9._-]*==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    for name in ("requirements.lock", "requirements-dev.lock"):
        odd = [
            text
            for text in (ROOT / name).read_text(encoding="utf-8").splitlines()
            if not line.fullmatch(text)
        ]
        assert odd == [], name


def test_every_imported_distribution_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [Requirement(each).name.lower() for each in project["dependencies"]]
    declared = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}
    # Parts of declared distributions that have import names of their own.
    declared |= {"starlette", "pydantic", "pydantic_core", "click", "anyio"}
    known = declared | set(PRODUCT) | sys.stdlib_module_names
    undeclared = {
        f"{module.path}: {name}"
        for module in modules(*PRODUCT)
        for name in _imported(module.tree)
        if name not in known
    }
    assert undeclared == set()


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".", 1)[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".", 1)[0])
    return names
