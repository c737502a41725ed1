"""The `datetime` parameter: an RFC 3339 instant or interval, as OGC API Features writes it."""

import re
from datetime import date
from typing import NamedTuple

from server.problems import InvalidParameter
from sync.rfc3339 import parse_wall

DATETIME_CHARS_MAX = 80
DESCRIPTION = (
    "An RFC 3339 instant, or `start/end` with both ends included; `..` leaves an end open. "
    "A date alone means that whole day in UTC."
)
_DAY_MS = 86_400_000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_OPEN = frozenset({"", ".."})


class Interval(NamedTuple):
    """Milliseconds UTC, both ends included; None leaves an end open."""

    lo_ms: int | None
    hi_ms: int | None


ALWAYS = Interval(None, None)


def _instant(text: str) -> tuple[int, int]:
    """Return the first and last millisecond of an instant or a day."""
    if _DATE.fullmatch(text):
        first = parse_wall(f"{date.fromisoformat(text)}T00:00:00Z")
        return first, first + _DAY_MS - 1
    at_ms = parse_wall(text)
    return at_ms, at_ms


def parse_interval(text: str | None) -> Interval:
    """Return the interval `text` names; without a text, always.

    Raises:
        InvalidParameter: if it is neither an instant nor an interval with a start not after its
            end.
    """
    if text is None:
        return ALWAYS
    try:
        return _parsed(text)
    except ValueError as fault:
        raise InvalidParameter(f"datetime: {fault}", parameter="datetime") from None


def _parsed(text: str) -> Interval:
    start, slash, end = text.partition("/")
    if not slash:
        return Interval(*_instant(start))
    lo_ms = None if start in _OPEN else _instant(start)[0]
    hi_ms = None if end in _OPEN else _instant(end)[1]
    if lo_ms is not None and hi_ms is not None and lo_ms > hi_ms:
        raise ValueError("the start lies after the end")
    return Interval(lo_ms, hi_ms)
