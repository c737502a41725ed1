"""The disk below the database is full for a while.

As root the database lies on a small file system in memory that another file fills. Without that
right the server's own limit on file sizes plays the full disk, for the embedded store only.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

from tests.faults.books import audit, come_to_rest
from tests.faults.crew import Hand
from tests.faults.report import Report
from tests.faults.servers import Cluster, small_disk
from tests.faults.stage import Stage
from tests.server.phones import bearer

FULL_PUSHES_MAX = 400
BACK_S = 45.0
"""Until a push is accepted when there is space again; the goal is 5, the figure says more."""
REFUSALS = 3
MIB = 1024 * 1024


def is_root() -> bool:
    return os.geteuid() == 0


@contextmanager
def full_disk(where: Path) -> Iterator[None]:
    """Leave no byte on the disk of `where` until the block ends."""
    filler = where / "filler"
    with filler.open("wb", buffering=0) as file:
        size = MIB
        while size:
            try:
                size = size if file.write(b"\0" * size) == size else size // 2
            except OSError:
                size //= 2
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def no_larger_files(pid: int, path: Path) -> Iterator[None]:
    """Let no file of process `pid` grow beyond what `path` has now, until the block ends."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def fill_disk(
    report: Report,
    stage: Stage,
    full: Callable[[], AbstractContextManager[None]],
    *,
    rounds: int,
) -> None:
    """Push until the full disk is felt; it must be said clearly and pass without a restart."""
    hand = stage.hand(1)
    hand.work(5)
    hand.attempt()
    slowest_s = 0.0
    for _ in range(rounds):
        with full():
            report.injected += 1
            if not _push_until_refused(hand):
                report.breach("unreached", "the full disk was never felt")
            _reads_go_on(report, stage)
        begun = time.monotonic()
        hand.settle()
        slowest_s = max(slowest_s, time.monotonic() - begun)
    report.figures = {"first_accepted_push_s": round(slowest_s, 3)}
    if slowest_s > BACK_S:
        report.breach("healing", "the store did not recover when space returned")
    if stage.server.is_dead():
        report.breach("process", "the server ended when the disk was full")
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)


def _push_until_refused(hand: Hand) -> bool:
    """Push until the store has said several times that it cannot take more."""
    before = hand.heard.statuses.count(503) + hand.heard.statuses.count(507)
    for _ in range(FULL_PUSHES_MAX):
        if len(hand.phone.pending()) < 90:
            hand.work(5)
        hand.attempt()
        after = hand.heard.statuses.count(503) + hand.heard.statuses.count(507)
        if after - before >= REFUSALS:
            return True
    return False


def _reads_go_on(report: Report, stage: Stage) -> None:
    """Reads go on, but for personal data: who cannot be noted as its reader is not answered."""
    headers = bearer(stage.world.tokens["dispatcher"])
    refused = httpx.get(f"{stage.server.url}/v1/households", headers=headers, timeout=20)
    if refused.status_code not in {503, 507} or "retry-after" not in refused.headers:
        report.breach("reads", f"personal data is given out unnoted: {refused.status_code}")
    for path in ("/v1/incidents", "/v1/grids", "/readyz"):
        answer = httpx.get(f"{stage.server.url}{path}", headers=headers, timeout=20)
        if answer.status_code != httpx.codes.OK:
            report.breach(
                "reads", f"{path} answers {answer.status_code} while the disk is full"
            )


@contextmanager
def cluster_on_small_disk(*, mib: int) -> Iterator[Cluster]:
    """A private cluster whose data directory and WAL lie on a small disk."""
    made = Cluster(min_wal_size="64MB", max_wal_size="96MB")
    try:
        with small_disk(made.folder, mib=mib):
            made.start()
            try:
                yield made
            finally:
                made.halt()
    finally:
        made.stop()
