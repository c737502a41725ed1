"""The server of the demo: the real application in a process of its own, at the simulated time.

The demo writes one line for each jump of time to this process's standard input: an instant in
milliseconds, or `now` to return to the wall clock; every line is answered with `ok`. When the
input closes, because the demo ended in whatever way, the server ends too.
"""

import os
import signal
import sys
from threading import Thread

import uvicorn

from server.clock import continue_from
from server.serve import options
from server.settings import Settings


def follow_time() -> None:
    """Follow the demo's time until it goes away, then ask this process to end."""
    for line in sys.stdin:
        word = line.strip()
        continue_from(None if word == "now" else int(word))
        sys.stdout.write("ok\n")
        sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve with the settings of the environment."""
    Thread(target=follow_time, daemon=True).start()
    uvicorn.run(**options(Settings()))


if __name__ == "__main__":
    main()
