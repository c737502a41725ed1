"""A real browser without a window: Chromium, cut off from all but the server under test."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--window-size=1280,800",
    "--virtual-time-budget=20000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
TIMEOUT_S = 90


def chromium() -> str:
    """The browser's program; the test fails, and says how to install it, when there is none."""
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.fail("Chromium is missing: bash tools/install-test-services.sh", pytrace=False)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page became, and what it wrote to the console."""

    document: str
    console: tuple[str, ...]


def visit(url: str, folder: Path, *, screenshot: Path | None = None) -> Visit:
    """Open `url` in a fresh browser and return the page when it has settled."""
    wanted = "--dump-dom" if screenshot is None else f"--screenshot={screenshot}"
    done = subprocess.run(
        [chromium(), *FLAGS, f"--user-data-dir={folder / 'profile'}", wanted, url],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    console = tuple(line for line in done.stderr.splitlines() if ":CONSOLE" in line)
    return Visit(document=done.stdout, console=console)
