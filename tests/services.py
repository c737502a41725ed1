"""Private servers for tests: PostgreSQL with PostGIS, and Redis, never the machine's own.

Each lives in a temporary folder of its own, listens on a Unix socket in it and nowhere else,
and has durability switched off, so its files may be in memory. A small shell stands between
pytest and the server: when pytest ends, however it ends, its pipe closes, and the shell stops
the server and removes the folder.
"""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import asyncpg

from tests.places import memory

INSTALL_HINT: Final = "run `bash tools/install-test-services.sh` (as root) or `make services`"
DEBIAN_PROGRAMS: Final = Path("/usr/lib/postgresql")
ROLE: Final = "jingwei"
BACKUP_ROLE: Final = "jingwei_backup"
START_S: Final = 30.0
STOP_S: Final = 20.0
_WATCHED: Final = (
    'folder=$1; shift; "$@" & server=$!; '
    "trap : INT TERM; read -r word || word=; kill -INT $server 2>/dev/null; wait $server; "
    '[ "$word" = keep ] || rm -rf "$folder"'
)
_POSTGRES_OPTIONS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "jit": "off",
    "log_min_messages": "warning",
}


class ServiceMissing(Exception):  # noqa: N818 - a state of the machine
    """A server program is not installed; the message says what to do."""


class Watched:
    """A server process that cannot outlive this one."""

    def __init__(self, name: str, owner: dict[str, Any], *, place: Path | None = None) -> None:
        # Not pytest's tmp_path: its parents are closed to other users, such as `postgres`.
        self.folder = Path(tempfile.mkdtemp(prefix=f"jingwei-{name}-", dir=place))
        self.owner = owner
        self._process: subprocess.Popen[bytes] | None = None
        if owner:
            os.chown(self.folder, owner["user"], owner["group"])

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.folder / "log"

    def launch(self, command: list[str]) -> None:
        """Start `command` under the watching shell."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHED, "sh", str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,
                **self.owner,
            )

    def halt(self) -> None:
        """Stop the server and wait for its end; its folder stays."""
        if self._process is not None:
            self._process.communicate(b"keep\n", timeout=STOP_S)
            self._process = None

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        """The last lines of the server's log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-10:])


class Postgres:
    """A private PostgreSQL cluster with PostGIS."""

    def __init__(self, *, options: dict[str, str] | None = None) -> None:
        self._bin = postgres_programs()
        self._options = {**_POSTGRES_OPTIONS, **(options or {})}
        place = memory() if self._options["fsync"] == "off" else None
        self._watched = Watched("pg", server_user(), place=place)

    @property
    def pid(self) -> int:
        """The process that all of the running server's processes descend from."""
        written = (self._watched.folder / "data" / "postmaster.pid").read_text()
        return int(written.split("\n", 1)[0])

    @property
    def data(self) -> Path:
        """The folder of the cluster's files."""
        return self._watched.folder / "data"

    def start(self) -> "Postgres":
        """Make the cluster if it is new, start the server and wait until it answers."""
        data = self._watched.folder / "data"
        fresh = not data.exists()
        if fresh:
            self._initialise(data)
        settings = [f"-c{name}={value}" for name, value in self._options.items()]
        folder = str(self._watched.folder)
        command = [str(self._bin / "postgres"), "-D", str(data), "-k", folder, *settings]
        self._watched.launch(command)
        wait_until(self._answers, lambda: f"PostgreSQL: {self._watched.said()}")
        if fresh:
            self._prepare()
        return self

    def halt(self) -> None:
        """Stop the server; its data stays for another `start`."""
        self._watched.halt()

    def stop(self) -> None:
        """Stop the server and remove all it left."""
        self._watched.remove()

    def url(self, database: str, *, user: str = ROLE) -> str:
        """The address of one database, for a role that row security binds."""
        return f"postgresql://{user}@/{database}?host={self._watched.folder}"

    def create(self, database: str, *, template: str | None = None) -> str:
        """Create a database, empty or as a copy of `template`, and return its address.

        It belongs to a plain role, as the how-to says; extensions are there already.
        """
        copied = "" if template is None else f' TEMPLATE "{template}" STRATEGY file_copy'
        self.execute(f'CREATE DATABASE "{database}" OWNER {ROLE}{copied}')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def execute(self, sql: str, *, database: str = "postgres") -> list[Any]:
        """Run one statement outside a transaction and return its rows."""
        # In a thread of its own, because a test's event loop may be running in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._execute(sql, database)).result()

    async def _execute(self, sql: str, database: str) -> list[Any]:
        db = await asyncpg.connect(
            host=str(self._watched.folder), user="postgres", database=database
        )
        try:
            return list(await db.fetch(sql))
        finally:
            await db.close()

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _prepare(self) -> None:
        """Make the roles the how-tos name, and what only a superuser may install."""
        self.execute(f"CREATE ROLE {ROLE} LOGIN")
        self.execute(f"CREATE ROLE {BACKUP_ROLE} LOGIN BYPASSRLS IN ROLE pg_read_all_data")
        for each in ("postgis", "btree_gist"):
            self.execute(f"CREATE EXTENSION {each}", database="template1")

    def _initialise(self, data: Path) -> None:
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            [str(self._bin / "initdb"), "-D", str(data), "--no-sync", *options],
            capture_output=True,
            check=False,
            cwd="/",
            env=environment(),
            **self._watched.owner,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr.decode(errors='replace')}")


