"""What an import did, or why it did nothing: counts, refused rows, faults of the coverage."""

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
class CoverageFault:
    """Grids that do not tile: `fault` is `overlap` or `gap`, with area and a place in it."""

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
    news: DivisionNews | None = None

    @property
    def ok(self) -> bool:
        """Whether every row was (or in a dry run: could be) written."""
        return not self.refused and not any(each.refused for each in self.coverage)

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
            "coverage": [asdict(each) for each in self.coverage[:LISTED_MAX]],
        } | ({} if self.news is None else {"news": self.news.as_json(LISTED_MAX)})

    def lines(self) -> Iterator[str]:
        """Yield the report as readable lines."""
        mode = " (dry run, nothing written)" if self.dry_run else ""
        yield (
            f"{self.kind}: {self.rows} rows read, {self.created} created, "
            f"{self.changed} changed, {self.unchanged} unchanged, "
            f"{len(self.refused)} refused{mode}"
        )
        faults = [*map(str, self.refused), *map(str, self.coverage)]
        yield from (f"  {each}" for each in faults[:LISTED_MAX])
        if len(faults) > LISTED_MAX:
            yield f"  and {len(faults) - LISTED_MAX} more"
        if self.news is not None:
            yield from self.news.lines(LISTED_MAX)
