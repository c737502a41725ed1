"""Byte ranges of a stored file (RFC 9110, section 14)."""

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(ValueError):  # noqa: N818 - named as the condition it reports
    """The range begins behind the end."""


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first and the last byte that `header` asks of a file of `size` bytes.

    None is the whole file: without the header, or for one that is not a single range of bytes,
    which a server may pass over.

    Raises:
        Unsatisfiable: if there is nothing in the range.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, size - 1
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return int(first), min(int(last), size - 1) if last else size - 1
