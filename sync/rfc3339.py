"""Wall-clock times on the wire: RFC 3339 text with an offset, milliseconds inside.

Written without a time-zone database: the offset in the text is all that is needed, and the
result is always milliseconds since 1970-01-01 UTC.
"""

import re
from datetime import date

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
WALL_MIN_MS = (1 - _EPOCH_DAY) * _DAY_MS
WALL_MAX_MS = (date.max.toordinal() + 1 - _EPOCH_DAY) * _DAY_MS - 1

_FORM = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)


def parse_wall(text: str) -> int:
    """Return the milliseconds since 1970-01-01 UTC that an RFC 3339 date-time names.

    Digits beyond the millisecond are cut off; a leap second is the first instant of the next
    minute.

    Raises:
        ValueError: if `text` is not of that form, has no offset, or falls outside years 1-9999.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("must be an RFC 3339 date-time with an offset")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    days = date(year, month, day).toordinal() - _EPOCH_DAY
    fraction_ms = int(((match[7] or "") + "000")[:3])
    wall_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms + days * _DAY_MS
    if match[8] is not None:
        offset_ms = (int(match[9]) * 60 + int(match[10])) * _MINUTE_MS
        wall_ms += -offset_ms if match[8] == "+" else offset_ms
    if not WALL_MIN_MS <= wall_ms <= WALL_MAX_MS:
        raise ValueError("must lie in the years 1 to 9999")
    return wall_ms


def format_wall(wall_ms: int) -> str:
    """Return `wall_ms` as RFC 3339 text in UTC with three digits of a second.

    Raises:
        ValueError: if the time falls outside years 1-9999.
    """
    if not WALL_MIN_MS <= wall_ms <= WALL_MAX_MS:
        raise ValueError("must lie in the years 1 to 9999")
    days, rest_ms = divmod(wall_ms, _DAY_MS)
    seconds, fraction_ms = divmod(rest_ms, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    day = date.fromordinal(days + _EPOCH_DAY)
    return f"{day.isoformat()}T{hour:02}:{minute:02}:{second:02}.{fraction_ms:03}Z"
