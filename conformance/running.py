"""Play scenarios one after the other, each in a town of its own, and say how they ended."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance import endings, outbox, replica, trouble
from conformance.audit import audit
from conformance.contract import Client, ContractBroken, Refused
from conformance.scenario import Scenario
from conformance.stage import Broken, Stage
from conformance.town import Plot, Town, build_plot
from conformance.wire import Wire
from server.clock import continue_from, ticks_s

SCENARIOS: tuple[Scenario, ...] = (
    *replica.SCENARIOS,
    *endings.SCENARIOS,
    *outbox.SCENARIOS,
    *trouble.SCENARIOS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one scenario ended. `fault` says what the client did wrong, None if nothing."""

    scenario: Scenario
    fault: str | None
    calls: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the client did what it must."""
        return self.fault is None


def certify(
    client: Client, wanted: Iterable[Scenario], *, folder: Path, plot: Plot | None = None
) -> Iterator[Result]:
    """Play the wanted scenarios with a client; yield each result. The client ends with it.

    `folder` is where everything is kept; `plot` is a town that was built before.

    Raises:
        TownNotBuilt: if our own side does not come up.
    """
    town = plot or build_plot(folder)
    wire = Wire()
    try:
        for scenario in wanted:
            with tempfile.TemporaryDirectory(prefix=scenario.name, dir=folder) as own:
                yield _played(scenario, town, Path(own), client=client, wire=wire)
    finally:
        client.kill()
        wire.close()
        continue_from(None)


def _played(
    scenario: Scenario, plot: Plot, folder: Path, *, client: Client, wire: Wire
) -> Result:
    begun_s = ticks_s()
    phone = folder / "phone"
    phone.mkdir()
    continue_from(None)
    with Town(plot, folder) as town:
        wire.lead_to(town.url)
        fault = _fault(scenario, Stage(client=client, wire=wire, town=town, folder=phone))
        calls = len(wire.exchanges)
    return Result(scenario=scenario, fault=fault, calls=calls, seconds=ticks_s() - begun_s)


def _fault(scenario: Scenario, stage: Stage) -> str | None:
    """Play a scenario and then look at every call it made."""
    try:
        scenario.play(stage)
        audit(stage.wire.syncs())
    except Broken as broken:
        return str(broken)
    except Refused as refused:
        return f"answers with an error: {refused}"
    except ContractBroken as broken:
        stage.client.kill()
        return f"breaks the contract: {broken}"
    return None
