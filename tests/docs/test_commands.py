"""Every command in the documentation is executed; one for another machine is read.

A `bash` block is executed as it stands, page by page, against the server that the first
command started. A `console` block shows commands for other machines: their names, options and
files are checked.
"""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer.main
from typer.exceptions import TyperException

from server.cli import add_commands, app
from tests.docs.conftest import Demonstration
from tests.docs.pages import blocks, pages, read
from tests.style.sources import ROOT

EXECUTED = [page for page in pages() if blocks(page, "bash")]
READ = [page for page in pages() if blocks(page, "console")]
DEPLOYED = ["deploy/Containerfile", "deploy/compose.yaml", "deploy/jingwei.service"]


@pytest.mark.parametrize("page", EXECUTED)
def test_every_command_of_the_page_works(page: str, demonstration: Demonstration) -> None:
    script = ["set -euo pipefail", "trap 'echo \"failed in the block at line $LINE\" >&2' ERR"]
    for block in blocks(page, "bash"):
        script += [f"LINE={block.line}", block.text]
    done = demonstration.bash("\n".join(script))
    assert done.returncode == 0, f"{page}\n{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"


def test_the_first_command_keeps_its_promises(demonstration: Demonstration) -> None:
    found = json.loads((demonstration.folder / "summary.json").read_text(encoding="utf-8"))
    broken = ("acknowledged_lost", "applied_twice", "replicas_diverged")
    assert {name: found[name] for name in broken} == dict.fromkeys(broken, 0)
    assert found["devices"] >= 20


@cache
def _command_line() -> Any:
    add_commands()
    return typer.main.get_command(app)


def _invocations(text: str) -> Iterator[list[str]]:
    """The words after every `jingwei` that starts a command of a shell line."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|;]|\$\(", line.split(" # ")[0]):
            if found := re.match(
                r"\s*(?:[A-Z_]+=\S+\s+)*(?:\S*/)?jingwei(?:\s+(.*?))?\)*\s*$", part
            ):
                yield shlex.split(found[1] or "")


def _fault(arguments: list[str]) -> str | None:
    """Why the command line would refuse these words, or None."""
    command, words = _command_line(), list(arguments)
    while hasattr(command, "commands"):
        name = words.pop(0) if words else ""
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        context = command.make_context(command.name, words)
    except TyperException as error:
        # The reader's own file is not here.
        return None if str(error).endswith("does not exist.") else str(error)
    context.close()
    return None


@pytest.mark.parametrize("page", READ)
def test_shown_commands_exist(page: str) -> None:
    lines = [
        line.removeprefix("$ ")
        for block in blocks(page, "console")
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]
    faults = [
        f"{' '.join(words)}: {fault}"
        for line in lines
        for words in _invocations(line)
        if (fault := _fault(words))
    ]
    faults += [
        f"no target {target}"
        for line in lines
        for target in re.findall(r"\bmake ([a-z-]+)", line)
        if not re.search(rf"^{target}:", read("Makefile"), re.MULTILINE)
    ]
    faults += [
        f"no file {path}"
        for line in lines
        for path in re.findall(r"(?:^|\s)((?:deploy|docs|tools|bench)/[\w./-]+)", line)
        if not (ROOT / path).exists()
    ]
    assert faults == []


@pytest.mark.parametrize("path", DEPLOYED)
def test_deployment_files_start_commands_that_exist(path: str) -> None:
    text = read(path).replace('", "', " ").replace('["', "\n").replace('"]', "\n")
    lines = [line.split("=", 1)[-1] for line in text.splitlines() if "useradd" not in line]
    found = [
        words
        for line in lines
        if re.match(r"\s*(/opt/jingwei/bin/)?jingwei [a-z]+\s*$", line)
        for words in _invocations(line)
    ]
    assert found
    assert [fault for words in found if (fault := _fault(words))] == []


def test_every_setting_that_is_mentioned_exists() -> None:
    known = set(re.findall(r"`(JINGWEI_[A-Z_]+)`", read("docs/reference/configuration.md")))
    known |= {"JINGWEI_DB_PASSWORD"}  # of the compose file itself
    places = [*pages(), *DEPLOYED, "deploy/jingwei.env.example", "Makefile"]
    unknown = {
        f"{place}: {name}"
        for place in places
        for name in re.findall(r"\bJINGWEI_[A-Z]+(?:_[A-Z]+)*\b", read(place))
        if name not in known
    }
    assert unknown == set()


def test_make_help_lists_what_the_readme_uses() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z]+)\b", read("README.md") + read("CONTRIBUTING.md")))
    assert used <= targets | {"help"}