def for_backup(url: str) -> str:
    """The address of a database of `Postgres.create` for the role that makes backups."""
    return url.replace(f"//{ROLE}@", f"//{BACKUP_ROLE}@")


class Redis:
    """A private Redis that keeps nothing."""

    def __init__(self) -> None:
        found = shutil.which("redis-server")
        if found is None:
            raise ServiceMissing(f"redis-server is not installed; {INSTALL_HINT}")
        self._program = found
        self._watched = Watched("redis", {})

    @property
    def url(self) -> str:
        """Its address; the same after `halt` and `start`."""
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self._watched.folder / "socket"

    def start(self) -> "Redis":
        """Start the server and wait until it answers."""
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        folder = str(self._watched.folder)
        command = [self._program, *options, "--appendonly", "no", "--dir", folder]
        self._watched.launch(command)
        wait_until(self._answers, lambda: f"Redis: {self._watched.said()}")
        return self

    def halt(self) -> None:
        """Stop the server; `start` brings an empty one to the same address."""
        self._watched.halt()
        self._socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the server and remove all it left."""
        self._watched.remove()

    def flush(self) -> None:
        """Forget everything, between tests."""
        self._ask(b"FLUSHALL\r\n")

    def _answers(self) -> bool:
        try:
            return self._ask(b"PING\r\n").startswith(b"+PONG")
        except OSError:
            return False

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(command)
            return connection.recv(64)


def postgres_programs(installed: Path = DEBIAN_PROGRAMS) -> Path:
    """The folder of the newest PostgreSQL server programs, by version below `installed`."""
    found = sorted(installed.glob("*/bin/initdb"), key=lambda each: float(each.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise ServiceMissing(f"the PostgreSQL server is not installed; {INSTALL_HINT}")
    return Path(on_path).resolve().parent


def server_user() -> dict[str, Any]:
    """How to run the server: as ourselves, as `postgres` if we are root (initdb insists)."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise ServiceMissing(f"there is no system user postgres; {INSTALL_HINT}") from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def environment() -> dict[str, str]:
    """The least a server needs, so that no setting of the machine leaks in."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}


def wait_until(ready: Callable[[], bool], trouble: Callable[[], str]) -> None:
    """Poll `ready` until it says yes; after `START_S` seconds fail with what `trouble` says."""
    deadline = time.monotonic() + START_S
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready after {START_S:.0f} s: {trouble()}")
        time.sleep(0.01)
