"""The only place that reads a clock or draws a random number.

Everything else is handed `now_ms` and ids as values, so it can be tested without patching.
"""

import random
import secrets
import time
import uuid

_JITTER = random.SystemRandom()
_ahead_ms = [0]


def now_ms() -> int:
    """Return the time of the wall clock in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000 + _ahead_ms[0]


def continue_from(instant_ms: int | None) -> None:
    """Let this process live at another time from now on; None returns to the wall clock.

    For the demonstration, whose working day of ten hours takes seconds, and for tests. Nothing
    in the server calls it and no setting leads to it.
    """
    wall_ms = time.time_ns() // 1_000_000
    _ahead_ms[0] = 0 if instant_ms is None else instant_ms - wall_ms


def ticks_s() -> float:
    """Return seconds on a clock that never jumps; only differences mean something."""
    return time.monotonic()


def new_id() -> str:
    """Return a new UUID of version 7 (RFC 9562): canonical lower case, ordered by time.

    48 bits of wall clock in milliseconds, 74 random bits. Two ids of one millisecond have no
    order; nobody may rely on an id being hard to guess.
    """
    random_bits = secrets.randbits(74)
    value = (now_ms() & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random_bits >> 62) << 64
    value |= 0b10 << 62 | random_bits & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def new_secret() -> str:
    """Return 256 random bits as 43 characters that are safe in URLs and headers."""
    return secrets.token_urlsafe(32)


def random_bytes(count: int) -> bytes:
    """Return `count` random bytes that are good for keys and nonces."""
    return secrets.token_bytes(count)


def new_lease() -> str:
    """Return 72 random bits as 12 characters: enough to tell a few copies of a phone apart.

    It travels both ways in every call, so it is short. It opens nothing: the token does.
    """
    return secrets.token_urlsafe(9)


def jitter_s(low_s: float) -> int:
    """Return whole seconds drawn uniformly from [low_s, 3 * low_s], at least 1.

    A value that is the same for everyone would bring all refused callers back at once.
    """
    return max(1, round(_JITTER.uniform(low_s, 3 * low_s)))


def chance() -> float:
    """Return a number drawn uniformly from [0, 1)."""
    return _JITTER.random()
