"""Admission: how many requests are worked on at once, who goes first, and how long others wait.

Refusing early and cheaply keeps the accepted requests quick when more arrives than can be done.
"""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from math import exp

from server.clock import ticks_s
from server.problems import ServiceUnavailable
from sync.pacing import retry_after_s

_FADE_S = 5.0


class Rank(IntEnum):
    """Who gets the next free place: the lowest first, equals in order of arrival.

    Work done in the field goes before everything: it exists only on a phone until it is stored.
    """

    UPLOAD = 0
    PULL = 1
    CONSOLE = 2


class _Recent:
    """How often something happened lately; what is `_FADE_S` old counts for a third."""

    def __init__(self) -> None:
        self._count = 0.0
        self._at_s = ticks_s()

    def add(self) -> None:
        self._count = self.count() + 1
        self._at_s = ticks_s()

    def count(self) -> float:
        return self._count * exp((self._at_s - ticks_s()) / _FADE_S)


@dataclass(slots=True, order=True)
class _Waiter:
    rank: Rank
    number: int
    placed: asyncio.Future[None] = field(compare=False)


class Admission:
    """At most `places` requests inside and `waiting` in the queue, for `waiting_s` seconds.

    A request that finds the queue full displaces the last one of a lower rank, if there is one.
    """

    def __init__(self, *, places: int, waiting: int, waiting_s: float) -> None:
        self._places = places
        self._free = places
        self._waiting_max = waiting
        self._waiting_s = waiting_s
        self._queue: list[_Waiter] = []
        self._arrived = 0
        self._refused = _Recent()
        self._served = _Recent()

    @property
    def load(self) -> float:
        """From 0 (idle) to 1 (every place taken and the queue full)."""
        inside = self._places - self._free
        return (inside + len(self._queue)) / (self._places + self._waiting_max)

    def check(self, rank: Rank) -> None:
        """Refuse now what would be refused anyway once its body has been read.

        Raises:
            ServiceUnavailable: if there is neither a place nor room in the queue.
        """
        full = not self._free and len(self._queue) >= self._waiting_max
        if full and not (self._queue and self._queue[-1].rank > rank):
            raise self._refusal()

    @asynccontextmanager
    async def place(self, rank: Rank = Rank.CONSOLE) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises:
            ServiceUnavailable: if the queue is full or the wait took too long.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._queued(rank))
        try:
            yield
        finally:
            self._served.add()
            self._leave()

    def _queued(self, rank: Rank) -> _Waiter:
        self.check(rank)
        if len(self._queue) >= self._waiting_max:
            displaced = self._queue.pop().placed
            if not displaced.done():
                displaced.set_exception(self._refusal())
        self._arrived += 1
        placed = asyncio.get_running_loop().create_future()
        waiter = _Waiter(rank=rank, number=self._arrived, placed=placed)
        insort(self._queue, waiter)
        return waiter

    async def _wait(self, waiter: _Waiter) -> None:
        try:
            async with asyncio.timeout(self._waiting_s):
                await waiter.placed
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the queue; a place that was given in the same moment goes to the next one."""
        if waiter in self._queue:
            self._queue.remove(waiter)
            return
        placed = waiter.placed
        if placed.done() and not placed.cancelled() and placed.exception() is None:
            self._leave()

    def _refusal(self) -> ServiceUnavailable:
        self._refused.add()
        wait_s = retry_after_s(self._refused.count(), self._served.count())
        return ServiceUnavailable("The server is busy.", wait_s=wait_s)

    def _leave(self) -> None:
        """Give the place to the first who still waits for one."""
        while self._queue:
            placed = self._queue.pop(0).placed
            if not placed.done():
                placed.set_result(None)
                return
        self._free += 1
