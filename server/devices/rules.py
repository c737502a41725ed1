"""What the filters of the list of devices mean."""

from server.devices.queries import Wanted

DAY_MS = 86_400_000
FAILING_DAYS = 14
"""As long as phones keep what was answered, so that its author can still be asked."""


def wanted_of(
    silent_days: int | None, offset_above_s: int | None, *, failing: bool | None, now_ms: int
) -> Wanted:
    """Return the filters with their limits as times and in milliseconds."""
    return Wanted(
        silent_since_ms=None if silent_days is None else now_ms - silent_days * DAY_MS,
        failing=failing,
        failing_since_ms=now_ms - FAILING_DAYS * DAY_MS,
        offset_above_ms=None if offset_above_s is None else offset_above_s * 1_000,
    )
