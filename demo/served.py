"""The server of the demo: the real application in a process of its own, at the simulated time.

The first line that this process writes is the port it listens on. It opens the port itself, so
nobody else can have taken it since, and answers its requests from then on.

The demo writes one line for each jump of time to this process's standard input: an instant in
milliseconds, or `now` to return to the wall clock; every line is answered with `ok`. When the
input closes, because the demo ended in whatever way, the server ends too.
"""

import os
import signal
import socket
import sys
from contextlib import suppress
from threading import Thread

import uvicorn

from server.clock import continue_from
from server.serve import options
from server.settings import Settings

HOST = "127.0.0.1"
USUAL_PORT = 8000
PORT_VARIABLE = "DEMO_PORT"
"""The port to listen on, see `listen`; empty means None."""

BACKLOG = 2048


def listen(wanted: int | None, *, usual: int = USUAL_PORT) -> socket.socket:
    """Listen on the port `wanted`, for 0 on a free one.

    None means the usual one, which the documentation names, or a free one if that is taken.

    Raises:
        OSError: the port that is wanted is taken.
    """
    if wanted is None:
        with suppress(OSError):
            return socket.create_server((HOST, usual), backlog=BACKLOG)
    return socket.create_server((HOST, wanted or 0), backlog=BACKLOG)


def say(word: str) -> None:
    """Tell the demo."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def follow_time() -> None:
    """Follow the demo's time until it goes away, then ask this process to end."""
    for line in sys.stdin:
        word = line.strip()
        continue_from(None if word == "now" else int(word))
        say("ok")
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve with the settings of the environment."""
    wanted = os.environ.get(PORT_VARIABLE)
    listener = listen(int(wanted) if wanted else None)
    say(str(listener.getsockname()[1]))
    Thread(target=follow_time, daemon=True).start()
    uvicorn.Server(uvicorn.Config(**options(Settings()))).run(sockets=[listener])


if __name__ == "__main__":
    main()
