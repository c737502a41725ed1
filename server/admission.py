"""Admission: how many requests are worked on at once, and how long others may queue.

Refusing early and cheaply keeps the accepted requests quick when more arrives than can be done.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.problems import ServiceUnavailable


class Admission:
    """At most `places` requests inside and `waiting` in the queue, for `waiting_s` seconds."""

    def __init__(self, *, places: int, waiting: int, waiting_s: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._waiting_max = waiting
        self._waiting_s = waiting_s
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises:
            ServiceUnavailable: if the queue is full or the wait took too long.
        """
        if self._places.locked():
            await self._queue()
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    async def _queue(self) -> None:
        if self._waiting >= self._waiting_max:
            raise ServiceUnavailable("The server is busy.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._waiting_s):
                await self._places.acquire()
        except TimeoutError:
            raise ServiceUnavailable("The server is busy.") from None
        finally:
            self._waiting -= 1
