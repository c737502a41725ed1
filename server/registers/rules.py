"""What a register may hold by its purpose, and how a cell is made safe for spreadsheets."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sync.holding import Purpose

ROWS_MAX: Final = 1_000
DAYS_MAX: Final = 30
DAY_MS: Final = 86_400_000
_BEGINS_FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - wide ones are taken too


@dataclass(frozen=True, slots=True)
class Allowed:
    """The kind of record that has a row of its own, and the columns that may be asked for."""

    kind: str
    columns: tuple[str, ...]


ALLOWED: Final[Mapping[Purpose, Allowed]] = MappingProxyType(
    {
        Purpose.VISITS: Allowed(
            "household",
            (
                "dwelling",
                "address",
                "door",
                "contact_phone",
                "visit_preference",
                "languages",
                "last_verified_ms",
            ),
        ),
        Purpose.REGISTRY: Allowed(
            "resident", ("dwelling", "address", "door", "name", "birth_year", "status")
        ),
        Purpose.SERVICE: Allowed(
            "household", ("dwelling", "address", "size_band", "status", "languages")
        ),
    }
)


def safe(value: object) -> str:
    """Return a value as the text of a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in _BEGINS_FORMULA else text


def mark_of(*, login: str, purpose: str, register: str, made: str, until: str) -> str:
    """Return the watermark: who took the file, when, what for, and until when it is good."""
    return f"{login} | {made} | {purpose} | {register} | destroy by {until}"
