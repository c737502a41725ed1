"""The database server crashes under a working crew, and comes back."""

import signal
import time
from collections.abc import Callable

from tests.faults.books import audit, come_to_rest
from tests.faults.crew import Hand, Shift
from tests.faults.report import Report
from tests.faults.servers import Cluster, wait_for
from tests.faults.stage import Stage

BACK_S = 45.0
"""From the database's first answer to the first accepted push, on the busiest machine.

The goal is 5 seconds; what a run needed is among its figures.
"""
DOWN_S = 0.15
WORK_S = 0.25
CREW = 3


def _crash(cluster: Cluster) -> None:
    cluster.signal(signal.SIGKILL)
    time.sleep(DOWN_S)
    cluster.start()


def _immediate_stop(cluster: Cluster) -> None:
    cluster.signal(signal.SIGQUIT)
    time.sleep(DOWN_S)
    cluster.start()


def _killed_backend(cluster: Cluster) -> None:
    """One process of the server is killed; the server restarts itself and recovers."""
    cluster.kill_backend()
    wait_for(lambda: _answers(cluster))


def _frozen(cluster: Cluster) -> None:
    """Every process of the server stands still for longer than a phone's patience with it."""
    cluster.freeze(seconds=DOWN_S * 4)


def _answers(cluster: Cluster) -> bool:
    try:
        cluster.execute("SELECT 1")
    except Exception:  # noqa: BLE001 - whatever it says while it recovers
        return False
    return True


WAYS: tuple[Callable[[Cluster], None], ...] = (
    _crash,
    _immediate_stop,
    _killed_backend,
    _frozen,
)


def crash_database(report: Report, stage: Stage, cluster: Cluster, *, crashes: int) -> None:
    """Crash PostgreSQL in turn by each way; the server in front is never restarted."""
    stage.server.start()
    probe, *hands = stage.crew(CREW + 1)
    slowest_s = 0.0
    with Shift(hands):
        for number in range(crashes):
            time.sleep(WORK_S)
            WAYS[number % len(WAYS)](cluster)
            report.injected += 1
            slowest_s = max(slowest_s, _first_push_s(probe))
    if slowest_s >= BACK_S:
        report.breach("healing", f"the first push was not accepted within {BACK_S} s")
    if stage.server.is_dead():
        report.breach("process", "the server ended with its database")
    report.figures = {
        "first_accepted_push_s": round(slowest_s, 3),
        "answers_503": sum(each.heard.statuses.count(503) for each in stage.hands),
    }
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)


def _first_push_s(probe: Hand) -> float:
    begun = time.monotonic()
    probe.work()
    wait_for(lambda: _is_answered(probe), BACK_S)
    return time.monotonic() - begun


def _is_answered(probe: Hand) -> bool:
    """Contact the server once; a phone it does not know any more has its answer, too."""
    contact = probe.attempt()
    return contact.failure is None or contact.identity_doubtful


def crash_at_commits(report: Report, stage: Stage, cluster: Cluster, *, crashes: int) -> None:
    """Crash PostgreSQL the moment a push has been acknowledged: what was said must be there."""
    stage.server.start()
    hand = stage.hand(1)
    for _ in range(crashes):
        hand.work(3)
        hand.attempt()
        cluster.signal(signal.SIGKILL)
        report.injected += 1
        cluster.start()
        _first_push_s(hand)
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)
