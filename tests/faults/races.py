"""Requests that meet: one device many times at once, grids in opposite order, forced failures.

The bodies are written down here, byte for byte, because a real phone has one request in flight.
What meets in one server process shares a transaction, so on PostgreSQL there are two of them.
"""

import itertools
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from server.clock import new_id
from tests.faults.books import audit, come_to_rest, in_store, read_books
from tests.faults.report import Report
from tests.faults.servers import Cluster, Server
from tests.faults.stage import Stage
from tests.server.phones import RawPhone, bearer

AT_ONCE_MAX = 16
BATCH = 6
REFUSALS = ("40001", "40P01")
HELD_S = 0.6
TIMEOUT_S = 20


@dataclass
class Copy:
    """An enrolled device whose requests several copies of an app send at the same time."""

    clients: Iterator[httpx.Client]
    id: str
    token: str
    lease: str | None = None
    sent: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def enrol(cls, clients: Sequence[httpx.Client], worker_token: str) -> "Copy":
        body = {"name": "copied", "app_version": "1"}
        answer = clients[0].post("/v1/devices", json=body, headers=bearer(worker_token))
        answer.raise_for_status()
        made = answer.json()
        return cls(clients=itertools.cycle(clients), id=made["id"], token=made["token"])

    def write_down(self, household: str, size: int) -> None:
        """Add a note, then edits with a base that is always behind."""
        phone = RawPhone(client=None, id=self.id, token=self.token, last_n=len(self.sent))
        note = {"parent": household, "text": "seen"}
        self.sent.append(phone.change(new_id(), "note", 0, set=note))
        for _ in range(size - 1):
            door = {"door": new_id()[-8:]}
            self.sent.append(phone.change(household, "household", 1, set=door))

    def post(self, first: int, last: int) -> httpx.Response:
        """Send the mutations from n `first` to n `last` with the present lease.

        The server processes take turns.
        """
        phone = RawPhone(
            client=None, id=self.id, token=self.token, lease=self.lease, last_n=len(self.sent)
        )
        body = phone.body(self.sent[first - 1 : last])
        return next(self.clients).post("/v1/sync", json=body, headers=bearer(self.token))


@contextmanager
def clients_of(stage: Stage) -> Iterator[list[httpx.Client]]:
    """A client of every server process; the stage's own is up already."""
    servers = [stage.server]
    if not stage.url.startswith("sqlite"):
        own = stage.server
        servers.append(Server(own.launcher, own.database_url, own.folder, plant=own.plant))
    limits = httpx.Limits(max_connections=AT_ONCE_MAX)
    with ExitStack() as stack:
        for each in servers[1:]:
            stack.callback(each.start().kill)
        yield [
            stack.enter_context(
                httpx.Client(base_url=each.url, timeout=TIMEOUT_S, limits=limits)
            )
            for each in servers
        ]


def _judge(report: Report, answers: Sequence[httpx.Response]) -> None:
    for answer in answers:
        report.injected += 1
        waits = "retry-after" in answer.headers
        report.retries += waits
        report.bare_500s += answer.status_code >= 500 and not waits
        if answer.status_code != httpx.codes.OK and not waits:
            report.breach("refused", f"an honest copy was answered {answer.status_code}")


def push_copies(report: Report, stage: Stage, *, rounds: int, seed: int) -> None:
    """Let 4 to 16 copies of one device send overlapping batches under one lease at once."""
    chance = random.Random(seed)  # noqa: S311
    stage.server.start()
    household = stage.world.households["G1"]
    with clients_of(stage) as clients, ThreadPoolExecutor(AT_ONCE_MAX) as threads:
        device = Copy.enrol(clients, stage.world.tokens["ann"])
        for _ in range(rounds):
            settled = len(device.sent)
            device.write_down(household, BATCH)
            starts = [
                chance.randint(max(1, settled - 2), settled + 1)
                for _ in range(chance.randint(4, AT_ONCE_MAX))
            ]
            answers = list(threads.map(lambda n: device.post(n, len(device.sent)), starts))
            _judge(report, answers)
            replies = _replies(answers)
            _one_lease(report, device, replies)
            _one_outcome(report, device, replies)
            pulls = list(threads.map(lambda _: device.post(1, 0), starts))
            _judge(report, pulls)
            _one_lease(report, device, _replies(pulls))
        report.acknowledged += len(device.sent)
    audit(report, stage.url, [])
    _log_is_whole(report, stage, device)
    _no_defect_logged(report, stage)


def _no_defect_logged(report: Report, stage: Stage) -> None:
    """Requests that meet are an everyday thing: nothing about them may look like a defect."""
    if stage.server.defects():
        report.breach("defect", "the server logged a defect")


def _replies(answers: Sequence[httpx.Response]) -> list[dict[str, Any]]:
    return [each.json() for each in answers if each.status_code == httpx.codes.OK]


def _one_lease(report: Report, device: Copy, replies: Sequence[dict[str, Any]]) -> None:
    """Copies with one lease get one next lease, or the next contact would be refused."""
    leases = {each["lease"] for each in replies}
    if len(leases) != 1:
        report.breach("lease", f"{len(leases)} leases were given for one")
    device.lease = leases.pop() if leases else device.lease


