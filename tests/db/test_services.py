"""The private servers: found or named as missing, restarted, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import services

REPOSITORY = Path(__file__).parents[2]
INSTALLER = REPOSITORY / "tools" / "install-test-services.sh"
ORPHAN = """
import os, signal
from tests import services
server = services.Redis().start()
print(server.url, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.db


def test_a_missing_server_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(services.ServiceMissing, match=r"PostgreSQL.*install-test-services"):
        services.postgres_programs(tmp_path)
    with pytest.raises(services.ServiceMissing, match=r"redis-server.*install-test-services"):
        services.Redis()


def test_the_newest_installed_server_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    assert services.postgres_programs(tmp_path) == tmp_path / "17" / "bin"


def test_redis_comes_back_at_the_same_address() -> None:
    server = services.Redis().start()
    try:
        url = server.url
        server.halt()
        server.start()
        assert server.url == url
        server.flush()
    finally:
        server.stop()


def test_a_server_does_not_outlive_tests_that_were_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == -signal.SIGKILL
    folder = Path(done.stdout.strip().removeprefix("unix://")).parent
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not folder.exists()


def test_the_installer_has_nothing_to_do_or_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(["bash", str(INSTALLER)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    bash = subprocess.run(["which", "bash", "id"], capture_output=True, text=True, check=True)
    for program in bash.stdout.split():
        (tmp_path / Path(program).name).symlink_to(program)
    bare = subprocess.run(
        [str(tmp_path / "bash"), str(INSTALLER)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert bare.returncode == 1
    assert "redis-server gdal-bin" in bare.stderr
