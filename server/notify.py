"""Wake-ups: telling waiting phones that a bucket changed.

A wake-up carries no data and may be lost: who misses one finds the change on the next sync.
So nothing here may fail or slow down a request. Without Redis the wake-ups stay in the process;
with it they reach every process of a deployment, and while it is away it is as without it.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from redis.asyncio.client import PubSub
from typing_extensions import override

from server.redislink import AWAY, end_tasks, redis_at

QUEUE_MAX = 1_000
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
PING_AFTER_S = 10.0
MESSAGE_BUCKETS_MAX = 10_000
_log = logging.getLogger("jingwei.notify")


class Wakeups:
    """Wake-ups inside one process; the Redis version builds on it.

    `lost` counts the wake-ups that could not be told to other processes.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.lost = 0

    @property
    def connected(self) -> bool:
        """Say whether other processes can be reached, if there are any."""
        return True

    async def start(self) -> None:
        """Begin to listen, if there is anything to listen to."""

    async def close(self) -> None:
        """Stop listening and wake everybody who still waits."""
        self._wake_all()

    def tell(self, buckets: Iterable[str]) -> None:
        """Say that `buckets` changed; the store calls it after each commit.

        It never raises and never waits. Call it on the event loop.
        """
        self._wake(buckets)

    async def publish(self, buckets: Iterable[str]) -> None:
        """Do what `tell` does, for callers that await."""
        self.tell(buckets)

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything told was sent, but no longer than `timeout_s` seconds.

        For programs that end soon; a server has no need of it.
        """

    async def wait(self, buckets: Iterable[str], timeout_s: float) -> bool:
        """Wait until one of `buckets` changes; False if `timeout_s` seconds went by without.

        True may also come without a change, never the other way round while all is well.
        """
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

    def _wake_all(self) -> None:
        self._wake(tuple(self._waiting))

    def _forget(self, buckets: Iterable[str], event: asyncio.Event) -> None:
        for bucket in buckets:
            events = self._waiting.get(bucket)
            if events is not None:
                events.discard(event)
                if not events:
                    del self._waiting[bucket]


class RedisWakeups(Wakeups):
    """Wake-ups for every process of a deployment, through one Redis channel.

    Two tasks: one sends what `publish` queued, one listens and reconnects. Whoever waits is
    woken after a reconnection too, because something may have been missed.
    """

    def __init__(self, url: str, *, channel: str) -> None:
        super().__init__()
        self._channel = channel
        self._redis = redis_at(url)
        self._queue: asyncio.Queue[frozenset[str]] = asyncio.Queue(QUEUE_MAX)
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._connected = False

    @property
    @override
    def connected(self) -> bool:
        return self._connected

    @override
    async def start(self) -> None:
        self._tasks = (asyncio.create_task(self._listen()), asyncio.create_task(self._send()))

    @override
    async def close(self) -> None:
        await end_tasks(self._tasks)
        with suppress(*AWAY):
            await self._redis.aclose()
        await super().close()

    @override
    def tell(self, buckets: Iterable[str]) -> None:
        changed = frozenset(buckets)
        self._wake(changed)
        if not changed:
            return
        try:
            self._queue.put_nowait(changed)
        except asyncio.QueueFull:
            self.lost += 1

    @override
    async def flush(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._queue.join()

    async def _send(self) -> None:
        while True:
            changed, taken = await self._queue.get(), 1
            while not self._queue.empty() and len(changed) < MESSAGE_BUCKETS_MAX:
                changed |= self._queue.get_nowait()
                taken += 1
            try:
                await self._redis.publish(self._channel, "\n".join(sorted(changed)))
            except AWAY:
                self.lost += 1
            for _ in range(taken):
                self._queue.task_done()

    async def _listen(self) -> None:
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                async with self._redis.pubsub() as listener:
                    await listener.subscribe(self._channel)
                    self._set_connected(now=True)
                    backoff_s = BACKOFF_FIRST_S
                    await self._hear(listener)
            except AWAY:
                self._set_connected(now=False)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

    async def _hear(self, listener: PubSub) -> None:
        while True:
            message = await listener.get_message(
                ignore_subscribe_messages=True, timeout=PING_AFTER_S
            )
            if message is None:
                await listener.ping()
            elif message["type"] == "message":
                self._wake(message["data"].decode(errors="replace").split("\n"))

    def _set_connected(self, *, now: bool) -> None:
        if now != self._connected:
            _log.info("redis is %s", "there" if now else "away")
        self._connected = now
        if now:
            self._wake_all()


def open_wakeups(redis_url: str = "", *, deployment: str = "jingwei") -> Wakeups:
    """Return wake-ups for a deployment: through Redis if there is a URL, else in-process."""
    if redis_url:
        return RedisWakeups(redis_url, channel=f"{deployment}:wakeups")
    return Wakeups()
