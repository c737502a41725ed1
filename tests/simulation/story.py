"""A failed run becomes a short story: what does not matter is left out, the rest is told."""

from collections.abc import Iterator
from contextlib import nullcontext

from tests.simulation.run import Bug, Run, run_plan

RUNS_MAX = 600


def shrink(run: Run, *, bug: Bug = nullcontext) -> tuple[tuple[int, ...], Run]:
    """Return the numbers of steps with which a run still breaks the same promise, and that run.

    Delta debugging: parts of the steps are left out, halves first and single ones last, until
    no single one can be spared or `RUNS_MAX` runs were made.
    """
    kept, best = tuple(range(len(run.plan.steps))), run
    runs = 0
    size = max(1, len(kept) // 2)
    while True:
        spared = False
        for fewer in _without_parts(kept, size):
            if runs == RUNS_MAX:
                return kept, best
            runs += 1
            tried = run_plan(run.plan.only(fewer), bug=bug)
            if _same(tried, run):
                kept, best, spared = fewer, tried, True
                break
        if spared:
            size = min(size, max(1, len(kept) // 2))
        elif size == 1:
            return kept, best
        else:
            size //= 2


def _without_parts(kept: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """The steps without one part of `size`, the last part first."""
    for end in range(len(kept), 0, -size):
        yield kept[: max(0, end - size)] + kept[end:]


def _same(run: Run, first: Run) -> bool:
    if run.failure is None or first.failure is None:
        return False
    return run.failure.promise == first.failure.promise


def story(run: Run, *, kept: tuple[int, ...] | None = None, bug_name: str = "") -> str:
    """Return a failed run in plain English, with the command that runs it again."""
    lines = [f"{place}. {line}" for place, (_, line) in enumerate(run.told, 1)]
    plan = run.plan
    command = f"python -m tests.simulation --seed {plan.seed}"
    if kept is not None:
        command += f" --keep {','.join(map(str, kept))}"
    if bug_name:
        command += f" --bug {bug_name}"
    broken = "Every promise held."
    if run.failure is not None:
        broken = f"Broken: {run.failure.detail}"
    head = f"Seed {plan.seed}: {plan.phones} phones, {len(plan.steps)} steps."
    rest = "Then everybody gets a good network." if run.failure else ""
    return "\n".join([head, *lines, *filter(None, (rest, broken, f"Again: {command}"))])
