"""Redis disappears, forgets, fills up, slows down or says rubbish. It owns nothing."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

from tests import services
from tests.faults.books import audit, come_to_rest
from tests.faults.crew import Hand
from tests.faults.proxy import Fate, Proxy, Way
from tests.faults.report import Report
from tests.faults.servers import wait_for
from tests.faults.stage import Stage
from tests.server.phones import bearer

PUSHES = 7
SLOW_S = 2.0
GRACE_S = SLOW_S / 2
"""Whoever waits for a slow Redis waits longer, whatever else the machine has to do.

The goal (R5) is 50 ms beyond twice the normal time; the ratios are among the figures.
"""
RUBBISH = ("", "\n\n", "grid:" * 2_000, "\u0000\ufffd", "config\nuser:x")


class Wakeups:
    """A private Redis behind a proxy that can hold back what passes."""

    def __init__(self) -> None:
        self.redis = services.Redis().start()
        self.proxy = Proxy(Path(self.redis.url.removeprefix("unix://")))

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.proxy.port}/0"

    def close(self) -> None:
        self.proxy.close()
        self.redis.stop()

    def ask(self, *words: str) -> None:
        """Send one command and wait for the beginning of its answer."""
        parts = [f"${len(each.encode())}\r\n{each}\r\n" for each in words]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.redis.url.removeprefix("unix://"))
            connection.sendall(f"*{len(parts)}\r\n{''.join(parts)}".encode())
            connection.recv(64)

    @contextmanager
    def gone(self) -> Iterator[None]:
        self.redis.halt()
        yield
        self.redis.start()

    @contextmanager
    def wiped(self) -> Iterator[None]:
        self.ask("FLUSHALL")
        self.ask("CLIENT", "KILL", "SKIPME", "yes")
        yield

    @contextmanager
    def full(self) -> Iterator[None]:
        self.ask("CONFIG", "SET", "maxmemory", "1")
        yield
        self.ask("CONFIG", "SET", "maxmemory", "0")

    @contextmanager
    def slow(self) -> Iterator[None]:
        self.proxy.always = Fate(way=Way.DELAY, seconds=SLOW_S, of_reply=True)
        self.ask("CLIENT", "KILL", "SKIPME", "yes")
        yield
        self.proxy.always = None
        self.ask("CLIENT", "KILL", "SKIPME", "yes")

    @contextmanager
    def lying(self) -> Iterator[None]:
        for each in RUBBISH:
            self.ask("PUBLISH", "jingwei:wakeups", each)
        yield


def break_redis(report: Report, stage: Stage, wakeups: Wakeups, *, rounds: int) -> None:
    """Push during each state of Redis; nothing gets lost, refused or much slower."""
    stage.server.environment["JINGWEI_REDIS_URL"] = wakeups.url
    stage.server.start()
    hand = stage.hand(1)
    normal_s = _pushes_s(report, hand)
    states: tuple[Callable[[], AbstractContextManager[None]], ...] = (
        wakeups.gone,
        wakeups.wiped,
        wakeups.full,
        wakeups.slow,
        wakeups.lying,
    )
    for number in range(rounds * len(states)):
        state = states[number % len(states)]
        with state():
            report.injected += 1
            spent_s = _pushes_s(report, hand)
            report.figures[state.__name__] = round(spent_s / normal_s, 2)
            if spent_s > 2 * normal_s + GRACE_S:
                report.breach("slower", f"a push waited for Redis: {state.__name__}")
            _endpoints_answer(report, stage, hand)
    if not wait_for(lambda: _redis_is_connected(stage)):
        report.breach("healing", "the server did not find Redis again")
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)


def _pushes_s(report: Report, hand: Hand) -> float:
    """The median time of a push with a reply, in seconds."""
    spent = []
    for _ in range(PUSHES):
        hand.work()
        begun = time.monotonic()
        if hand.attempt().failure is not None:
            report.breach("refused", "a push failed because of Redis")
        spent.append(time.monotonic() - begun)
    return statistics.median(spent)


def _endpoints_answer(report: Report, stage: Stage, hand: Hand) -> None:
    token = hand.phone._store.setting("token") or ""
    asked: tuple[tuple[str, dict[str, str]], ...] = (
        ("/readyz", {}),
        ("/livez", {}),
        ("/v1/sync/manifests/config", bearer(token)),
        ("/v1/sync/wait?timeout_s=1", bearer(token)),
        ("/v1/incidents", bearer(stage.world.tokens["dispatcher"])),
    )
    for path, headers in asked:
        answer = httpx.get(f"{stage.server.url}{path}", headers=headers, timeout=20)
        if answer.status_code != httpx.codes.OK:
            report.breach("endpoint", f"{path} answers {answer.status_code} without Redis")


def _redis_is_connected(stage: Stage) -> bool:
    answer = httpx.get(f"{stage.server.url}/readyz", timeout=20)
    return bool(answer.json().get("redis") == "connected")
