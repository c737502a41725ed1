"""What a piece of a file is planned with."""

from dataclasses import dataclass

from server.imports.report import ImportReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The report of one piece, and the span of area numbers that may be written."""

    report: ImportReport
    span: tuple[int, int] | None = None
