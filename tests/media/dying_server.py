"""Runs `jingwei` so that it dies, or its disk fails, at a chosen call to the system.

    python tests/media/dying_server.py PLAN serve --port 8000 …

PLAN is `none`, or `CALL:NUMBER:HOW`: the NUMBER-th call of `os.CALL` kills the process with
SIGKILL `before` or `after` it is made, or fails with the name of an errno, such as `EIO`.
"""

import errno
import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def dying(call: Callable[..., Any], number: int, how: str) -> Callable[..., Any]:
    """Return `call` with what shall happen at its `number`-th use."""
    count = itertools.count(1)

    def instead(*arguments: Any, **named: Any) -> Any:
        if next(count) != number:
            return call(*arguments, **named)
        if how not in {"before", "after"}:
            raise OSError(getattr(errno, how), "as planned")
        if how == "after":
            call(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    return instead


if __name__ == "__main__":
    plan, *arguments = sys.argv[1:]
    if plan != "none":
        name, number, how = plan.split(":")
        setattr(os, name, dying(getattr(os, name), int(number), how))
    from server.cli import main

    main(arguments)
