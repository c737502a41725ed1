"""The dispatcher at a desk: online, through the same HTTP interface everybody has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from clients.console import Console, Refused
from demo.chance import SeededChance
from demo.crew import WorkerPlan
from server.imports.areas import area_id

REJECT_SHARE, DISPATCH_SHARE, FAIL_SHARE = 0.08, 0.85, 0.12
CALLS = 6
CHOICES = 2
RESOLVED_MAX, VOIDED_MAX = 2, 6
PAGE_ROWS = 200
RACED = frozenset({"precondition-failed", "transition-refused"})


@dataclass(slots=True, kw_only=True)
class Desk:
    """What the dispatcher did, by step."""

    steps: dict[str, int] = field(default_factory=dict)

    def count(self, step: str) -> None:
        """Add one."""
        self.steps[step] = self.steps.get(step, 0) + 1


class Dispatcher:
    """Dispatches, verifies and closes incidents, edits households, settles conflicts.

    `logins` says who works in a grid, by grid id.
    """

    def __init__(
        self, http: httpx.Client, token: str, crew: Sequence[WorkerPlan], *, seed: int
    ) -> None:
        self._console = Console(http, token)
        self._chance = SeededChance(seed, "dispatcher")
        self._logins: dict[str, list[str]] = {}
        for worker in crew:
            for code in worker.grids:
                self._logins.setdefault(area_id(code), []).append(worker.login)
        self.desk = Desk()

    def _incidents(self, state: str) -> list[Mapping[str, Any]]:
        return list(self._console.items("/v1/incidents", state=state, limit=PAGE_ROWS))

    def _step(self, incident: Mapping[str, Any], act: str, body: Any = None) -> bool:
        """Take one step and say whether it was taken: a phone may have been faster."""
        path = f"/v1/incidents/{incident['id']}/{act}"
        try:
            self._console.post(path, body, rev=incident["rev"])
        except Refused as refused:
            if refused.slug not in RACED:
                raise
            self.desk.count("refused, changed meanwhile")
            return False
        self.desk.count(act)
        return True

    def triage(self) -> None:
        """Decide about reports: turn down, file only, or dispatch to who works there."""
        for incident in self._incidents("reported"):
            logins = self._logins.get(incident["grid"] or "")
            if self._chance.happens(REJECT_SHARE):
                self._step(incident, "reject", {"text": "Nothing found on the photo"})
            elif logins is None or not self._chance.happens(DISPATCH_SHARE):
                self._step(incident, "register", {})
            else:
                order = {
                    "assignee": self._chance.pick(logins),
                    "instruction": "Please clear it",
                }
                self._step(incident, "dispatch", order)

    def call_off(self) -> None:
        """Void a few incidents whose workers are offline and go on working all the same."""
        running = [*self._incidents("in_progress"), *self._incidents("dispatched")]
        for incident in running[:VOIDED_MAX]:
            self._step(incident, "void", {"text": "Belongs to another district"})

    def check_work(self) -> None:
        """Verify what was handled, and close what passed."""
        for incident in self._incidents("handled"):
            failed = self._chance.happens(FAIL_SHARE)
            body = {"result": "fail", "text": "Still dirty"} if failed else {"result": "pass"}
            self._step(incident, "verify", body)
        for incident in self._incidents("checking"):
            self._step(incident, "close", {})

    def take_calls(self) -> None:
        """Change households on the telephone while workers may be changing them offline."""
        households: list[Mapping[str, Any]] = []
        for grid in sorted(self._logins)[:CALLS]:
            page = self._console.get("/v1/households", grid=grid, limit=1)
            households += page["items"]
        for household in households:
            number = f"000-{self._chance.below(10_000):04}-0000"
            path = f"/v1/households/{household['id']}"
            self._console.patch(path, {"contact_phone": number}, rev=household["rev"])
            self.desk.count("household changed")

    def settle_conflicts(self) -> None:
        """Settle a few conflicts; the others stay open for whoever watches the demo."""
        conflicts = list(self._console.items("/v1/conflicts", status="open", limit=PAGE_ROWS))
        for conflict in conflicts[:RESOLVED_MAX]:
            other = len(conflict["values"]) == CHOICES and not conflict["values"][-1]["live"]
            act = "take-other" if other else "accept"
            path = f"/v1/conflicts/{conflict['id']}/{act}"
            self._console.post(path, {}, rev=conflict["rev"])
            self.desk.count("conflict settled")
