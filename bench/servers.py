"""Throw-away databases with durable commits, and the real server, for one bench run."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from bench.cpu import cpu_s
from bench.static import BODY_FILE
from server.migrations import migrate
from tests.services import Postgres

UNLIMITED = {"JINGWEI_LIMIT_CALLER_REQUESTS": "1000000"}
"""A few phones send what thousands would: the quota of one caller is not what is measured."""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
READY_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A migrated, empty database; `pid` is its server's, None for an embedded one."""

    name: str
    url: str
    pid: int | None = None

    def cpu_s(self) -> float:
        """CPU seconds of the database server so far; an embedded one works in its user."""
        return 0.0 if self.pid is None else cpu_s(self.pid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The real server: its loopback port and the process that all its workers descend from."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        return cpu_s(self.pid)


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
        yield Database(name=name, url=url, pid=cluster.pid)
    finally:
        cluster.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int, path: str) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def server(
    url: str, *, workers: int = 1, settings: Mapping[str, str] = UNLIMITED
) -> Iterator[Running]:
    """The real server on a loopback port, stopped at the end."""
    command = ["server", "serve", "--host", "127.0.0.1", "--workers", str(workers)]
    command += ["--database", url]
    with _started(command, settings, ready="/readyz") as running:
        yield running


@contextmanager
def static_server(body: Path) -> Iterator[Running]:
    """A server on the same HTTP stack that answers `POST /v1/sync` with the bytes of a file."""
    command = ["uvicorn", "bench.static:make_app", "--factory", "--log-level", "critical"]
    with _started(command, {BODY_FILE: str(body)}, ready="/openapi.json") as running:
        yield running


@contextmanager
def _started(
    command: Sequence[str], settings: Mapping[str, str], *, ready: str
) -> Iterator[Running]:
    port = _free_port()
    whole = [sys.executable, "-m", *command, "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            whole, stdout=log, stderr=log, env=os.environ | dict(settings)
        )
        try:
            deadline = time.monotonic() + READY_S
            while not _ready(port, ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"the server did not start: {log.read()[-2000:]!r}")
                time.sleep(0.05)
            yield Running(port=port, pid=process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)
