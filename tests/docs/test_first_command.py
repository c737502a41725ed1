"""What a newcomer types first: the commands that install, and the wheel they install."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.style.sources import PRODUCT, ROOT, tracked_files

# Executed elsewhere: `make run` by `demonstration`, `make test` is this run, pip by `wheel`.
INSTALLING = {
    "make run",
    "make test",
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/jingwei demo",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that `pip install .` builds."""
    folder: Path = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            folder,
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_installing_commands_are_the_ones_we_know() -> None:
    assert {block.text.strip() for block in blocks("README.md", "sh")} == INSTALLING


def test_the_wheel_holds_every_file_of_the_product(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    files = [path for path in tracked_files() if path.split("/", 1)[0] in PRODUCT]
    assert [path for path in files if path not in held] == []


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/", 1)[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PRODUCT)


def test_the_installed_product_starts_outside_the_checkout(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path / "installed")
    script = "import server.cli; server.cli.main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, "demo", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--exit" in done.stdout


def test_the_help_of_make_is_made_from_its_comments() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for target in ("run", "test", "check", "bench", "openapi", "lock", "migrate", "clean"):
        assert f"make {target} " in shown


def test_an_older_python_is_refused_with_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--file", ROOT / "Makefile", f"PYTHON={old}", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "3.9.2" in done.stderr
