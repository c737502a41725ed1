"""Start, steer and stop the server process of the demo."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from server.clock import ticks_s

START_S = 60.0
STOP_S = 20.0
POLL_S = 0.05
HOST = "127.0.0.1"
USUAL_PORT = 8000


class ServerSilentError(RuntimeError):
    """The server process does not answer; the message has the end of its log."""


def chosen_port(wanted: int | None, *, usual: int = USUAL_PORT) -> int:
    """Return the port to listen on: `wanted`, for 0 a free one.

    None means the usual one, which the documentation names, or a free one if that is taken.
    """
    if wanted is not None:
        return wanted or _free(0)
    try:
        return _free(usual)
    except OSError:
        return _free(0)


def _free(port: int) -> int:
    """Return `port`, for 0 any, if nobody listens on it; raises OSError if somebody does."""
    with socket.create_server((HOST, port)) as probe:
        return int(probe.getsockname()[1])


class ServerProcess:
    """One server on the loopback interface, with its log in a file."""

    def __init__(self, database: str, *, port: int | None, log: Path) -> None:
        self.port = chosen_port(port)
        self.url = f"http://{HOST}:{self.port}"
        self._log = log
        self._written = log.open("wb")
        environment = os.environ | {
            "JINGWEI_DATABASE_URL": database,
            "JINGWEI_HOST": HOST,
            "JINGWEI_PORT": str(self.port),
            "JINGWEI_WORKERS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demo.served"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._written,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_ready(self) -> None:
        """Wait until the server is ready for requests.

        Raises:
            ServerSilentError: if it ended or is not ready after `START_S`.
        """
        give_up_s = ticks_s() + START_S
        while ticks_s() < give_up_s:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/readyz", timeout=1).is_success:
                    return
            except httpx.TransportError:
                self._pause()
        raise self._silent()

    def live_at(self, instant_ms: int | None) -> None:
        """Move the server's clock to an instant, or back to the wall clock."""
        word = "now" if instant_ms is None else str(instant_ms)
        if self._process.stdin is None or self._process.stdout is None:
            raise self._silent()
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._silent() from None
        if self._process.stdout.readline() != "ok\n":
            raise self._silent()

    def wait(self) -> int:
        """Wait until the server ends and return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End the server, politely at first."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._written.close()

    def _pause(self) -> None:
        try:
            self._process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            return

    def _silent(self) -> ServerSilentError:
        lines = self._log.read_text(errors="replace").splitlines()[-20:]
        return ServerSilentError("the server does not answer:\n" + "\n".join(lines))
