"""What a field may hold: types with limits, merge policy and data class, declared once.

A `FieldType` answers one question, `fault(value)`: None when the value may be stored, else a
short English reason that never repeats the value (it may be personal data). `None` clears a
field and is checked by the caller, not here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

INT_LIMIT = 2**53
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_MEDIA = re.compile(r"sha256:[0-9a-f]{64}")


class Policy(StrEnum):
    """How the winner among concurrent heads is chosen (protocol section 4).

    LATEST: greatest `(at_ms, device, n)`. SERVER_WINS: a console's head beats a phone's, then
    LATEST. MAX: greatest value. REVIEW: the earliest stays live until a person decides.
    """

    LATEST = "latest"
    SERVER_WINS = "server_wins"
    MAX = "max"
    REVIEW = "review"


class DataClass(StrEnum):
    """P0 not personal, P1 personal, P2 sensitive personal (domain reference, section 4)."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"


class FieldType(Protocol):
    """What may be stored in a field."""

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Unicode text of 1..`max_chars` characters, no control characters but newline and tab."""

    max_chars: int
    pattern: str | None = None

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        if not isinstance(value, str):
            return "must be text"
        if not 1 <= len(value) <= self.max_chars:
            return f"must have 1 to {self.max_chars} characters"
        if _CONTROL.search(value) is not None:
            return "must not contain control characters"
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return f"must match {self.pattern}"
        return None


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer from `low` to `high`, both included."""

    low: int = -INT_LIMIT
    high: int = INT_LIMIT

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        if isinstance(value, bool) or not isinstance(value, int):
            return "must be an integer"
        if not self.low <= value <= self.high:
            return f"must be from {self.low} to {self.high}"
        return None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        return None if isinstance(value, bool) else "must be true or false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed list of words."""

    words: tuple[str, ...]

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        if isinstance(value, str) and value in self.words:
            return None
        return f"must be one of {', '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Ref:
    """The id of a record of `kind` (a UUID in lower-case canonical form)."""

    kind: str

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        if isinstance(value, str) and _ID.fullmatch(value):
            return None
        return f"must be the id of a {self.kind}"


@dataclass(frozen=True, slots=True)
class Media:
    """The content hash of a photo or recording, `sha256:` and 64 hex digits."""

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        if isinstance(value, str) and _MEDIA.fullmatch(value):
            return None
        return "must be sha256: and 64 hexadecimal digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a kind.

    `phone` says whether a phone may hold it; `derived` fields are written by the server only,
    so an author who sets one is told `unknown-field`.
    """

    name: str
    type: FieldType
    policy: Policy = Policy.LATEST
    data_class: DataClass = DataClass.P0
    required: bool = False
    immutable: bool = False
    derived: bool = False
    phone: bool = True


def is_id(value: Any) -> bool:
    """Say whether `value` is a UUID in lower-case canonical form, the only form ids have."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_name(value: Any) -> bool:
    """Say whether `value` could be the name of a kind, field, act or member."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
