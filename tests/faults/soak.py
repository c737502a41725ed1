"""Writers and readers at once, for as long as it is asked: does a reader miss a change?

A reader goes by its cursor alone, so what the cursor passes over is missed for ever. On
PostgreSQL some writers hold their locks for a while and the database rolls some of them back;
on SQLite another process holds the file and rolls back. In the second half a
transaction that has nothing to do with it all stays open.
"""

import asyncio
import itertools
import random
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy import select

from server.db.tables import RecordRow
from tests.faults.books import audit, in_store
from tests.faults.races import Copy, clients_of
from tests.faults.report import Report
from tests.faults.servers import Cluster, wait_for
from tests.faults.stage import Stage
from tests.server.phones import RawPhone, bearer

WRITERS = 4
READERS = 2
HOLD_S = 0.02
READER_REST_S = 0.005
LAG_RATIO_MAX = 3.0
LAG_GRACE_S = 0.5
GROWTH_MIB_MAX = 96
QUIET_S = 60.0
IDLE_READS = 10
"""A reader that was given nothing so often has been given everything it will ever get."""
_HOOK = (
    f"""CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF random() < 0.1 THEN PERFORM pg_sleep({HOLD_S} * random()); END IF;
    IF random() < 0.03 THEN RAISE EXCEPTION 'forced' USING ERRCODE = '40001'; END IF;
    RETURN NULL;
    END $$""",
    """CREATE TRIGGER trouble AFTER INSERT ON mutation
    FOR EACH STATEMENT EXECUTE FUNCTION trouble()""",
)


@dataclass
class Times:
    """When each record was acknowledged, and when each reader first saw it."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    seen: list[dict[str, float]] = field(default_factory=lambda: [{} for _ in range(READERS)])

    def lags_s(self, since: float, until: float) -> list[float]:
        """How long after its acknowledgement a record was seen by a reader; 0 if before."""
        return [
            max(0.0, seen[record] - told)
            for record, told in self.acknowledged.items()
            if since <= told < until
            for seen in self.seen
            if record in seen
        ]


class _Threads:
    """Runs each work again and again until the block ends; the first failure ends it."""

    def __init__(self, works: list[Callable[[], None]]) -> None:
        self.over = threading.Event()
        self.failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in works]

    def _run(self, work: Callable[[], None]) -> None:
        try:
            while not self.over.is_set():
                work()
        except BaseException as failure:  # noqa: BLE001 - raised again in the main thread
            self.failure = failure
            self.over.set()

    def __enter__(self) -> None:
        for each in self._threads:
            each.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in self._threads:
            each.join()
        if self.failure is not None:
            raise self.failure


def soak(report: Report, stage: Stage, cluster: Cluster | None, *, seconds: float) -> None:
    """Write and read for `seconds`, then count what no reader was ever given."""
    stage.server.start()
    times = Times()
    with _trouble(stage, cluster), clients_of(stage) as clients:
        token, http = stage.world.tokens["bob"], clients[0]
        # Who writes at one process shares transactions; two processes commit side by side.
        sides = itertools.islice(itertools.cycle(clients), WRITERS)
        writers = [Copy.enrol([side], token) for side in sides]
        readers = [_Reader(http, Copy.enrol([http], token), seen) for seen in times.seen]
        homes = itertools.cycle([stage.world.households[each] for each in ("G1", "G2")])
        works = [_writer(report, each, next(homes), times) for each in writers]
        begun = time.monotonic()
        with _Threads([*works, *(each.read for each in readers)]):
            time.sleep(seconds / 2)
            halfway, early_mib = time.monotonic(), resident_mib(stage.server.pid)
            with _unrelated_transaction(stage, cluster):
                time.sleep(seconds / 2)
                ended = time.monotonic()
        wanted = set(times.acknowledged)
        wait_for(lambda: all(each.is_done(wanted) for each in readers), QUIET_S)
    _count_missed(report, stage, times)
    if any(each.resets for each in readers):
        report.breach("reset", "a reader was sent back to the start")
    _judge_lag(report, times.lags_s(begun, halfway), times.lags_s(halfway, ended))
    report.figures["grown_mib"] = round(resident_mib(stage.server.pid) - early_mib, 1)
    if report.figures["grown_mib"] > GROWTH_MIB_MAX:
        report.breach("memory", f"the server grew by more than {GROWTH_MIB_MAX} MiB")
    audit(report, stage.url, [])


def _writer(report: Report, device: Copy, household: str, times: Times) -> Callable[[], None]:
    chance = random.Random(device.id)  # noqa: S311

    def write() -> None:
        first = len(device.sent) + 1
        for _ in range(chance.randint(1, 3)):
            device.write_down(household, 1)
        while True:
            answer = device.post(first, len(device.sent))
            waits = "retry-after" in answer.headers
            report.retries += waits
            report.bare_500s += answer.status_code >= 500 and not waits
            if answer.status_code == httpx.codes.OK:
                break
        told = time.monotonic()
        device.lease = answer.json()["lease"]
        report.injected += 1
        report.acknowledged += len(device.sent) - first + 1
        times.acknowledged |= {each["record"]: told for each in device.sent[first - 1 :]}

    return write


class _Reader:
    """Pulls by its cursors and remembers when it first saw each record."""

    def __init__(self, http: httpx.Client, device: Copy, seen: dict[str, float]) -> None:
        self._http = http
        self._seen = seen
        self.resets = 0
        self.idle = 0
        self._phone = RawPhone(client=None, id=device.id, token=device.token)

    def read(self) -> None:
        headers = bearer(self._phone.token)
        answer = self._http.post("/v1/sync", json=self._phone.body([]), headers=headers)
        if answer.status_code != httpx.codes.OK:
            return
        reply: dict[str, Any] = answer.json()
        now = time.monotonic()
        self._phone.lease = reply["lease"]
        for page in reply["buckets"]:
            names = ("id", "epoch", "seq", "digest")
            self._phone.cursors[page["id"]] = {name: page[name] for name in names}
            self.resets += page["reset"]
            for item in page["put"]:
                self._seen.setdefault(item["record"], now)
        self.idle = 0 if any(page["put"] for page in reply["buckets"]) else self.idle + 1
        time.sleep(READER_REST_S)

    def is_done(self, wanted: set[str]) -> bool:
        """Read once more and say whether everything wanted was seen, or no more will come."""
        self.read()
        return wanted <= self._seen.keys() or self.idle >= IDLE_READS


def _count_missed(report: Report, stage: Stage, times: Times) -> None:
    """What is stored in the readers' buckets and was never given to one of them."""
    buckets = [f"grid:{stage.world.grids[each]}" for each in ("G1", "G2")]
    statement = select(RecordRow.id).where(RecordRow.__table__.c.bucket.in_(buckets))
    stored = set(in_store(stage.url, lambda db: db.execute(statement).scalars().all()))
    report.lost += len(times.acknowledged.keys() - stored)
    missed = sum(len(stored - seen.keys()) for seen in times.seen)
    report.figures |= {"commits": report.injected, "missed": missed}
    if missed:
        report.breach("missed", "a reader's cursor passed over a change")


