"""Quotas: how many requests one caller may make in a window of some seconds.

A caller is whoever sends the same `Authorization` header: a device or an account. Counting
happens in this process and never waits. With Redis the processes of a deployment tell each
other every second what they counted, so a caller's share is one share, give or take a second;
while Redis is away every process counts for itself.
"""

import asyncio
from contextlib import suppress
from hashlib import sha256
from typing import Final

from typing_extensions import override

from server.problems import TooManyRequests
from server.redislink import AWAY, end_tasks, redis_at

CALLERS_MAX: Final = 100_000
TELL_EVERY_S: Final = 1.0
TELL_MAX: Final = 10_000
_POLICY: Final = "caller"


class Quotas:
    """At most `requests` requests of one caller in each window of `window_s` seconds.

    Of more than `callers_max` callers in one window those who come later are not counted.
    """

    def __init__(self, *, requests: int, window_s: int, callers_max: int = CALLERS_MAX) -> None:
        self._callers_max = callers_max
        self._requests = requests
        self._window_s = window_s
        self._window = -1
        self._used: dict[str, int] = {}
        self._elsewhere: dict[str, int] = {}

    async def start(self) -> None:
        """Begin to hear of other processes, if there are any."""

    async def close(self) -> None:
        """Stop hearing of them."""

    def take(self, authorization: str, now_ms: int) -> None:
        """Count one request of a caller at `now_ms`, milliseconds UTC.

        Raises:
            TooManyRequests: if the caller's share of this window is used up.
        """
        self._enter_window(now_ms // (1000 * self._window_s))
        caller = sha256(authorization.encode()).hexdigest()[:32]
        used = self._used.get(caller, 0)
        if used + self._elsewhere.get(caller, 0) >= self._requests:
            raise self._refusal(now_ms)
        if used or len(self._used) < self._callers_max:
            self._used[caller] = used + 1

    def _enter_window(self, window: int) -> None:
        if window != self._window:
            self._window = window
            self._used, self._elsewhere = {}, {}

    def _refusal(self, now_ms: int) -> TooManyRequests:
        left_s = -(-((self._window + 1) * 1000 * self._window_s - now_ms) // 1000)
        refusal = TooManyRequests(wait_s=left_s)
        refusal.fields = {
            "ratelimit": f'"{_POLICY}";r=0;t={left_s}',
            "ratelimit-policy": f'"{_POLICY}";q={self._requests};w={self._window_s}',
        }
        return refusal


class RedisQuotas(Quotas):
    """Quotas that all processes of a deployment share through Redis."""

    def __init__(self, *, requests: int, window_s: int, url: str, prefix: str) -> None:
        super().__init__(requests=requests, window_s=window_s)
        self._redis = redis_at(url)
        self._prefix = prefix
        self._told: dict[str, int] = {}
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @override
    async def start(self) -> None:
        self._tasks = (asyncio.create_task(self._keep_telling()),)

    @override
    async def close(self) -> None:
        await end_tasks(self._tasks)
        with suppress(*AWAY):
            await self._redis.aclose()

    @override
    def _enter_window(self, window: int) -> None:
        if window != self._window:
            self._told = {}
        super()._enter_window(window)

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            with suppress(*AWAY):
                await self.tell()

    async def tell(self) -> None:
        """Add what was counted since the last time, and learn what others counted."""
        window = self._window
        fresh = [
            (caller, used, used - self._told.get(caller, 0))
            for caller, used in self._used.items()
            if used > self._told.get(caller, 0)
        ][:TELL_MAX]
        if not fresh:
            return
        async with self._redis.pipeline(transaction=False) as pipeline:
            for caller, _, more in fresh:
                key = f"{self._prefix}:{window}:{caller}"
                await pipeline.incrby(key, more)  # queued; everything is sent by execute
                await pipeline.expire(key, 2 * self._window_s)
            totals = (await pipeline.execute())[::2]
        if window != self._window:
            return
        for (caller, used, _), total in zip(fresh, totals, strict=True):
            self._told[caller] = used
            self._elsewhere[caller] = total - used


def open_quotas(
    *, requests: int, window_s: int, redis_url: str = "", deployment: str = "jingwei"
) -> Quotas:
    """Return the quotas of a deployment: shared if there is a Redis, else of this process."""
    if not redis_url:
        return Quotas(requests=requests, window_s=window_s)
    return RedisQuotas(
        requests=requests, window_s=window_s, url=redis_url, prefix=f"{deployment}:quota"
    )
