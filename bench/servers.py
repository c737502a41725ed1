"""Throw-away databases with durable commits, and the real server, for one bench run."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from server.migrations import migrate
from tests.services import Postgres

UNLIMITED = {"JINGWEI_LIMIT_CALLER_REQUESTS": "1000000"}
"""A few phones send what thousands would: the quota of one caller is not what is measured."""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
READY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A migrated, empty database."""

    name: str
    url: str


@contextmanager
def database(name: str) -> Iterator[Database]:
    """A fresh database of `name` (`sqlite` or `postgresql`), removed at the end."""
    if name == "sqlite":
        folder = tempfile.mkdtemp(prefix="jingwei-bench-")
        url = f"sqlite:///{Path(folder) / 'bench.gpkg'}"
        try:
            migrate(url)
            yield Database(name=name, url=url)
        finally:
            shutil.rmtree(folder)
        return
    cluster = Postgres(options={**DURABLE, "shared_buffers": "256MB"}).start()
    try:
        url = cluster.create("bench")
        migrate(url)
        yield Database(name=name, url=url)
    finally:
        cluster.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def server(url: str, *, workers: int = 1) -> Iterator[int]:
    """The real server on a loopback port, stopped at the end; yields the port."""
    port = _free_port()
    command = [sys.executable, "-m", "server", "serve", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--database", url]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | UNLIMITED)
        try:
            deadline = time.monotonic() + READY_S
            while not _ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"the server did not start: {log.read()[-2000:]!r}")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=20)
