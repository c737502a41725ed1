"""How this product talks to Redis: with short timeouts, and ready for its absence."""

import asyncio
from collections.abc import Iterable
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

AWAY: Final = (RedisError, OSError, TimeoutError)
"""What a call raises while Redis is away."""
TIMEOUT_S: Final = 2.0
_CANCEL_AGAIN_S: Final = 0.05


def redis_at(url: str) -> Redis:
    """Return a client that connects when it is first used and never tries twice by itself."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


async def end_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks that use Redis and wait for their end.

    A connection attempt of the client can swallow a cancellation: ask until heard.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
