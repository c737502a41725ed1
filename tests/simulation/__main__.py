"""Run seeds of the simulation: `python -m tests.simulation --seeds 1:300`.

Every failed seed is shrunk and told as a story with the command that replays it. The exit code
is 1 if a promise was broken (with `--bug`: if the planted bug was not found).
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

from tests.simulation.bugs import BUGS
from tests.simulation.plan import draw_plan
from tests.simulation.run import Bug, Run, run_plan, run_seed
from tests.simulation.story import shrink, story

CHUNK = 25
STORIES_MAX = 5


def main(arguments: list[str]) -> int:
    """Run what the command line asks for and return the exit code."""
    asked = _parser().parse_args(arguments)
    if asked.bugs:
        sys.stdout.write("".join(f"{each.name}: {each.says}\n" for each in BUGS.values()))
        return 0
    bug: Bug = BUGS[asked.bug].plant if asked.bug else nullcontext
    if asked.seed is not None:
        return _one(asked.seed, asked.keep, bug, asked)
    return _many(range(*asked.seeds), bug, asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run one seed")
    parser.add_argument(
        "--seeds", type=_span, default=(0, 300), help="run seeds A to B, B not included"
    )
    parser.add_argument("--keep", type=_numbers, help="of one seed, take only these steps")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant a bug that must be found")
    parser.add_argument("--bugs", action="store_true", help="list the bugs that can be planted")
    parser.add_argument("--jobs", type=int, default=1, help="processes (0: one per core)")
    parser.add_argument("--trace", action="store_true", help="print the trace of one seed")
    parser.add_argument("--raised", action="store_true", help="print where it was noticed")
    return parser


def _span(text: str) -> tuple[int, int]:
    first, _, end = text.partition(":")
    return int(first), int(end)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(",") if each)


def _one(seed: int, keep: tuple[int, ...] | None, bug: Bug, asked: argparse.Namespace) -> int:
    plan = draw_plan(seed)
    run = run_plan(plan if keep is None else plan.only(keep), bug=bug, traced=asked.trace)
    kept = keep
    if run.failure is not None and keep is None and not asked.trace:
        kept, run = shrink(run, bug=bug)
    lines = [*run.trace] if asked.trace else [story(run, kept=kept, bug_name=asked.bug or "")]
    if asked.raised and run.failure is not None:
        lines.append(run.failure.trace)
    sys.stdout.write("\n".join(lines) + "\n")
    return int((run.failure is None) == bool(asked.bug))


def _many(seeds: Iterable[int], bug: Bug, asked: argparse.Namespace) -> int:
    began = time.monotonic()
    count, deaths, failed = 0, 0, []
    for run in _runs(tuple(seeds), bug, asked):
        count += 1
        deaths += run.deaths
        if run.failure is None:
            continue
        failed.append(run)
        if len(failed) <= STORIES_MAX:
            kept, shrunk = shrink(run, bug=bug)
            text = story(shrunk, kept=kept, bug_name=asked.bug or "")
            sys.stdout.write(f"{text}\n\n")
            sys.stdout.flush()
        if asked.bug:
            break
    took_s = time.monotonic() - began
    sys.stdout.write(
        f"{count} seeds, {deaths} deaths of phones, {len(failed)} broken, {took_s:.1f} s\n"
    )
    if failed and not asked.bug:
        sys.stdout.write("broken: " + " ".join(str(each.plan.seed) for each in failed) + "\n")
    return int(bool(failed) != bool(asked.bug))


def _runs(seeds: tuple[int, ...], bug: Bug, asked: argparse.Namespace) -> Iterator[Run]:
    jobs = asked.jobs or os.cpu_count() or 1
    if jobs == 1 or asked.bug:
        yield from (run_seed(each, bug=bug) for each in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_seed, seeds, chunksize=CHUNK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
