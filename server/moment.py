"""The `as_of` parameter: one moment at which boundaries are looked at."""

from typing import Annotated

from pydantic import Field

from server.problems import InvalidParameter
from sync.rfc3339 import parse_wall

INSTANT_CHARS_MAX = 80

AsOf = Annotated[
    str | None,
    Field(
        max_length=INSTANT_CHARS_MAX,
        description="An RFC 3339 instant: boundaries as they were then. Without it, as now.",
    ),
]


def moment(as_of: str | None) -> int | None:
    """Return the instant in milliseconds UTC, None without one.

    Raises:
        InvalidParameter: if it is no RFC 3339 date-time with an offset.
    """
    if as_of is None:
        return None
    try:
        return parse_wall(as_of)
    except ValueError as fault:
        raise InvalidParameter(f"as_of: {fault}", parameter="as_of") from None
