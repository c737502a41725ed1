"""Named steps of a write where a test can make this process fail; nothing unless armed.

    JINGWEI_FAILPOINTS="stored=kill@3,begun=sleep(0.2)"

A step does its action on the k-th pass (`@k`), or on every pass. Steps are armed once, when the
process starts, and only where `JINGWEI_ALLOW_UNSAFE` says that it serves nobody in earnest.
"""

import errno
import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

STEPS: Final = (
    "entry",
    "body-read",
    "connected",
    "begun",
    "device-locked",
    "gathered",
    "planned",
    "buckets-locked",
    "storing",
    "stored",
    "before-commit",
    "after-commit",
    "answering",
    "answer-started",
    "answered",
)
"""In the order in which a push passes them."""
SLEEP_S_MAX: Final = 60.0
_SPEC = re.compile(
    r"(?P<step>[a-z-]+)=(?P<action>kill|fail|sleep\((?P<seconds>\d+(\.\d+)?)\))(@(?P<turn>\d+))?"
)


class FailpointsRefused(Exception):  # noqa: N818 - a refusal to start
    """Fail points were named where they may not be, or are none; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Armed:
    action: Callable[[], None]
    turn: int | None
    passes: Iterator[int]


_armed: dict[str, _Armed] = {}


def reach(step: str) -> None:
    """Pass a named step; this is a look into an empty dictionary unless steps are armed."""
    if _armed and step in _armed:
        armed = _armed[step]
        if armed.turn in {None, next(armed.passes)}:
            armed.action()


def arm(wanted: str, *, allowed: bool) -> None:
    """Arm the steps that `wanted` names, and no others; empty disarms all.

    Raises:
        FailpointsRefused: if anything is wanted and not `allowed`, or is not understood.
    """
    _armed.clear()
    if wanted and not allowed:
        raise FailpointsRefused("fail points need JINGWEI_ALLOW_UNSAFE; they are for tests")
    _armed.update(_read(spec.strip()) for spec in wanted.split(",") if spec.strip())


def _read(spec: str) -> tuple[str, _Armed]:
    found = _SPEC.fullmatch(spec)
    if found is None or found["step"] not in STEPS:
        raise FailpointsRefused(f"no such fail point: {spec[:80]}")
    turn = None if found["turn"] is None else int(found["turn"])
    action = _action(found["action"], float(found["seconds"] or 0))
    return found["step"], _Armed(action=action, turn=turn, passes=itertools.count(1))


def _action(name: str, seconds: float) -> Callable[[], None]:
    if name == "kill":
        return _kill
    if name == "fail":
        return _fail
    return lambda: time.sleep(min(seconds, SLEEP_S_MAX))


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise OSError(errno.EIO, "a fail point")
