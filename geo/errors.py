"""The one error of this package: what is wrong about a place, and where in the input."""

from typing import NamedTuple


class Position(NamedTuple):
    """A place in WGS 84 degrees, longitude first."""

    lon: float
    lat: float


class GeoError(ValueError):
    """Input about places that cannot be accepted.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the offending part of the input, "" for all of it.
        reason: a permanent slug, for programs (`ring-not-closed`).
        detail: a sentence for people. It never repeats the submitted values.
        position: where on the map, when the fault has a place, else None.
    """

    def __init__(
        self, pointer: str, reason: str, detail: str, position: Position | None = None
    ) -> None:
        super().__init__(pointer, reason, detail, position)
        self.pointer = pointer
        self.reason = reason
        self.detail = detail
        self.position = position

    # `typing.override` comes with Python 3.12.
    def __str__(self) -> str:  # type: ignore[explicit-override]
        """One line for logs and consoles."""
        return f"{self.pointer or 'the document'}: {self.detail} ({self.reason})"