def _one_outcome(report: Report, device: Copy, replies: Sequence[dict[str, Any]]) -> None:
    """Every n has one outcome, whoever hears of it; what is not listed was applied."""
    told: dict[int, set[str]] = {}
    for reply in replies:
        if reply["settled_through"] < len(device.sent):
            report.breach("settled", "a reply did not settle the whole batch")
        for each in reply["outcomes"]:
            told.setdefault(each["n"], set()).add(each["outcome"])
    for outcomes in told.values():
        if len(outcomes) > 1:
            report.breach("outcome", f"one n was answered {sorted(outcomes)}")


def _log_is_whole(report: Report, stage: Stage, device: Copy) -> None:
    """Each n of the device is in the log once, with the record it was sent for."""
    log = in_store(stage.url, read_books).log
    logged = {row.n: row.record_id for row in log if row.device_id == device.id}
    report.lost += sum(logged.get(each["n"]) != each["record"] for each in device.sent)


def push_crosswise(
    report: Report, stage: Stage, *, rounds: int, cluster: Cluster | None
) -> None:
    """Let devices of one worker write in two grids, half of them in the opposite order."""
    stage.server.start()
    homes = [stage.world.households["G1"], stage.world.households["G2"]]
    with clients_of(stage) as clients, ThreadPoolExecutor(8) as threads:
        # What one process works on together has one order: so each process has its own.
        devices = [
            Copy.enrol([clients[number % len(clients)]], stage.world.tokens["bob"])
            for number in range(8)
        ]

        def work(number: int) -> list[httpx.Response]:
            device, answers = devices[number], []
            for _ in range(rounds):
                first = len(device.sent) + 1
                for home in homes if number % 2 else reversed(homes):
                    device.write_down(home, BATCH // 2)
                answers.append(_patiently(device, first))
            return answers

        for answers in threads.map(work, range(8)):
            _judge(report, answers)
    report.acknowledged += sum(len(device.sent) for device in devices)
    _no_defect_logged(report, stage)
    if cluster is not None:
        report.figures["deadlocks"] = deadlocks(cluster, stage.folder.name)
        if report.figures["deadlocks"]:
            report.breach("deadlock", "buckets were not locked in one order")
    audit(report, stage.url, [])


def _patiently(device: Copy, first: int) -> httpx.Response:
    """Send until it is taken in; a server with many callers may say when to come again."""
    while True:
        answer = device.post(first, len(device.sent))
        if answer.status_code == httpx.codes.OK:
            device.lease = answer.json()["lease"]
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return answer


def deadlocks(cluster: Cluster, database: str) -> int:
    """How many deadlocks PostgreSQL has ended in a database since it was made."""
    rows = cluster.execute(
        "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()",
        database=database,
    )
    return int(rows[0][0])


_REFUSE = (
    "CREATE SEQUENCE refusals",
    """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN IF nextval('refusals') % {every} <> 0 THEN
      RAISE EXCEPTION 'forced' USING ERRCODE = '{state}';
    END IF;
    RETURN NULL;
    END $$""",
    """CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON mutation {when}
    FOR EACH ROW EXECUTE FUNCTION refuse()""",
)
_FORGIVE = ("DROP TRIGGER refuse ON mutation", "DROP FUNCTION refuse", "DROP SEQUENCE refusals")
_WHEN = ("NOT DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED")


def force_failures(report: Report, stage: Stage, cluster: Cluster, *, rounds: int) -> None:
    """Let PostgreSQL raise serialization failures and deadlocks at INSERT and at COMMIT.

    Two in three attempts: the server repeats by itself and the phone sees nothing. Every
    attempt: 503 with `Retry-After`, nothing stored, and all is well when it ends.
    """
    stage.server.start()
    hand = stage.hand(1)
    database = stage.folder.name
    for state in REFUSALS:
        for when in _WHEN:
            for every in (3, 2**60):
                for sql in _REFUSE:
                    filled = sql.format(state=state, when=when, every=every)
                    cluster.execute(filled, database=database)
                for _ in range(rounds):
                    report.injected += 1
                    hand.phone.edit(hand.households[0], set={"door": new_id()[-6:]})
                    failed = hand.attempt().failure
                    if (failed is not None) is not (every > 3):
                        report.breach("visible", f"{state} {when}: the phone was told {failed}")
                for sql in _FORGIVE:
                    cluster.execute(sql, database=database)
                hand.settle()  # what was refused must not join the next batch: one row a try
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)


def hold_the_file(report: Report, stage: Stage, *, rounds: int) -> None:
    """Let another process hold the embedded store's write lock, briefly and for long."""
    stage.server.start()
    hand = stage.hand(1)
    path = stage.url.removeprefix("sqlite:///")
    for _ in range(rounds):
        for held_s, refused in ((HELD_S, False), (60.0, True)):
            report.injected += 1
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                hand.work()
                letting_go = threading.Event()
                answer = _attempt_beside(hand.attempt, other, held_s, letting_go)
            if (answer.failure is not None) is not refused:
                report.breach("visible", f"the lock was held {held_s} s: {answer.failure}")
    come_to_rest(report, stage.hands)
    audit(report, stage.url, stage.hands)


def _attempt_beside(
    attempt: Any, other: sqlite3.Connection, held_s: float, done: threading.Event
) -> Any:
    """Attempt while `other` holds its lock for at most `held_s` seconds."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(attempt)
        running.add_done_callback(lambda _: done.set())
        begun = time.monotonic()
        done.wait(held_s)
        if time.monotonic() - begun >= held_s or done.is_set():
            other.execute("ROLLBACK")
        return running.result()
