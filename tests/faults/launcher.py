"""Starts the real `jingwei serve`, many times, by forking a process that has it loaded already.

A start then costs a third of a second instead of the seconds that the imports take. What runs
in the fork is the command line itself. One JSON object a line on standard input asks for one
server and gets its pid. When standard input closes, or this process ends in any other way, the
kernel kills the servers.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

import server.imports.command
import server.serve
from server.cli import main as jingwei
from tests.faults.plants import plant

LOADED = (server.imports.command, server.serve)
PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Let the kernel kill this process when `parent`, which made it, is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel had been asked
        os.kill(os.getpid(), signal.SIGKILL)


def serve(wanted: dict[str, Any]) -> None:
    """Become the server; never returns to the caller's loop."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.update(wanted["environment"])
    if wanted["plant"] is not None:
        plant(wanted["plant"])
    jingwei(["serve", *wanted["arguments"]])


def start(wanted: dict[str, Any]) -> int:
    """Fork a server and return its pid."""
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            die_with(launcher)
            serve(wanted)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            os._exit(code)
    return pid


def main() -> None:
    """Start what is asked for until nobody asks any more."""
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # the kernel reaps; a pid that is gone is gone
    for line in sys.stdin:
        print(start(json.loads(line)), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
