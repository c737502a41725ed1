"""The plan of the day: who does what when. Pure; the same seed gives the same plan.

The minutes follow the rhythm of real requests, the places and natures of the reports the mapped
stream. What a deed is about (which household, which task) is decided when it is done, from what
the phone holds then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from demo.chance import SeededChance
from demo.clocks import DAY_MS, HOUR_MS, MINUTE_MS
from demo.crew import WorkerPlan
from demo.sources import Request


class Deed(StrEnum):
    """What a worker does with the phone, or what happens to it."""

    REPORT = "report"
    VISIT = "visit"
    EDIT = "edit"
    PAIR_EDIT = "pair edit"
    RESIDENT = "resident"
    NOTE = "note"
    TASKS = "tasks"
    SET_CLOCK = "clock set"
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One deed of one worker. `number` numbers the pair edits that two workers share."""

    at_ms: int
    worker: int
    deed: Deed
    request: Request | None = None
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTrouble:
    """How wrong a phone's wall clock is from the start, and what happens to it in the shift."""

    error_ms: int = 0
    set_to_ms: int | None = None
    reboots: bool = False


TASK_ROUNDS_MIN = (285, 330, 390, 430, 500, 540, 580)
SET_CLOCK_MINUTE, REBOOT_MINUTE = 200, 375
PAIR_EDIT_MINUTES = (35, 95, 310)
_RANGES = {
    Deed.VISIT: (5, 10),
    Deed.EDIT: (5, 10),
    Deed.RESIDENT: (0, 2),
    Deed.NOTE: (0, 2),
}
REPORTS = (5, 12)


def clock_trouble(index: int) -> ClockTrouble:
    """Return the trouble of the worker's clock: three in seven are wrong, one more restarts."""
    return {
        1: ClockTrouble(error_ms=3 * DAY_MS),
        3: ClockTrouble(error_ms=-2 * DAY_MS - 7 * HOUR_MS),
        4: ClockTrouble(set_to_ms=95 * MINUTE_MS),
        6: ClockTrouble(reboots=True),
    }.get(index % 7, ClockTrouble())


def clock_states(crew: Sequence[WorkerPlan]) -> dict[str, int]:
    """Count the phones by what is wrong with their clocks."""
    counts = {"right": 0, "wrong by days": 0, "set wrong in the shift": 0, "restarted": 0}
    for worker in crew:
        trouble = clock_trouble(worker.index)
        counts["wrong by days"] += trouble.error_ms != 0
        counts["set wrong in the shift"] += trouble.set_to_ms is not None
        counts["restarted"] += trouble.reboots
        counts["right"] += trouble == ClockTrouble()
    return counts


def plan_day(
    crew: Sequence[WorkerPlan], rhythm: Sequence[int], *, start_ms: int, seed: int
) -> list[Happening]:
    """Return everything that happens in the shift, in the order of time."""
    found: list[Happening] = []
    for worker in crew:
        chance = SeededChance(seed, "day", worker.login)
        found += _worked(worker, rhythm, chance, start_ms)
        found += _troubled(worker, start_ms)
    return sorted(found, key=lambda each: (each.at_ms, each.worker, each.deed))


def _worked(
    worker: WorkerPlan, rhythm: Sequence[int], chance: SeededChance, start_ms: int
) -> list[Happening]:
    opens = rhythm[0] - rhythm[0] % 60

    def instant(minute: float) -> int:
        return start_ms + int(minute * MINUTE_MS)

    def drawn() -> int:
        return instant(chance.pick(rhythm) - opens + chance.random())

    deeds = [
        Happening(at_ms=drawn(), worker=worker.index, deed=Deed.REPORT, request=request)
        for request in worker.requests[: chance.between(*REPORTS)]
    ]
    for deed, bounds in _RANGES.items():
        deeds += [
            Happening(at_ms=drawn(), worker=worker.index, deed=deed)
            for _ in range(chance.between(*bounds))
        ]
    deeds += [
        Happening(at_ms=instant(minute + chance.random()), worker=worker.index, deed=Deed.TASKS)
        for minute in TASK_ROUNDS_MIN
    ]
    return deeds


def _troubled(worker: WorkerPlan, start_ms: int) -> list[Happening]:
    trouble = clock_trouble(worker.index)
    timed: list[tuple[int, Deed, int]] = []
    if worker.partner is not None:
        timed += [
            (minute, Deed.PAIR_EDIT, number) for number, minute in enumerate(PAIR_EDIT_MINUTES)
        ]
    if trouble.set_to_ms is not None:
        timed.append((SET_CLOCK_MINUTE, Deed.SET_CLOCK, 0))
    if trouble.reboots:
        timed.append((REBOOT_MINUTE, Deed.REBOOT, 0))
    return [
        Happening(
            at_ms=start_ms + minute * MINUTE_MS, worker=worker.index, deed=deed, number=number
        )
        for minute, deed, number in timed
    ]
