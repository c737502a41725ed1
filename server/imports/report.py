"""What an import did, or why it did nothing: counts, refused rows, faults of the coverage."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from server.imports.news import DivisionNews

LISTED_MAX = 200
FAULTS_MAX: Final = 100_000
"""Faults that are kept with their place; of further ones only the number is."""
REPORT_COLUMNS: Final = ("row", "column", "code", "reason", "proposal", "cells")


class Code(StrEnum):
    """Why a row is refused, for programs; the reason says it to people."""

    FILE = "file"
    INVALID = "invalid-value"
    UNKNOWN = "unknown-reference"
    REPEATED = "repeated"
    OUTSIDE = "outside-your-area"
    MERGED_RECORD = "record-merged"
    RULES = "refused-by-rules"
    ENCODING = "other-encoding"
    TOO_MANY_CELLS = "too-many-cells"
    FORMULA = "formula"
    ERROR_VALUE = "error-value"
    MERGED_CELLS = "merged-cells"
    NUMBER_FOR_TEXT = "number-for-text"
    DATE_FOR_TEXT = "date-for-text"
    FLAG_FOR_TEXT = "flag-for-text"
    DIGITS_LOST = "digits-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """One row that is refused: where and why, without its content (it may be personal).

    `row` counts lines of a CSV file with the header as 1, or features from 1; 0 is the whole
    file. `proposal` says what to do about it when that is known, `cells` is the range of merged
    cells.
    """

    row: int
    column: str
    reason: str
    proposal: str = ""
    code: Code = Code.INVALID
    cells: str = ""

    @override
    def __str__(self) -> str:
        place = f"row {self.row}" if self.row else "file"
        column = f", {self.column}" if self.column else ""
        advice = f" ({self.proposal})" if self.proposal else ""
        cells = f" {self.cells}" if self.cells else ""
        return f"{place}{column}: {self.reason}{cells}{advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A polygon that was repaired because that was asked for: why, and both areas in m2.

    `drawn_m2` counts one side of a ring that crosses itself against the other.
    """

    row: int
    reason: str
    drawn_m2: float
    repaired_m2: float

    @property
    def change_m2(self) -> float:
        """How much larger the polygon became; negative if it became smaller."""
        return self.repaired_m2 - self.drawn_m2

    def as_json(self) -> dict[str, Any]:
        """Return the repair as JSON values, areas to the square centimetre."""
        return {
            "row": self.row,
            "reason": self.reason,
            "drawn_m2": round(self.drawn_m2, 4),
            "repaired_m2": round(self.repaired_m2, 4),
            "change_m2": round(self.change_m2, 4),
        }

    @override
    def __str__(self) -> str:
        return (
            f"row {self.row}, geometry: repaired ({self.reason}); {self.drawn_m2:.2f} m2 as "
            f"drawn, {self.repaired_m2:.2f} m2 now, {self.change_m2:+.2f} m2"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFault:
    """Grids that do not tile, with area and a place in it.

    `fault` is `overlap`, `gap`, or `edges` for a grid whose edges do not meet its neighbours'
    corner for corner (area 0).
    """

    fault: str
    grids: tuple[str, ...]
    area_m2: float
    lon: float
    lat: float
    refused: bool

    @override
    def __str__(self) -> str:
        grids = ", ".join(self.grids)
        verdict = "refused" if self.refused else "noted"
        place = f"{self.lon:.6f} {self.lat:.6f}"
        return f"{self.fault} of {self.area_m2:.2f} m2 at {place} between {grids} ({verdict})"


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """The result of one import.

    When `ok` is false the counts say what was written before the fault was met: nothing, unless
    another writer changed the store during the import.
    """

    kind: str
    dry_run: bool = False
    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[RowFault] = field(default_factory=list)
    unlisted: int = 0
    coverage: list[CoverageFault] = field(default_factory=list)
    repaired: list[Repair] = field(default_factory=list)
    news: DivisionNews | None = None

    @property
    def ok(self) -> bool:
        """Whether every row was (or in a dry run: could be) written."""
        return not self.refused and not any(each.refused for each in self.coverage)

    @property
    def refused_rows(self) -> int:
        """How many rows have a fault that is listed."""
        return len({each.row for each in self.refused if each.row})

    @property
    def coverage_counts(self) -> dict[str, int]:
        """How many faults of the coverage there are of each sort."""
        return dict(sorted(Counter(each.fault for each in self.coverage).items()))

    def refuse(
        self,
        row: int,
        column: str,
        reason: str,
        proposal: str = "",
        *,
        code: Code | None = None,
    ) -> None:
        """Note a fault of one row, or with row 0 of the whole file."""
        kept = code or (Code.INVALID if row else Code.FILE)
        self.add(RowFault(row=row, column=column, reason=reason, proposal=proposal, code=kept))

    def add(self, fault: RowFault) -> None:
        """Note a fault, with its place unless there are too many."""
        if len(self.refused) < FAULTS_MAX:
            self.refused.append(fault)
        else:
            self.unlisted += 1

    def as_json(self, listed: int = LISTED_MAX) -> dict[str, Any]:
        """Return the report as JSON values; at most `listed` faults of a sort."""
        return {
            "kind": self.kind,
            "dry_run": self.dry_run,
            "ok": self.ok,
            "rows": self.rows,
            "created": self.created,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "refused_rows": self.refused_rows,
            "refused_count": len(self.refused) + self.unlisted,
            "refused": [asdict(each) for each in self.refused[:listed]],
            "coverage_count": len(self.coverage),
            "coverage_counts": self.coverage_counts,
            "coverage": [asdict(each) for each in self.coverage[:listed]],
            "repaired_count": len(self.repaired),
            "repaired": [each.as_json() for each in self.repaired[:listed]],
        } | ({} if self.news is None else {"news": self.news.as_json(listed)})

    def lines(self) -> Iterator[str]:
        """Yield the report as readable lines."""
        mode = " (dry run, nothing written)" if self.dry_run else ""
        yield (
            f"{self.kind}: {self.rows} rows read, {self.created} created, "
            f"{self.changed} changed, {self.unchanged} unchanged, "
            f"{len(self.refused) + self.unlisted} refused{mode}"
        )
        if self.coverage:
            counts = (f"{number} {fault}" for fault, number in self.coverage_counts.items())
            yield f"  coverage: {', '.join(counts)}"
        faults = [*map(str, self.refused), *map(str, self.repaired), *map(str, self.coverage)]
        yield from (f"  {each}" for each in faults[:LISTED_MAX])
        if len(faults) > LISTED_MAX:
            yield f"  and {len(faults) - LISTED_MAX} more"
        if self.news is not None:
            yield from self.news.lines(LISTED_MAX)

    def write_faults(self, path: Path) -> None:
        """Write every fault that is listed as a line of a CSV file."""
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(REPORT_COLUMNS)
            for each in self.refused:
                lines.writerow([str(getattr(each, name)) for name in REPORT_COLUMNS])
