"""`jingwei demo` as a stranger runs it: its promises on both databases, and its refusals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyogrio
import pytest

from tests import services

pytestmark = [pytest.mark.db, pytest.mark.slow]

KEYS = {
    "seconds",
    "devices",
    "mutations",
    "outcomes",
    "conflicts_open",
    "acknowledged_lost",
    "applied_twice",
    "replicas_diverged",
    "bytes_up",
    "bytes_down",
    "round_trips",
}
SMALL = ("--devices", "4", "--households", "800")
RUN_S = 300


def command(*arguments: str | Path) -> list[str]:
    """The command line of the demo."""
    return [sys.executable, "-m", "server", "demo", *map(str, arguments)]


def environment() -> dict[str, str]:
    """The tests' PostgreSQL has durability switched off, which a server refuses otherwise."""
    return {**os.environ, "JINGWEI_ALLOW_UNSAFE": "true"}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=RUN_S,
        check=False,
    )


@pytest.fixture
def empty_database(postgres: services.Postgres) -> Iterator[str]:
    """A PostgreSQL database without anything in it."""
    yield postgres.create("demo_empty")
    postgres.drop("demo_empty")


def examine(database: str) -> None:
    """The store of a whole day is what its own log makes, and everything derived follows."""
    done = subprocess.run(
        [sys.executable, "-m", "server", "doctor", "--reproject", "--refold"],
        capture_output=True,
        text=True,
        env=environment() | {"JINGWEI_DATABASE_URL": database},
        timeout=RUN_S,
        check=False,
    )
    lines = {line[5:].split(":")[0]: line for line in done.stdout.splitlines()}
    assert lines["history"].startswith("ok"), lines["history"]
    assert lines["derived values"].startswith("ok"), lines["derived values"]


def check_figures(figures: dict[str, Any]) -> None:
    """The contract of the JSON file, and the promises."""
    assert figures.keys() == KEYS
    broken = ("acknowledged_lost", "applied_twice", "replicas_diverged")
    assert [figures[name] for name in broken] == [0, 0, 0]
    assert figures["devices"] == 4
    assert figures["mutations"] == sum(figures["outcomes"].values()) > 100
    assert figures["outcomes"]["conflict"] > 0
    assert figures["conflicts_open"] > 0
    assert min(figures["bytes_up"], figures["bytes_down"], figures["round_trips"]) > 0


def test_the_promises_hold_in_a_file_that_gis_programs_open(tmp_path: Path) -> None:
    figures = tmp_path / "demo.json"
    done = run("--exit", "--directory", tmp_path, "--json", figures, *SMALL)
    assert done.returncode == 0, done.stderr
    check_figures(json.loads(figures.read_text(encoding="utf-8")))
    assert "replicas equal to the server by digest" in done.stdout
    assert "mapped" in done.stdout
    store = tmp_path / "demo.gpkg"
    examine(f"sqlite:///{store}")
    layers = {name for name, _ in pyogrio.list_layers(store)}
    assert {"grid", "dwelling", "report", "incident", "task", "claim"} <= layers
    assert pyogrio.read_info(store, layer="grid")["features"] == 767


def test_the_promises_hold_on_postgresql_and_a_second_run_must_be_allowed(
    tmp_path: Path, empty_database: str
) -> None:
    figures = tmp_path / "demo.json"
    where = ("--exit", "--directory", tmp_path, "--database", empty_database, *SMALL)
    done = run(*where, "--json", figures)
    assert done.returncode == 0, done.stderr
    check_figures(json.loads(figures.read_text(encoding="utf-8")))
    examine(empty_database)
    again = run(*where)
    assert (again.returncode, "--reset" in again.stderr) == (2, True)


def test_a_database_with_other_data_is_left_alone(tmp_path: Path, postgres_url: str) -> None:
    for extra in ((), ("--reset",)):
        done = run("--exit", "--directory", tmp_path, "--database", postgres_url, *extra)
        assert (done.returncode, "not empty" in done.stderr) == (2, True)


def test_a_file_the_demo_did_not_make_is_left_alone(tmp_path: Path, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    done = run("--exit", "--directory", tmp_path, "--database", sqlite_url)
    assert (done.returncode, "was not made by the demo" in done.stderr) == (2, True)
    assert path.read_bytes() == before


def test_it_keeps_serving_and_the_printed_commands_work(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--directory", tmp_path, "--devices", "2", "--households", "100"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line.strip())
            if sum(each.startswith("curl") for each in printed) == 3:
                break
        for pasted in (each for each in printed if each.startswith("curl")):
            answer = subprocess.run(
                ["/bin/sh", "-c", f"{pasted} --fail"], capture_output=True, check=True
            )
            assert json.loads(answer.stdout)
        (page,) = [each.split()[1] for each in printed if each.startswith("map ")]
        shown = subprocess.run(
            ["curl", "-s", "--fail", page.partition("#")[0]], capture_output=True, check=True
        )
        assert b"<html" in shown.stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
