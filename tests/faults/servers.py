"""What the harness breaks: the real server, and databases with durable commits."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from server.migrations import migrate
from tests import services
from tests.style.sources import ROOT

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
READY_S = 60.0
DATABASES = ("sqlite", "postgresql")


class Launcher:
    """One process that has the server loaded and forks it on demand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.launcher"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process that all servers are forks of."""
        return self._process.pid

    def start(self, wanted: dict[str, Any]) -> int:
        """Start a server and return its pid."""
        with self._lock:
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the launcher and every server it started."""
        self._process.stdin.close()
        self._process.wait(timeout=READY_S)
        self._process.stdout.close()


def is_alive(pid: int) -> bool:
    """Say whether a process does anything; one that waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def wait_for(ready: Callable[[], bool], timeout_s: float = READY_S) -> bool:
    """Poll until `ready` says yes, at most `timeout_s` seconds; say whether it did."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One `jingwei serve` on a port of its own; it may die and be started again there."""

    launcher: Launcher
    database_url: str
    folder: Path
    plant: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    pid: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self, failpoints: str = "") -> "Server":
        """Start the server, armed with `failpoints`, and wait until it is ready."""
        self.pid = self.launcher.start(
            {
                "arguments": ["--port", str(self.port), "--database", self.database_url],
                "environment": {
                    "JINGWEI_ALLOW_UNSAFE": "true",
                    "JINGWEI_FAILPOINTS": failpoints,
                    **self.environment,
                },
                "log": str(self.log),
                "plant": self.plant,
            }
        )
        if not wait_for(lambda: self.is_ready() or not is_alive(self.pid)):
            raise RuntimeError(f"the server is not ready: {self.said()}")
        if not is_alive(self.pid):
            raise RuntimeError(f"the server did not start: {self.said()}")
        return self

    def kill(self) -> None:
        """End the server without warning, if it still runs."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            wait_for(lambda: not is_alive(self.pid))

    def is_dead(self) -> bool:
        return not is_alive(self.pid)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def defects(self) -> list[str]:
        """What the server logged as its own defects: the class of each and where it arose."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.partition(" failed: ")[2] for line in lines if " failed: " in line]

    def said(self) -> str:
        """The end of the server's log."""
        return self.log.read_text()[-3000:] if self.log.exists() else "nothing"


class Cluster(services.Postgres):
    """A private cluster with durable commits, which may crash."""

    def __init__(self, **options: str) -> None:
        super().__init__(options={**DURABLE, "max_wal_size": "256MB", **options})

    @property
    def folder(self) -> Path:
        return self._watched.folder

    @property
    def postmaster(self) -> int:
        """The pid of the running server."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and wait until it and all its children are gone."""
        pids = [self.postmaster, *children_of(self.postmaster)]
        os.kill(pids[0], number)
        wait_for(lambda: not any(is_alive(pid) for pid in pids))
        self.halt()

    def freeze(self, *, seconds: float) -> None:
        """Let every process of the server stand still for a while."""
        pids = [self.postmaster, *children_of(self.postmaster)]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            if number is signal.SIGSTOP:
                time.sleep(seconds)

    def kill_backend(self) -> None:
        """Kill one process that serves a connection: the server restarts itself."""
        rows = self.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'jingwei'"
            " ORDER BY state = 'active' DESC LIMIT 1"
        )
        for (pid,) in rows:
            os.kill(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """The pids of a process' children."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="jingwei-faults-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def fresh_sqlite(where: Path) -> str:
    """A new migrated embedded store."""
    url = f"sqlite:///{where / 'jingwei.gpkg'}"
    migrate(url)
    return url


def fresh_postgres(where: Cluster, name: str) -> str:
    """A new migrated database in a cluster."""
    url = where.create(name)
    migrate(url)
    return url


@contextmanager
def small_disk(where: Path, *, mib: int) -> Iterator[None]:
    """A file system of its own at `where`, owned by whoever owned the folder."""
    owner = where.stat()
    options = f"size={mib}m,uid={owner.st_uid},gid={owner.st_gid},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)
