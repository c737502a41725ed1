"""A plan is run: each step, the watch after it, and at the end good weather for everybody."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from sync.outcome import Outcome
from tests.simulation.ending import check_the_end
from tests.simulation.plan import ACTS, Plan, draw_plan
from tests.simulation.watch import PromiseBroken
from tests.simulation.world import World

Bug = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A promise that did not hold. `promise` is its name, or the kind of what was raised."""

    promise: str
    detail: str
    trace: str


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was: `told` has one line for each step that did something, as (number, line).

    `trace` are the same lines, if it was asked for with a digest of all that was held after
    each step. `outcomes` are those that were answered, `deaths` how often a phone died.
    """

    plan: Plan
    told: tuple[tuple[int, str], ...]
    trace: tuple[str, ...]
    failure: Failure | None
    deaths: int
    outcomes: frozenset[Outcome]


def run_seed(seed: int, *, bug: Bug = nullcontext, traced: bool = False) -> Run:
    """Run the plan of a seed."""
    return run_plan(draw_plan(seed), bug=bug, traced=traced)


def run_plan(plan: Plan, *, bug: Bug = nullcontext, traced: bool = False) -> Run:
    """Run a plan, with a planted bug if one is named; failures are values."""
    told: list[tuple[int, str]] = []
    trace: list[str] = []
    failure = None
    with bug(), World(plan.seed, phones=plan.phones) as world:
        try:
            for line in _take_steps(world, plan, told):
                held = world.fingerprint() if traced else ""
                trace.append(f"{line} {held}")
            check_the_end(world)
            trace.append(f"end {world.fingerprint()}")
        except Exception as error:  # noqa: BLE001 - whatever broke, broke a promise
            failure = _failure(error)
        deaths = sum(each.deaths for each in world.replicas)
        outcomes = frozenset(world.watch.answered)
    return Run(plan, tuple(told), tuple(trace), failure, deaths, outcomes)


def _take_steps(world: World, plan: Plan, told: list[tuple[int, str]]) -> Iterator[str]:
    """Take each step and yield what it tells, if it did something."""
    for number, step in enumerate(plan.steps):
        told.append((number, f"{step.act} …"))
        line = ACTS[step.act].do(world, *step.args)
        world.drain()
        told.pop()
        if line is not None:
            told.append((number, line))
            yield f"{number} {line}"


def _failure(error: Exception) -> Failure:
    name = error.promise if isinstance(error, PromiseBroken) else type(error).__name__
    return Failure(name, str(error), "".join(traceback.format_exception(error)))
