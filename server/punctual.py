"""Bodies that pass through unread by the gate: cut off when they are slow, silent or too long.

The gate reads JSON whole; photos are streamed to the endpoint, with the same protection.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import Message, Receive

from server.clock import ticks_s
from server.problems import BodyTimeout, BodyTooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a streamed body may be, and how long it and its silences may take.

    `rate` is the least average in bytes per second, judged after `grace_s`.
    """

    limit_bytes: int
    deadline_s: float
    stall_s: float
    grace_s: float
    rate: int


def punctual(receive: Receive, pace: Pace) -> Receive:
    """Return a `receive` that raises a problem instead of waiting for a body that is late.

    The clock starts with the first call, when somebody wants the body. When the body is there,
    waiting for the end of the connection has no limit.

    Raises:
        BodyTimeout: if it is late. What was handed out until then was received in time.
        BodyTooLarge: if it is longer than it may be.
    """
    begun: float | None = None
    arrived = 0
    complete = False

    async def timed() -> Message:
        nonlocal begun, arrived, complete
        if complete:
            return await receive()
        now = ticks_s()
        begun = now if begun is None else begun
        slow_s = pace.grace_s + arrived / pace.rate
        left_s = min(pace.deadline_s, slow_s) - (now - begun)
        try:
            async with asyncio.timeout(max(min(left_s, pace.stall_s), 0)):
                message = await receive()
        except TimeoutError:
            raise BodyTimeout from None
        arrived += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if arrived > pace.limit_bytes:
            raise BodyTooLarge(limit_bytes=pace.limit_bytes)
        return message

    return timed
