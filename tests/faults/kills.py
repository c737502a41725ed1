"""SIGKILL of the serving process: at every named step of a push, and at random times."""

import random
import time
from collections.abc import Sequence

from server.db.failpoints import STEPS
from tests.faults.books import audit, come_to_rest
from tests.faults.crew import Hand, Shift
from tests.faults.report import Report
from tests.faults.servers import wait_for
from tests.faults.stage import Stage

PUSHES_MAX = 8
PAUSE_S = (0.02, 0.25)


def kill_at_steps(
    report: Report, stage: Stage, *, rounds: int, steps: Sequence[str] = STEPS
) -> None:
    """Let the server die at each step, on a first and on a later pass, and start it again."""
    stage.server.start()
    hand = stage.hand(1)
    for turn in range(1, rounds + 1):
        for step in steps:
            stage.server.kill()
            stage.server.start(f"{step}=kill@{turn}")
            report.injected += _work_until_dead(stage, hand)
            if not stage.server.is_dead():
                report.breach("unreached", f"no push passed the step {step}")
    _audited(report, stage)


def fail_at_every_step(report: Report, stage: Stage) -> None:
    """Let each step fail with an I/O error once: a refusal that says when to come again."""
    stage.server.start()
    hand = stage.hand(1)
    for step in STEPS[:-1]:  # after the last one there is nobody to be refused
        stage.server.kill()
        stage.server.start(f"{step}=fail@1")
        report.injected += 1
        hand.work()
        if hand.attempt().failure is None:
            report.breach("unreached", f"no push passed the step {step}")
        if hand.attempt().failure is not None:
            report.breach("retries", f"more than one retry after the step {step}")
    _audited(report, stage)


def _work_until_dead(stage: Stage, hand: Hand) -> bool:
    for _ in range(PUSHES_MAX):
        hand.work()
        hand.attempt()
        if wait_for(stage.server.is_dead, 0.02):
            return True
    return False


def kill_at_random(report: Report, stage: Stage, *, kills: int, seed: int) -> None:
    """Kill the server at any time under a working crew, and start it again."""
    chance = random.Random(seed)  # noqa: S311
    stage.server.start()
    hands = stage.crew(4)
    with Shift(hands):
        for _ in range(kills):
            time.sleep(chance.uniform(*PAUSE_S))
            stage.server.kill()
            report.injected += 1
            stage.server.start()
    _audited(report, stage)


def _audited(report: Report, stage: Stage) -> None:
    stage.server.kill()
    stage.server.start()
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)
