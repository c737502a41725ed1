"""When a phone shall call again: the server's load in, seconds out (section 3, `next_sync_s`).

Phones that were told the same number come back at the same moment, so every number is drawn;
the busier the server, the later and the wider apart.
"""

NEXT_SYNC_S_MIN = 900
NEXT_SYNC_S_MAX = 3_600
RETRY_S_MIN = 2.0
RETRY_S_MAX = 30.0
BATCH_LOAD = 0.5
_SPREAD_IDLE = 0.2


def next_sync_s(load: float, chance: float) -> int:
    """Return whole seconds until a phone's next call.

    Args:
        load: of the server, 0 idle, 1 every place and its queue full; moved into that range.
        chance: drawn uniformly from [0, 1) for each reply.

    Idle it is 900 to 1,080 seconds, at full load 1,800 to 3,600.
    """
    load = min(max(load, 0.0), 1.0)
    spread = _SPREAD_IDLE + (1 - _SPREAD_IDLE) * load
    return round(NEXT_SYNC_S_MIN * (1 + load) * (1 + spread * chance))


def retry_after_s(refused: float, served: float) -> float:
    """Return the least seconds after which a refused caller shall come back.

    Args:
        refused: requests refused lately, this one included.
        served: requests served in the same time.

    It grows with the number refused for each one served, from 2 to 30 seconds: refusing is
    cheap but not free, and a crowd that asks too often leaves less for the others.
    """
    crowding = refused / max(served, 1.0)
    return min(RETRY_S_MIN * max(crowding, 1.0), RETRY_S_MAX)


def takes_one_batch(load: float) -> bool:
    """Say whether a request is taken in one transaction only, so that others get their turn.

    The rest of it is `retry` with `batch-limit`, and the reply announces the smaller limit.
    """
    return load >= BATCH_LOAD
