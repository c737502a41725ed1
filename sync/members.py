"""Reading the members of a JSON object that came over the wire, strictly and one at a time.

Every reader returns the checked value or raises `ProtocolError` with the pointer of the member.
A value is never repeated in an error, and neither is a name the protocol does not know, unless
it looks like a member name: both may be personal data.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from sync.errors import ProtocolError
from sync.fields import INT_LIMIT, is_name
from sync.rfc3339 import parse_wall

DEPTH_MAX = 32


class Members:
    """The members of one JSON object at `pointer`."""

    __slots__ = ("_members", "pointer")

    def __init__(self, value: Any, pointer: str = "") -> None:
        if not isinstance(value, dict):
            raise ProtocolError(pointer, "must be an object")
        self._members: dict[str, Any] = value
        self.pointer = pointer

    def at(self, name: str) -> str:
        """Return the pointer of member `name`."""
        return f"{self.pointer}/{name}"

    def only(self, names: AbstractSet[str]) -> "Members":
        """Return self, or raise if a member outside `names` is present."""
        for name in sorted(self._members.keys() - names):
            pointer = self.at(name) if is_name(name) else self.pointer
            raise ProtocolError(pointer, "is not a member the protocol knows")
        return self

    def has(self, name: str) -> bool:
        """Say whether `name` is present with a value other than null."""
        return self._members.get(name) is not None

    def value(self, name: str) -> Any:
        """Return the member as it is, or raise if it is absent."""
        if name not in self._members:
            raise ProtocolError(self.at(name), "is required")
        return self._members[name]

    def text(self, name: str, *, max_chars: int, min_chars: int = 1) -> str:
        """Return text of `min_chars` to `max_chars` characters."""
        value = self.value(name)
        if not isinstance(value, str):
            raise ProtocolError(self.at(name), "must be text")
        if not min_chars <= len(value) <= max_chars:
            raise ProtocolError(
                self.at(name), f"must have {min_chars} to {max_chars} characters"
            )
        return value

    def maybe_text(self, name: str, *, max_chars: int) -> str | None:
        """Return text, or None if the member is absent or null."""
        return self.text(name, max_chars=max_chars) if self.has(name) else None

    def integer(self, name: str, *, low: int = 0, high: int = INT_LIMIT) -> int:
        """Return an integer from `low` to `high`, both included."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ProtocolError(self.at(name), "must be an integer")
        if not low <= value <= high:
            raise ProtocolError(self.at(name), f"must be from {low} to {high}")
        return value

    def maybe_integer(self, name: str, *, low: int = 0, high: int = INT_LIMIT) -> int | None:
        """Return an integer, or None if the member is absent or null."""
        return self.integer(name, low=low, high=high) if self.has(name) else None

    def flag(self, name: str, *, absent: bool = False) -> bool:
        """Return true or false; an absent member is `absent`."""
        value = self._members.get(name, absent)
        if not isinstance(value, bool):
            raise ProtocolError(self.at(name), "must be true or false")
        return value

    def wall_ms(self, name: str) -> int:
        """Return the milliseconds since 1970-01-01 UTC of an RFC 3339 member."""
        text = self.text(name, max_chars=40)
        try:
            return parse_wall(text)
        except ValueError as error:
            raise ProtocolError(
                self.at(name), "must be an RFC 3339 date-time with an offset"
            ) from error

    def matching(self, name: str, pattern: re.Pattern[str], reason: str) -> str:
        """Return text that matches `pattern` completely."""
        value = self.value(name)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise ProtocolError(self.at(name), reason)
        return value

    def array(self, name: str, *, limit: int | None = None) -> list[Any]:
        """Return an array of at most `limit` items; an absent member is an empty array."""
        value = self._members.get(name, [])
        if not isinstance(value, list):
            raise ProtocolError(self.at(name), "must be an array")
        if limit is not None and len(value) > limit:
            raise ProtocolError(self.at(name), f"must have at most {limit} items")
        return value

    def texts(self, name: str, *, max_chars: int) -> tuple[str, ...]:
        """Return an array of texts; an absent member is an empty one."""
        for position, value in enumerate(self.array(name)):
            if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
                raise ProtocolError(
                    f"{self.at(name)}/{position}",
                    f"must be text of 1 to {max_chars} characters",
                )
        return tuple(self.array(name))

    def object(self, name: str) -> dict[str, Any]:
        """Return an object as it is; an absent member, or a null, is an empty one."""
        value = self._members.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ProtocolError(self.at(name), "must be an object")
        return value

    def members(self, name: str) -> "Members":
        """Return the members of a required object."""
        return Members(self.value(name), self.at(name))


def number_fault(value: Any, depth: int = 0) -> str | None:
    """Return why `value` cannot be canonical JSON the same in every language, or None.

    There are no fractions on the wire, integers lie within +-2**53, and nesting is limited.
    """
    if isinstance(value, float):
        return "must not hold a number with a fraction or exponent"
    if isinstance(value, int):
        return (
            None if -INT_LIMIT <= value <= INT_LIMIT else "must not hold such a large integer"
        )
    if depth >= DEPTH_MAX:
        return "must not be nested so deeply"
    children: Iterable[Any] = ()
    if isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list):
        children = value
    faults = (number_fault(child, depth + 1) for child in children)
    return next((fault for fault in faults if fault is not None), None)
