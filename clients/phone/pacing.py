"""When a phone may speak again: healthy pacing, backing off with jitter, and a retry budget.

A phone never gives up and never drops work; it only waits. The budget keeps ten thousand phones
from turning one slow minute of the server into a storm.
"""

from dataclasses import dataclass, replace

WAIT_FIRST_S = 2
WAIT_MAX_S = 900
BUDGET_PER_REPLY = 0.1
BUDGET_MAX = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How often contact failed in a row, and how many quick retries are still allowed."""

    failures: int = 0
    budget: float = 1.0

    def after_reply(self) -> "Pacing":
        """Return the pacing after a reply: each earns a tenth of a retry."""
        return replace(self, failures=0, budget=min(BUDGET_MAX, self.budget + BUDGET_PER_REPLY))

    def after_failure(self, draw: float) -> tuple["Pacing", int]:
        """Return the pacing after a failure and the seconds to wait.

        `draw` is a number in [0, 1). The wait is drawn from all of `[0, limit]` (full jitter),
        where the limit doubles with each failure in a row up to 15 minutes. With the budget
        spent the limit is 15 minutes at once.
        """
        in_budget = self.budget >= 1
        limit_s = min(WAIT_MAX_S, WAIT_FIRST_S << min(self.failures, 10))
        wait_s = round(draw * (limit_s if in_budget else WAIT_MAX_S))
        spent = self.budget - 1 if in_budget else self.budget
        return Pacing(failures=self.failures + 1, budget=spent), wait_s
