"""Start, steer and stop the server process of the demo."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from demo.served import HOST, PORT_VARIABLE
from server.clock import ticks_s

START_S = 60.0
STOP_S = 20.0
POLL_S = 0.05


class ServerSilentError(RuntimeError):
    """The server process does not answer; the message has the end of its log."""


class ServerProcess:
    """One server on the loopback interface, with its log in a file.

    `port` is the one to listen on: 0 means a free one, None the usual one or, if that is taken,
    a free one.

    Raises:
        ServerSilentError: it cannot have the port.
    """

    def __init__(self, database: str, *, port: int | None, log: Path) -> None:
        self._log = log
        self._written = log.open("wb")
        environment = os.environ | {
            "JINGWEI_DATABASE_URL": database,
            "JINGWEI_WORKERS": "1",
            PORT_VARIABLE: "" if port is None else str(port),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demo.served"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._written,
            env=environment,
            text=True,
        )
        self.url = f"http://{HOST}:{self._heard()}"

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
        if self._process.stdin is None:
            raise self._silent()
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._silent() from None
        if self._heard() != "ok":
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

    def _heard(self) -> str:
        """Return the next line of the server."""
        said = "" if self._process.stdout is None else self._process.stdout.readline()
        if not said:
            self.stop()
            raise self._silent()
        return said.strip()

    def _pause(self) -> None:
        try:
            self._process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            return

    def _silent(self) -> ServerSilentError:
        lines = self._log.read_text(errors="replace").splitlines()[-20:]
        return ServerSilentError("the server does not answer:\n" + "\n".join(lines))
