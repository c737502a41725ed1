"""What a run of the harness found, as a line for people and as JSON."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Report:
    """One class of faults on one database.

    `lost`, `twice`, `stuck` and `bare_500s` must be 0. `breaches` says what else was not as
    promised, one sentence each, without values. `defects` are places where the server met an
    exception it did not expect; they tell where to look. `figures` are measured, not judged.
    """

    faults: str
    database: str
    injected: int = 0
    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    stuck: int = 0
    bare_500s: int = 0
    retries: int = 0
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Say whether every promise was kept."""
        return not (self.lost or self.twice or self.stuck or self.bare_500s or self.breaches)

    @property
    def findings(self) -> list[str]:
        """The promises that were broken, by the name of their check."""
        counted = {
            "lost": self.lost,
            "twice": self.twice,
            "stuck": self.stuck,
            "bare-500": self.bare_500s,
        }
        return [name for name, count in counted.items() if count] + sorted(
            {each.partition(":")[0] for each in self.breaches}
        )

    def breach(self, check: str, what: str) -> None:
        """Note a broken promise under the name of the check that saw it."""
        self.breaches.append(f"{check}: {what}")

    def line(self) -> str:
        """The report as one line."""
        shown = (
            f"{self.faults} on {self.database}: {self.injected} faults, "
            f"{self.acknowledged} acknowledged, {self.lost} lost, {self.twice} twice, "
            f"{self.stuck} stuck, {self.bare_500s} bare 500s, {self.retries} retries, "
            f"{self.seconds:.1f} s"
        )
        return "\n  ".join([shown, *dict.fromkeys(self.breaches), *self.defects])

    def as_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(asdict(self) | {"clean": self.is_clean}, ensure_ascii=False)


@contextmanager
def reporting(faults: str, database: str) -> Iterator[Report]:
    """A report that measures the time until the block ends."""
    report = Report(faults=faults, database=database)
    begun = time.monotonic()
    try:
        yield report
    finally:
        report.seconds = round(time.monotonic() - begun, 2)
