"""One simulated world: server, consoles, phones, and the eyes that watch them."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clients.phone import SyncReport
from sync.known import Settled
from tests.places import memory
from tests.simulation.city import GRIDS, HOLDINGS, City
from tests.simulation.device import PowerCut, Replica
from tests.simulation.links import Link
from tests.simulation.model import START_MS, ModelServer
from tests.simulation.watch import Books, PhoneWatch, ServerWatch, promise

WORKERS = tuple(f"00000000-0000-7000-8000-00000000b{n:03}" for n in range(6))
MORE_HOLDINGS = ((3, 0), (3, 2), (4, 1), (5, 2))
SKEWS_MS = (0, 3 * 86_400_000, -7_200_000, 45_000, 0, -1_000)
FILE_RECORDS_MIN = 7


class World:
    """Everything that takes part. Steps of `tests.simulation.acts_*` move it."""

    def __init__(self, seed: int, *, phones: int) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=memory()))
        self.watch = ServerWatch()
        self.city = City(check_reply=self.watch.reply, handsets=0)
        self.city.server.files.least = FILE_RECORDS_MIN
        self.city.transport.check_file = self.watch.file
        self.restores = 0
        self._backup: tuple[ModelServer, Books] | None = None
        self._names: dict[str, str] = {}
        self._count: Counter[str] = Counter()
        held = (*HOLDINGS, *MORE_HOLDINGS)
        for worker, column in held:
            self.assign(WORKERS[worker], GRIDS[column])
        self.drain()
        self.replicas = [self._replica(number, seed) for number in range(phones)]
        self.watches = [PhoneWatch(each) for each in self.replicas]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self.replicas:
            each.close()
        shutil.rmtree(self._folder)

    def _replica(self, number: int, seed: int) -> Replica:
        link = Link(
            self.city.transport,
            witness=lambda request, read: self._exchanged(number, request, read=read),
            pause=lambda span_s: self.advance(span_s * 1000),
        )
        return Replica(
            number,
            worker=WORKERS[number],
            folder=self._folder,
            link=link,
            seed=seed,
            wall_ms=START_MS + SKEWS_MS[number],
        )

    def _exchanged(self, number: int, request: dict[str, Any] | None, *, read: bool) -> None:
        self.drain()
        if request is not None:
            self.watch.exchange(self.replicas[number], request, read=read)
        elif read:
            needed = self.replicas[number].damaged
            promise(needed, "no missed change", "a bucket is compared")

    @property
    def server(self) -> ModelServer:
        """The server as it is now."""
        return self.city.server

    def drain(self) -> None:
        """Let the watch look at what the server decided since the last time."""
        for entry in self.server.journal:
            self.watch.decided(entry)
        self.server.journal.clear()

    def advance(self, span_ms: int) -> None:
        """Let time pass everywhere."""
        self.server.now_ms += span_ms
        for each in self.replicas:
            each.clock.advance(span_ms)

    # names for the story

    def name(self, kind: str, record: str) -> str:
        """Return what a story calls a record: its kind and a number, in order of mention."""
        if record not in self._names:
            self._count[kind] += 1
            self._names[record] = f"{kind} {self._count[kind]}"
        return self._names[record]

    # what people do at desks

    def assign(self, worker: str, grid: str) -> None:
        """Give a worker a grid."""
        self.server.assign(worker, grid)
        held = self.watch.books.assigned.get(worker, frozenset())
        self.watch.books.assigned[worker] = held | {grid}

    def unassign(self, worker: str, grid: str) -> None:
        """Take a grid from a worker."""
        self.server.unassign(worker, grid)
        held = self.watch.books.assigned.get(worker, frozenset())
        self.watch.books.assigned[worker] = held - {grid}

    def decide(self, **members: Any) -> Settled:
        """Let a console ask for a change."""
        settled = self.server.decide(**members)
        self.drain()
        return settled

    def back_up(self) -> None:
        """Copy the server's database."""
        self._backup = self.server.backup(), self.watch.books.copy()

    def restore(self) -> bool:
        """Lose the database and go on from the backup, if there is one younger than 13 days."""
        if self._backup is None:
            return False
        server, books = self._backup
        if self.server.now_ms - server.now_ms > 13 * 86_400_000:
            return False
        self.restores += 1
        self.city.replace_server(server.restored(self.server))
        self.watch.renewed(books.copy())
        for replica, watch in zip(self.replicas, self.watches, strict=True):
            replica.damaged = True
            watch.forget()
        return True

    # phones

    def with_power(self, number: int, work: Callable[[], object], left: int | None) -> bool:
        """Do something on a phone that dies before statement `left`; say whether it lived."""
        replica = self.replicas[number]
        replica.fuse.left = left
        try:
            work()
        except PowerCut:
            replica.die()
            return False
        replica.fuse.left = None
        return True

    def sync(self, number: int, left: int | None = None) -> SyncReport | None:
        """Let a phone sync, and look at it; None if it died on the way."""
        reports: list[SyncReport] = []
        replica = self.replicas[number]
        self.with_power(number, lambda: reports.append(replica.phone.sync()), left)
        self.watches[number].look()
        self.drain()
        if not reports:
            return None
        report = reports[0]
        if report.up_to_date:
            promise(report.failure is None, "up to date only when it is", "after a failure")
            self.check_same(number)
            replica.damaged = False
        return report

    def expected(self, number: int) -> dict[str, bytes]:
        """Return every body that a phone may hold, by record."""
        buckets = self.server.buckets
        allowed = self.watch.allowed(WORKERS[number])
        return {
            record: row.body
            for name in allowed & buckets.keys()
            for record, row in buckets[name].rows.items()
        }

    def check_same(self, number: int) -> None:
        """A phone that says it is up to date holds what the server has, byte for byte."""
        phone = self.replicas[number].phone
        allowed = self.watch.allowed(WORKERS[number])
        promise(phone.digests().keys() == allowed, "up to date only when it is", "buckets")
        same = phone.bodies() == self.expected(number)
        promise(same, "up to date only when it is", "bodies")

    def fingerprint(self) -> str:
        """Return a digest of everything that the server and the phones hold."""
        seen = sha256()
        for name, bucket in sorted(self.server.buckets.items()):
            seen.update(json.dumps([name, bucket.seq, bucket.digest()]).encode())
        for replica in self.replicas:
            rows = [[each.n, each.outcome] for each in replica.phone.outcomes()]
            held = sorted(replica.phone.digests().items())
            pending = replica.phone.pending()
            seen.update(json.dumps([held, rows, pending, replica.fuse.count]).encode())
        return seen.hexdigest()[:16]
