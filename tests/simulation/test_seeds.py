"""The simulator at smoke size: seeds keep every promise, planted bugs do not get through."""

import itertools
import os
import subprocess
import sys

import pytest
from hypothesis import settings

from sync.outcome import Outcome
from tests.simulation.acts import Step
from tests.simulation.bugs import BUGS
from tests.simulation.links import Mishap, Trouble
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.run import run_plan, run_seed
from tests.simulation.story import shrink, story
from tests.simulation.watch import CRASHED

PROFILE = settings.get_current_profile_name()
BLOCK = 20
BLOCKS = {"ci": 15, "nightly": 500}.get(PROFILE, 3)
STRIDE = 1 if PROFILE in {"ci", "nightly"} else 5
REPLAYED = (3, 8, 21, 34, 55, 89)
NO_MISHAP: tuple[Mishap, ...] = ()

WORK = (
    Step("edit", (0, 0, {"contact_phone": "b", "status": "vacant"}, None)),
    Step("claim", (0, 0, ("accept", "finish"))),
    Step("write_down", (0, 0, "visit", None)),
)
OFFICE = (
    Step("correct", (0, 0, {"contact_phone": "c"}, 1)),
    Step("redraw", (1, 1, 2)),
    Step("reassign", (0, 1, False)),
)


def quiet(number: int) -> Step:
    return Step("sync", (number, NO_MISHAP, None))


# What happened before a phone's last contact, in which it dies; by what is difficult about it.
BEFORE_DEATH = {
    "the first contact": (),
    "work, others' work, a move and a bucket to leave": (quiet(0), *WORK, *OFFICE),
    "a reply that was lost": (
        quiet(0),
        *WORK,
        Step("sync", (0, (Mishap(Trouble.LOSE_REPLY),), None)),
        *OFFICE,
    ),
    "a new identity": (quiet(0), *WORK, Step("new_identity", (0,)), *OFFICE),
    "a restored server": (
        quiet(0),
        Step("back_up"),
        *WORK,
        quiet(0),
        *OFFICE,
        Step("edit", (0, 0, {"door": "a"}, None)),
        Step("restore"),
    ),
    "a forgetful memory": (quiet(0), *WORK, Step("rot", (0, 5)), Step("rot", (0, 9))),
}


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_promise_holds_whatever_a_seed_lets_happen(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run = run_seed(seed)
        if run.failure is not None:
            kept, shrunk = shrink(run)
            pytest.fail(story(shrunk, kept=kept), pytrace=False)


def test_the_seeds_lead_everywhere():
    runs = [run_seed(seed) for seed in range(40)]
    assert set().union(*(each.outcomes for each in runs)) >= {*Outcome} - {Outcome.RETRY}
    assert sum(each.deaths for each in runs) > 40
    told = " ".join(line for each in runs for _, line in each.told)
    for trouble in Trouble:
        assert trouble.value.replace("-", " ") in told
    for what in (
        "restored",
        "put back",
        "works again",
        "arrives at last",
        "reboots",
        "is set",
        "form",
    ):
        assert what in told


@pytest.mark.parametrize("seed", REPLAYED)
def test_a_seed_tells_the_same_story_each_time(seed):
    assert draw_plan(seed) == draw_plan(seed)
    first = run_seed(seed, traced=True)
    assert first.trace
    assert first.trace == run_seed(seed, traced=True).trace


def test_a_seed_tells_the_same_story_in_every_process():
    command = [sys.executable, "-m", "tests.simulation", "--seed", "13", "--trace"]
    traces = [
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert traces[0] == traces[1]
    assert traces[0].count(b"\n") > 20


@pytest.mark.parametrize("before", BEFORE_DEATH)
def test_a_phone_may_die_before_any_statement_of_a_contact(before):
    steps = BEFORE_DEATH[before]
    for statement in itertools.count(0, STRIDE):
        last = Step("sync", (0, NO_MISHAP, statement))
        run = run_plan(Plan(7, 2, (*steps, last)))
        assert run.failure is None, story(run)
        if run.deaths == 0:
            break
    assert statement > 20


@pytest.mark.parametrize("step", [WORK[0], WORK[2]], ids=lambda step: step.act)
def test_a_phone_may_die_before_any_statement_of_writing_down(step):
    for statement in itertools.count():
        dying = Step(step.act, (*step.args[:-1], statement))
        run = run_plan(Plan(7, 2, (quiet(0), dying, quiet(0))))
        assert run.failure is None, story(run)
        if run.deaths == 0:
            break
    assert statement > 4


@pytest.mark.parametrize("share", range(0, 1000, 40))
def test_a_reply_may_end_after_any_part_of_it(share):
    cut = Step("sync", (0, (Mishap(Trouble.CUT, share), Mishap(Trouble.CUT, share)), None))
    run = run_plan(Plan(7, 2, (quiet(0), *WORK, *OFFICE, cut, cut)))
    assert run.failure is None, story(run)


def is_broken(failure):
    """A promise did not hold; what the mistake raised by itself does not count."""
    return failure is not None and " " in failure.promise and failure.promise != CRASHED


def test_a_restored_server_gets_back_what_an_earlier_identity_had_settled():
    steps = (
        Step("back_up"),
        quiet(0),
        Step("write_down", (0, 0, "visit", None)),
        quiet(0),
        Step("new_identity", (0,)),
        quiet(0),
        Step("restore"),
    )
    run = run_plan(Plan(255, 2, steps))
    assert len(run.told) == len(steps)
    assert run.failure is None, story(run)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    bug = BUGS[name]
    found = any(is_broken(run_seed(seed, bug=bug.plant).failure) for seed in range(bug.within))
    assert found, f"{bug.says}: not found within {bug.within} seeds"


def test_a_broken_promise_is_told_as_a_short_story_that_runs_again():
    bug = BUGS["leave-ignored"]
    failed = next(run for seed in range(20) if (run := run_seed(seed, bug=bug.plant)).failure)
    kept, shrunk = shrink(failed, bug=bug.plant)
    text = story(shrunk, kept=kept, bug_name=bug.name)
    assert len(kept) <= 4 < len(failed.plan.steps)
    assert "loses grid" in text
    assert "Broken: up to date only when it is: buckets" in text
    command = text.splitlines()[-1].removeprefix("Again: python ").split()
    again = subprocess.run(
        [sys.executable, *command], capture_output=True, check=True, text=True
    )
    assert again.stdout.strip() == text


def test_the_promises_hold_again_once_a_planted_bug_is_gone():
    for bug in BUGS.values():
        with bug.plant():
            pass
    assert run_seed(1).failure is None
