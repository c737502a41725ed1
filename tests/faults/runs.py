"""The classes of faults by name, and how large a run of each tier is."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults import crashes, cuts, disks, kills, races, scope, soak, uploads, wakeups
from tests.faults.plants import PLANTS, Plant
from tests.faults.report import Report, reporting
from tests.faults.servers import DATABASES, Cluster, Launcher
from tests.faults.stage import Stage, stage

SEED = 7
SMALL_DISK_MIB = 160
OPTIONS = {
    "wal_writer_delay": "10s",  # what COMMIT did not flush is still in memory at a kill
    "wal_writer_flush_after": "0",
    "deadlock_timeout": "100ms",  # a deadlock is found sooner, not more often
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of each class a tier does. `cuts` None means every byte."""

    step_rounds: int
    random_kills: int
    cuts: int | None
    crashes: int
    commits: int
    rounds: int
    races: int
    soak_s: float


TIERS = {
    "smoke": Size(
        step_rounds=1,
        random_kills=4,
        cuts=100,
        crashes=4,
        commits=2,
        rounds=1,
        races=6,
        soak_s=4,
    ),
    "ci": Size(
        step_rounds=2,
        random_kills=30,
        cuts=1_000,
        crashes=8,
        commits=4,
        rounds=2,
        races=40,
        soak_s=20,
    ),
    "nightly": Size(
        step_rounds=40,
        random_kills=800,
        cuts=None,
        crashes=200,
        commits=60,
        rounds=40,
        races=1_000,
        soak_s=1_200,
    ),
}


class Machines:
    """What all runs share: the launcher, and a cluster that is started when it is needed."""

    def __init__(self) -> None:
        self.launcher = Launcher()
        self._cluster: Cluster | None = None

    def cluster(self) -> Cluster:
        """Return the running cluster."""
        if self._cluster is None:
            self._cluster = Cluster(**OPTIONS)
            self._cluster.start()
        return self._cluster

    def close(self) -> None:
        """End everything that was started."""
        if self._cluster is not None:
            self._cluster.stop()
        self.launcher.close()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a run is given."""

    stage: Stage
    cluster: Cluster | None
    size: Size


Run = Callable[[Report, Scene], None]


def _redis(report: Report, scene: Scene) -> None:
    with closing(wakeups.Wakeups()) as redis:
        wakeups.break_redis(report, scene.stage, redis, rounds=scene.size.rounds)


def _steps(*steps: str) -> Run:
    def run(report: Report, scene: Scene) -> None:
        kills.kill_at_steps(report, scene.stage, steps=steps, rounds=1)

    return run


def _disk(report: Report, scene: Scene) -> None:
    scene.stage.server.start()
    if scene.cluster is not None:
        full = partial(disks.full_disk, scene.cluster.folder)
    elif disks.is_root():
        full = partial(disks.full_disk, scene.stage.folder)
    else:
        path = Path(scene.stage.url.removeprefix("sqlite:///"))
        full = partial(disks.no_larger_files, scene.stage.server.pid, path)
    disks.fill_disk(report, scene.stage, full, rounds=scene.size.rounds)


def _forced(report: Report, scene: Scene) -> None:
    if scene.cluster is None:
        races.hold_the_file(report, scene.stage, rounds=scene.size.rounds)
    else:
        races.force_failures(report, scene.stage, scene.cluster, rounds=2 * scene.size.rounds)


RUNS: dict[str, Run] = {
    "kills": lambda report, scene: kills.kill_at_steps(
        report, scene.stage, rounds=scene.size.step_rounds
    ),
    "random-kills": lambda report, scene: kills.kill_at_random(
        report, scene.stage, kills=scene.size.random_kills, seed=SEED
    ),
    "io-errors": lambda report, scene: kills.fail_at_every_step(report, scene.stage),
    "cuts": lambda report, scene: cuts.cut_exchanges(
        report, scene.stage, sample=scene.size.cuts, seed=SEED
    ),
    "copies": lambda report, scene: races.push_copies(
        report, scene.stage, rounds=scene.size.races, seed=SEED
    ),
    "crosswise": lambda report, scene: races.push_crosswise(
        report, scene.stage, rounds=scene.size.races, cluster=scene.cluster
    ),
    "forced": _forced,
    "redis": _redis,
    "disk": _disk,
    "waiters": lambda report, scene: scope.wake_waiters(
        report, scene.stage, rounds=5 * scene.size.rounds
    ),
    "scope": lambda report, scene: scope.probe_scope(report, scene.stage),
    "uploads": lambda report, scene: uploads.kill_inside_chunks(
        report, scene.stage, rounds=2 * scene.size.rounds
    ),
    "soak": lambda report, scene: soak.soak(
        report, scene.stage, scene.cluster, seconds=scene.size.soak_s
    ),
    "crashes": lambda report, scene: crashes.crash_database(
        report, scene.stage, scene.cluster, crashes=scene.size.crashes
    ),
    "commits": lambda report, scene: crashes.crash_at_commits(
        report, scene.stage, scene.cluster, crashes=scene.size.commits
    ),
}
ONLY_FOR_PLANTS: dict[str, Run] = {
    "lost-replies": _steps("after-commit", "answering"),
    "torn-writes": _steps("stored"),
    "early-replies": _steps("answered"),
}
ONLY_POSTGRESQL = frozenset({"crashes", "commits"})


def databases_of(run: str) -> tuple[str, ...]:
    """The databases that a class of faults exists on, with the rights there are."""
    if run in ONLY_POSTGRESQL:
        return ("postgresql",)
    if run == "disk" and not disks.is_root():
        return ("sqlite",)
    return DATABASES


@contextmanager
def scene_of(
    run: str, database: str, machines: Machines, *, size: Size, plant: int | None = None
) -> Iterator[Scene]:
    """Everything a run needs, on a small disk if it is about that."""
    with ExitStack() as held:
        servers: Cluster | None = None
        if database == "postgresql" and run == "disk":
            servers = held.enter_context(disks.cluster_on_small_disk(mib=SMALL_DISK_MIB))
        elif database == "postgresql":
            servers = machines.cluster()
        made = held.enter_context(
            stage(
                database,
                machines.launcher,
                cluster=servers,
                plant=plant,
                disk_mib=SMALL_DISK_MIB if run == "disk" and disks.is_root() else None,
            )
        )
        yield Scene(stage=made, cluster=servers, size=size)


def run_class(
    run: str, database: str, machines: Machines, *, size: Size, plant: int | None = None
) -> Report:
    """Carry out one class of faults on one database and return its report."""
    do = RUNS.get(run) or ONLY_FOR_PLANTS[run]
    with (
        scene_of(run, database, machines, size=size, plant=plant) as scene,
        reporting(run, database) as report,
    ):
        do(report, scene)
        report.defects = sorted(set(scene.stage.server.defects()))
    return report


def run_planted(number: int, machines: Machines) -> tuple[Plant, Report]:
    """Carry out the faults that must show bug `number` on a server that has it."""
    planted = PLANTS[number]
    report = run_class(
        planted.run, planted.database, machines, size=TIERS["smoke"], plant=number
    )
    return planted, report
