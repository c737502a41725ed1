"""One incident with the people around it, for the tests of casework."""

from dataclasses import dataclass

from sync.known import Located
from sync.push import Settled
from tests.sync.backend import (
    GRID,
    HOUR,
    START,
    Backend,
    Device,
    uid,
)

REPORT, TASK_ID = uid("report"), uid("task of the report")
HERE = Located(grid=GRID, lon_e7=11, lat_e7=22, certain=False)


@dataclass
class Case:
    """One incident with the people around it."""

    backend: Backend
    worker: Device
    colleague: Device
    office: Device
    incident: str = ""

    def decide(self, act: str, **args: object) -> Settled:
        args = {key: each for key, each in args.items() if each is not None}
        return self.backend.do(self.office, self.incident, "incident", act=act, args=args)

    def on_task(self, device: Device, act: str, **args: object) -> Settled:
        return self.backend.do(device, TASK_ID, "task", act=act, args=args)

    def claim(self, device: Device, act: str, hour: float, **rest: object) -> Settled:
        """A claim at a true hour, pushed soon after, based on the task's present revision."""
        at_ms = START + int(hour * HOUR)
        rest.setdefault("received_ms", at_ms + HOUR // 4)
        rest.setdefault("args", {})
        return self.backend.do(device, TASK_ID, "task", act=act, at_ms=at_ms, **rest)

    @property
    def state(self) -> tuple[str, int]:
        seen = self.backend.state(self.incident)
        return seen["status"], seen["epoch"]

    @property
    def task_state(self) -> tuple[str, int]:
        seen = self.backend.state(TASK_ID)
        return seen["status"], seen["epoch"]

    def claims(self) -> list[dict[str, object]]:
        states = [self.backend.state(each) for each in self.backend.stored]
        return [each for each in states if each.get("act") and each["parent"] == TASK_ID]
