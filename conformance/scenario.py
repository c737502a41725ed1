"""What a scenario is: a name, the rule of the protocol it certifies, and how it is played."""

from collections.abc import Callable
from dataclasses import dataclass

from conformance.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One *must* of the protocol. `rule` names the page and place under `docs/protocol`."""

    name: str
    rule: str
    must: str
    play: Callable[[Stage], None]
