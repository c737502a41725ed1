"""The client under test: a process that answers one JSON line with one JSON line.

The commands are described in `docs/reference/conformance.md`. A client that answers something
else, nothing in time, or ends by itself breaks the contract; it never hangs the caller.
"""

import json
import os
import queue
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, Any

CONTRACT = 1
ANSWER_S = 30.0
START_S = 60.0
LINE_CHARS_MAX = 64 * 1024 * 1024
TAIL_CHARS = 2_000


class ContractBroken(Exception):  # noqa: N818 - named as the condition it reports
    """The client process did not answer as the contract says; the message says how."""


class Refused(Exception):  # noqa: N818 - named as the condition it reports
    """The client answered `error`; the message is its text."""


class Client:
    """One process of the client under test, and its successors after a crash."""

    def __init__(
        self, command: Sequence[str], log: Path, *, answer_s: float = ANSWER_S
    ) -> None:
        self._command = list(command)
        self._answer_s = answer_s
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._asked = 0

    def start(self) -> None:
        """Start the process if none runs.

        Raises:
            ContractBroken: if it cannot be started or does not say `hello`.
        """
        if self._process is not None:
            return
        log = self._log.open("ab")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is what is certified
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        except OSError as error:
            raise ContractBroken(f"the client cannot be started: {error.strerror}") from None
        finally:
            log.close()
        self._lines = queue.Queue()
        Thread(target=_listen, args=(self._process.stdout, self._lines), daemon=True).start()
        self.ask("hello", timeout_s=START_S, contract=CONTRACT)

    def ask(self, command: str, *, timeout_s: float | None = None, **members: Any) -> Any:
        """Send a command and return the answer's members.

        Raises:
            ContractBroken: if there is no answer in time, or it is not one of the contract.
            Refused: if the answer is an `error`.
        """
        number = self.send(command, **members)
        return self.answer(number, timeout_s=timeout_s)

    def send(self, command: str, **members: Any) -> int:
        """Send a command without waiting and return its number."""
        process = self._process
        if process is None or process.stdin is None:
            raise ContractBroken("the client is not running")
        self._asked += 1
        line = json.dumps({"id": self._asked, "do": command, **members}, ensure_ascii=False)
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except OSError:
            raise ContractBroken(f"the client ended before {command!r}{self._tail()}") from None
        return self._asked

    def answer(self, number: int, *, timeout_s: float | None = None) -> Any:
        """Wait for the answer to a command; raises as `ask` does."""
        patience_s = self._answer_s if timeout_s is None else timeout_s
        try:
            line = self._lines.get(timeout=patience_s)
        except queue.Empty:
            raise ContractBroken(f"no answer within {patience_s:.0f} s") from None
        if line is None:
            raise ContractBroken(f"the client ended without an answer{self._tail()}")
        try:
            answer = json.loads(line)
        except ValueError:
            raise ContractBroken("an answer is not a line of JSON") from None
        if not isinstance(answer, dict) or answer.get("id") != number:
            raise ContractBroken(f"the answer to command {number} has another id")
        if "error" in answer:
            raise Refused(str(answer["error"]))
        return answer

    def kill(self) -> None:
        """End the process at once, as a phone whose battery is taken out."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)

    def _tail(self) -> str:
        text = (
            self._log.read_text(encoding="utf-8", errors="replace")
            if self._log.exists()
            else ""
        )
        return f"; its last words:\n{text[-TAIL_CHARS:]}" if text.strip() else ""


def _close(pipe: IO[str]) -> None:
    try:
        pipe.close()
    except OSError:  # what was still to be written finds nobody
        return


def _listen(pipe: IO[str], lines: queue.Queue[str | None]) -> None:
    """Hand over each line; None when there will be no more."""
    while True:
        line = pipe.readline(LINE_CHARS_MAX)
        if not line:
            lines.put(None)
            return
        lines.put(line)


def member(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return a member of an answer.

    Raises:
        ContractBroken: if it is missing or of another type.
    """
    value = answer.get(name)
    if type(value) is not kind:
        raise ContractBroken(f"{name!r} in an answer must be {kind.__name__}")
    return value
