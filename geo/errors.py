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
        super().__init__(f"{pointer or 'the document'}: {detail} ({reason})")
        self.pointer = pointer
        self.reason = reason
        self.detail = detail
        self.position = position
