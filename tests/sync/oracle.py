"""The merge rule said once more, from the whole history and without increments.

Every value ever accepted is kept with its revision; what stands, what was shown and what is
kept is computed anew from that list each time a question is asked.
"""

from dataclasses import dataclass, field
from typing import Any

from sync.fields import Policy


@dataclass(frozen=True, kw_only=True)
class Said:
    value: Any
    rev: int
    base: int
    device: str
    n: int
    at_ms: int
    console: bool
    decisive: bool = False


def _replaces(later: Said, earlier: Said) -> bool:
    own = later.device == earlier.device and later.n > earlier.n
    return own or (later.device != earlier.device and later.base >= earlier.rev)


@dataclass
class FieldHistory:
    """Everything said about one field."""

    policy: Policy
    blank: Any = None
    said: list[Said] = field(default_factory=list)

    def heads(self, until_rev: int | None = None) -> list[Said]:
        said = [each for each in self.said if until_rev is None or each.rev <= until_rev]
        return [one for one in said if not any(_replaces(other, one) for other in said)]

    def winner(self, until_rev: int | None = None) -> Said | None:
        heads = self.heads(until_rev)
        if not heads:
            return None
        by_time = sorted(heads, key=lambda each: (each.at_ms, each.device, each.n))
        match self.policy:
            case Policy.LATEST:
                return by_time[-1]
            case Policy.REVIEW:
                return by_time[0]
            case Policy.SERVER_WINS:
                return ([each for each in by_time if each.console] or by_time)[-1]
            case Policy.MAX:
                values = [each.value for each in by_time if each.value is not None]
                best = max(values, default=None)
                return [each for each in by_time if each.value == best][-1]

    def shown(self, until_rev: int | None = None) -> Any:
        winner = self.winner(until_rev)
        return self.blank if winner is None else winner.value

    def seen(self, device: str, base: int) -> Any:
        """What an author was looking at: the device's own newer value, else what was shown."""
        own = [each for each in self.said if each.device == device and each.rev > base]
        return own[-1].value if own else self.shown(base)

    def kept(self) -> list[Said]:
        """Values that were replaced and that nobody who replaced them had been shown."""
        if self.policy is Policy.MAX:
            return []
        return [one for one in self.said if self._is_kept(one)]

    def _is_kept(self, one: Said) -> bool:
        replacing = [other for other in self.said if _replaces(other, one)]
        return bool(replacing) and not any(self._had_seen(other, one) for other in replacing)

    def _had_seen(self, later: Said, one: Said) -> bool:
        if later.device == one.device or later.decisive:
            return True
        return bool(self.shown(later.base) == one.value)

    def values(self) -> set[Any]:
        """The distinct values of an open conflict."""
        if self.policy is Policy.MAX:
            return set()
        values = {each.value for each in (*self.heads(), *self.kept())}
        return values if len(values) > 1 else set()

    def asks_for_nothing(self, said: Said) -> bool:
        if said.decisive and self.values():
            return False
        return bool(self.seen(said.device, said.base) == said.value)
