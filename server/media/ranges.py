"""The one byte range that a request for a photo may ask for (RFC 9110, section 14)."""

import re

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return `(start, length)` of the range asked for, None for the whole of it.

    A header that is not understood, or names several ranges, asks for the whole.

    Raises:
        ValueError: if the range begins beyond the end.
    """
    found = None if header is None else _RANGE.fullmatch(header.replace(" ", ""))
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        end = min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
        length = end - start + 1
    if length <= 0:
        raise ValueError("the range begins beyond the end")
    return start, length
