"""What the demo found out: as JSON for scripts and as text for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.checks import Corrected, Findings
from demo.clocks import office_time
from demo.queries import OpenConflict
from demo.worker import Traffic

CONFLICTS_SHOWN = 6
FINDINGS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything the summary shows. `mutations` counts those phones hold as settled."""

    seconds: float
    start_ms: int
    records: Mapping[str, int]
    deeds: Mapping[str, int]
    office: Mapping[str, int]
    outcomes: Mapping[str, int]
    clocks: Mapping[str, int]
    times: Mapping[str, Corrected]
    conflicts: Sequence[OpenConflict]
    findings: Findings
    traffic: Mapping[str, Traffic]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return self.findings.kept


def total(values: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts by name."""
    sums: dict[str, int] = {}
    for counts in values:
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
    return dict(sorted(sums.items()))


def as_json(result: Result) -> dict[str, Any]:
    """Return the summary for scripts; the names are a contract."""
    traffic = result.traffic.values()
    return {
        "seconds": round(result.seconds, 1),
        "devices": len(result.traffic),
        "mutations": sum(result.outcomes.values()),
        "outcomes": dict(result.outcomes),
        "conflicts_open": len(result.conflicts),
        "acknowledged_lost": len(result.findings.lost),
        "applied_twice": len(result.findings.twice),
        "replicas_diverged": len(result.findings.diverged),
        "bytes_up": sum(each.bytes_up for each in traffic),
        "bytes_down": sum(each.bytes_down for each in traffic),
        "round_trips": sum(each.round_trips for each in traffic),
    }


def show(result: Result, out: Console) -> None:
    """Print the summary."""
    out.print()
    out.print(f"[bold]The day of {office_time(result.start_ms)[:10]}[/bold], simulated:")
    out.print(_counted("Records in the store", "kind", result.records))
    out.print(_counted("Work done on phones, offline", "deed", result.deeds))
    out.print("Reports: natures, rhythm and clustering are mapped from real request streams.")
    out.print(_counted("Steps of the dispatcher, online", "step", result.office))
    out.print(_counted("Mutations of phones by outcome", "outcome", result.outcomes))
    out.print(_counted("Clocks of the phones", "clock", result.clocks))
    out.print(_times(result.times))
    faults = total(each.faults for each in result.traffic.values())
    out.print(_counted("What the networks did to requests", "fault", faults))
    _show_conflicts(result.conflicts, out)
    out.print(_traffic(result.traffic))
    _show_promises(result, out)


def _counted(title: str, name: str, counts: Mapping[str, int]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=44)
    table.add_column(name)
    table.add_column("count", justify="right")
    for each, count in counts.items():
        table.add_row(each, f"{count:,}")
    return table


def _times(times: Mapping[str, Corrected]) -> Table:
    """Whatever the phones' clocks said: how far corrected times are from the true ones."""
    title = "Corrected times against the true ones"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("quality")
    for column in ("deeds", "largest error, s"):
        table.add_column(column, justify="right")
    for quality, each in sorted(times.items()):
        table.add_row(quality, f"{each.count:,}", f"{each.error_ms / 1000:.1f}")
    return table


def _show_conflicts(conflicts: Sequence[OpenConflict], out: Console) -> None:
    table = Table(title="Conflicts kept for review", title_justify="left", title_style="bold")
    for column in ("record", "field", "value", "other value", "live meanwhile"):
        table.add_column(column)
    for conflict in conflicts[:CONFLICTS_SHOWN]:
        values = [str(choice["value"]) for choice in json.loads(conflict.choices)]
        record = f"{conflict.kind} …{conflict.record[-6:]}"
        live = str(json.loads(conflict.live))
        table.add_row(record, conflict.field, values[0], ", ".join(values[1:]), live)
    out.print(table)
    if len(conflicts) > CONFLICTS_SHOWN:
        out.print(f"and {len(conflicts) - CONFLICTS_SHOWN} more")


def _traffic(traffic: Mapping[str, Traffic]) -> Table:
    table = Table(title="Traffic of each phone", title_justify="left", title_style="bold")
    for column in ("phone", "contacts", "round trips", "bytes up", "bytes down"):
        table.add_column(column, justify="left" if column == "phone" else "right")
    for login, each in traffic.items():
        counts = (each.contacts, each.round_trips, each.bytes_up, each.bytes_down)
        table.add_row(login, *(f"{count:,}" for count in counts))
    return table


def _show_promises(result: Result, out: Console) -> None:
    findings, phones = result.findings, len(result.traffic)
    table = Table(title="Promises", title_justify="left", title_style="bold")
    for column in ("promise", "found", ""):
        table.add_column(column)
    equal = phones - len(findings.diverged)
    rows = (
        ("replicas equal to the server by digest", f"{equal} of {phones}", findings.diverged),
        ("acknowledged mutations lost", str(len(findings.lost)), findings.lost),
        ("mutations applied twice", str(len(findings.twice)), findings.twice),
    )
    for promise, found, faults in rows:
        table.add_row(promise, found, "BROKEN" if faults else "kept")
    out.print(table)
    for fault in (*findings.diverged, *findings.lost, *findings.twice)[:FINDINGS_SHOWN]:
        out.print(f"  {fault}")
    out.print(f"{result.seconds:.1f} seconds in all")
