"""What an import did, or why it did nothing: counts, refused rows, faults of the coverage."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from typing_extensions import override

from server.imports.news import DivisionNews

LISTED_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """One row that is refused: where and why, without its content (it may be personal).

    `row` counts lines of a CSV file with the header as 1, or features from 1; 0 is the whole
    file. `proposal` says what to do about it when that is known.
    """

    row: int
    column: str
    reason: str
    proposal: str = ""

    @override
    def __str__(self) -> str:
        place = f"row {self.row}" if self.row else "file"
        column = f", {self.column}" if self.column else ""
        advice = f" ({self.proposal})" if self.proposal else ""
        return f"{place}{column}: {self.reason}{advice}"


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
    coverage: list[CoverageFault] = field(default_factory=list)
    repaired: list[Repair] = field(default_factory=list)
    news: DivisionNews | None = None

    @property
    def ok(self) -> bool:
        """Whether every row was (or in a dry run: could be) written."""
        return not self.refused and not any(each.refused for each in self.coverage)

    @property
    def coverage_counts(self) -> dict[str, int]:
        """How many faults of the coverage there are of each sort."""
        return dict(sorted(Counter(each.fault for each in self.coverage).items()))

    def refuse(self, row: int, column: str, reason: str, proposal: str = "") -> None:
        """Note a fault of one row, or with row 0 of the whole file."""
        fault = RowFault(row=row, column=column, reason=reason, proposal=proposal)
        self.refused.append(fault)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; at most `LISTED_MAX` faults of a sort."""
        return {
            "kind": self.kind,
            "dry_run": self.dry_run,
            "ok": self.ok,
            "rows": self.rows,
            "created": self.created,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "refused_count": len(self.refused),
            "refused": [asdict(each) for each in self.refused[:LISTED_MAX]],
            "coverage_count": len(self.coverage),
            "coverage_counts": self.coverage_counts,
            "coverage": [asdict(each) for each in self.coverage[:LISTED_MAX]],
            "repaired_count": len(self.repaired),
            "repaired": [each.as_json() for each in self.repaired[:LISTED_MAX]],
        } | ({} if self.news is None else {"news": self.news.as_json(LISTED_MAX)})

    def lines(self) -> Iterator[str]:
        """Yield the report as readable lines."""
        mode = " (dry run, nothing written)" if self.dry_run else ""
        yield (
            f"{self.kind}: {self.rows} rows read, {self.created} created, "
            f"{self.changed} changed, {self.unchanged} unchanged, "
            f"{len(self.refused)} refused{mode}"
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
