"""The demonstration as the README starts it: one server that every page's commands talk to."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.style.sources import ROOT

BUILT_WITHIN_S = 600


@dataclass(frozen=True)
class Demonstration:
    """A folder like a checkout after `make run`, with the server it started still answering."""

    folder: Path
    port: int
    environment: dict[str, str]

    def bash(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run commands in the folder, with the documented port replaced by the real one."""
        return subprocess.run(
            ["bash", "-c", script.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command_of_make_run() -> list[str]:
    """What `make run` starts when everything is installed."""
    printed = subprocess.run(
        ["make", "--dry-run", "--silent", "run"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return printed.strip().splitlines()[-1].split()


def _environment() -> dict[str, str]:
    """The caller's environment without settings of the product."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("JINGWEI_")
    }


def _wait(process: subprocess.Popen[str], summary: Path, log: Path) -> None:
    deadline = time.monotonic() + BUILT_WITHIN_S
    while not summary.exists() or summary.stat().st_size == 0:
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail("the demonstration did not come up:\n" + log.read_text()[-4_000:])
        time.sleep(0.2)


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """`make run` without its installation, in a folder of its own, until the tests end."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "demo").symlink_to(ROOT / "demo")
    port, summary, log = _free_port(), folder / "summary.json", folder / "log.txt"
    command = [*_command_of_make_run(), "--port", str(port), "--json", str(summary)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait(process, summary, log)
            yield Demonstration(folder, port, _environment())
        finally:
            process.terminate()
            process.wait(timeout=60)