def _judge_lag(report: Report, without: list[float], beside: list[float]) -> None:
    before_s, after_s = statistics.median(without), statistics.median(beside)
    report.figures |= {
        "lag_ms": round(1_000 * before_s, 1),
        "lag_ms_beside_open_transaction": round(1_000 * after_s, 1),
    }
    if after_s > LAG_RATIO_MAX * before_s + LAG_GRACE_S:
        report.breach("lag", "an unrelated open transaction held the feed back")


def resident_mib(pid: int) -> float:
    """How much memory a process occupies."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextmanager
def _trouble(stage: Stage, cluster: Cluster | None) -> Iterator[None]:
    if cluster is not None:
        for sql in _HOOK:
            cluster.execute(sql, database=stage.folder.name)
        yield
        return
    path = stage.url.removeprefix("sqlite:///")
    chance = random.Random(path)  # noqa: S311

    def hold() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE bucket SET seq = seq + 1000")
            time.sleep(HOLD_S * chance.random())
            other.execute("ROLLBACK")
        time.sleep(5 * HOLD_S * chance.random())

    with _Threads([hold]):
        yield


@contextmanager
def _unrelated_transaction(stage: Stage, cluster: Cluster | None) -> Iterator[None]:
    """Something else in the same cluster, or on the same file, has begun and does not end."""
    if cluster is None:
        path = stage.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM record").fetchone()
            yield
        return
    with asyncio.Runner() as runner:
        other = runner.run(
            asyncpg.connect(host=str(cluster.folder), user="postgres", database="postgres")
        )
        runner.run(other.execute("CREATE TABLE IF NOT EXISTS elsewhere (id int)"))
        runner.run(other.execute("BEGIN"))
        runner.run(other.execute("INSERT INTO elsewhere VALUES (1)"))
        try:
            yield
        finally:
            runner.run(other.execute("ROLLBACK"))
            runner.run(other.close())
