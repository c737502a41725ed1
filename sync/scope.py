"""Which buckets a device must start or stop holding (protocol section 5)."""

from collections.abc import Iterable


def scope_change(
    listed: Iterable[str], allowed: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return `(enter, leave)`, each sorted: what to add to, and what to drop from, a device.

    `listed` is what the request says the device holds, `allowed` what its worker may hold now.
    The comparison is made on every request and remembers nothing, so `leave` repeats a bucket
    until the device has stopped listing it, whatever replies were lost.
    """
    held, permitted = frozenset(listed), frozenset(allowed)
    return tuple(sorted(permitted - held)), tuple(sorted(held - permitted))
