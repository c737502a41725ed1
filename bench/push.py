"""Push: batches of 50 one-field edits with durable commits, over HTTP and beside its ceilings.

Ceilings of the same run, on the same database and field:
- `statements`: the SQL of the same batches, recorded once and replayed with the same engine,
  without HTTP, authentication, JSON or rules;
- `write_path`: the same batches through `push` in one process, without HTTP;
- `bound`: what all cores could do if only the rules took CPU time in Python (reading a request,
  deciding, writing records as text) and only what it was seen to take in the database; HTTP,
  the driver and the load generator cost nothing in it.

    python -m bench.push --database postgresql --seconds 6
"""

import argparse
import asyncio
import itertools
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import Connection, event

from bench.field import BenchPhone, batch, build_field, request_bytes
from bench.machine import emit
from bench.servers import Database, Running, database, server
from bench.wire import Connection as Wire
from server.clock import now_ms
from server.db.store import Store, open_store
from server.replication.gather import Batch, gather
from server.replication.push import push
from server.replication.queries import lock_devices
from server.strict_json import parse
from sync.canonical import record_body, record_hash
from sync.codec import encode_record
from sync.push import Author, plan_push
from sync.state import state_of
from sync.wire import SyncRequest, decode_request

SIZE = 50
GRIDS = 16
HOUSEHOLDS = 1_000
PHONES = 320
CONCURRENT = 16
REQUESTS_MAX = 200


class _RolledBackError(Exception):
    """Ends a recorded transaction without a trace."""


Statement = tuple[str, Any, bool]


async def record(store: Store, phone: BenchPhone, body: dict[str, Any]) -> list[Statement]:
    """The statements of one push, recorded in a transaction that is rolled back."""
    statements: list[Statement] = []
    request = decode_request(body)
    write = store.write

    async def recorded(work: Any, **_: Any) -> Any:
        found: list[Any] = []

        def inside(db: Connection) -> Any:
            def note(*args: Any) -> None:
                statements.append((args[2], args[3], args[5]))

            event.listen(db.engine, "before_cursor_execute", note)
            try:
                found.append(work(db))
            finally:
                event.remove(db.engine, "before_cursor_execute", note)
            raise _RolledBackError

        try:
            await write(inside)
        except _RolledBackError:
            return found[0]

    store.write = recorded  # type: ignore[method-assign]  # only while recording
    try:
        await push(store, phone.phone, request, received_ms=now_ms())
    finally:
        store.write = write  # type: ignore[method-assign]
    return statements


async def rules_cpu_ms(store: Store, phones: Sequence[BenchPhone]) -> float:
    """CPU milliseconds of the rules for one request: from its bytes to the text of records.

    What a batch refers to is loaded between the two halves, and that is not counted.
    """
    spent = 0.0

    async def one(phone: BenchPhone) -> None:
        body = request_bytes(batch(phone, first_n=1, size=SIZE, now=now_ms()))

        def inside(db: Connection) -> None:
            nonlocal spent
            begun = process_time()
            request = decode_request(parse(body))
            spent += process_time() - begun
            asked = _asked(db, phone, request)
            (known,) = gather(db, [asked])
            begun = process_time()
            plan = plan_push(
                known.known,
                asked.mutations,
                author=asked.author,
                send=asked.send,
                received_ms=asked.received_ms,
            )
            for record_id, each in plan.writes.items():
                record_hash(record_body(record_id, each.kind, each.rev, state_of(each)))
                encode_record(each)
            spent += process_time() - begun
            raise _RolledBackError

        with suppress(_RolledBackError):
            await store.write(inside)

    for phone in phones:
        await one(phone)
    return spent * 1000 / len(phones)


def _asked(db: Connection, phone: BenchPhone, request: SyncRequest) -> Batch:
    who = phone.phone
    return Batch(
        device=lock_devices(db, [who.device])[who.device],
        author=Author(
            device=who.device,
            account=who.account,
            role=who.role,
            console=False,
            home_bucket=f"user:{who.account}",
        ),
        mutations=request.mutations,
        send=request.clock,
        received_ms=now_ms(),
    )


async def replay(store: Store, recorded: Sequence[Sequence[Statement]]) -> float:
    """Mutations a second of the recorded statements, `CONCURRENT` at a time."""
    queue = iter(recorded)

    def run(db: Connection, *, statements: Sequence[Statement]) -> None:
        for sql, parameters, many in statements:
            if many:
                db.exec_driver_sql(sql, parameters)
            else:
                result = db.exec_driver_sql(sql, tuple(parameters))
                if result.returns_rows:
                    result.all()

    async def worker() -> None:
        for statements in queue:
            await store.write(partial(run, statements=statements))

    begun = perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONCURRENT)))
    return len(recorded) * SIZE / (perf_counter() - begun)


async def in_process(store: Store, phones: Sequence[BenchPhone], *, seconds: float) -> float:
    """Mutations a second through the write path in this process."""
    done = itertools.count()
    end = perf_counter() + seconds

    async def worker(phone: BenchPhone) -> None:
        n, lease = 1, None
        while perf_counter() < end:
            body = batch(phone, first_n=n, size=SIZE, now=now_ms())
            request = decode_request(body | ({} if lease is None else {"lease": lease}))
            contact = await push(store, phone.phone, request, received_ms=now_ms())
            lease, n = contact.lease, n + SIZE
            next(done)

    begun = perf_counter()
    await asyncio.gather(*(worker(phone) for phone in phones))
    return next(done) * SIZE / (perf_counter() - begun)


def bodies(phone: BenchPhone, size: int) -> list[bytes]:
    """Requests of one phone, ready to send but for the lease, which each reply renews."""
    now = now_ms()
    return [
        request_bytes(batch(phone, first_n=1 + at * size, size=size, now=now))
        for at in range(REQUESTS_MAX)
    ]


_CURSOR = re.compile(
    rb'"id":"([^"]+)","epoch":(\d+),"from":\d+,"seq":(\d+),"digest":"([0-9a-f]{16})"'
)


class Pusher:
    """As much of a phone as a push needs: a connection, its lease, and its cursors."""

    def __init__(self, phone: BenchPhone, wire: Wire, *, size: int = SIZE) -> None:
        self.phone, self.wire, self.size = phone, wire, size
        self.bodies = bodies(phone, size)
        self.lease = b""
        self.cursors: dict[bytes, bytes] = {}
        self.more = True

    async def first_sync(self) -> None:
        """Pull until nothing is missing, so that later replies hold only what changed."""
        empty = request_bytes(batch(self.phone, first_n=1, size=0, now=now_ms()))
        while self.more:
            await self._contact(empty)

    async def push(self, at: int) -> None:
        """Send the `at`-th batch; it must be settled and every mutation applied."""
        reply = await self._contact(self.bodies[at])
        if b'"settled_through":%d,"outcomes":[]' % ((at + 1) * self.size) not in reply:
            raise SystemExit(f"push failed: {reply[:300]!r}")

    async def _contact(self, body: bytes) -> bytes:
        listed = b'"buckets":[%s]' % b",".join(self.cursors.values())
        request = b"{" + self.lease + body[1:].replace(b'"buckets":[]', listed, 1)
        answer = await self.wire.request("POST", "/v1/sync", self.phone.token, request)
        if answer.status != 200:
            raise SystemExit(f"sync failed: {answer.status} {answer.body[:300]!r}")
        self._learn(answer.body)
        return answer.body

    def _learn(self, reply: bytes) -> None:
        start = reply.index(b'"lease":"')
        self.lease = reply[start : reply.index(b'"', start + 9) + 1] + b","
        for bucket, epoch, seq, digest in _CURSOR.findall(reply):
            names = b'{"id":"%s","epoch":%s,"seq":%s,"digest":"%s"}'
            self.cursors[bucket] = names % (bucket, epoch, seq, digest)
        self.more = b'"more":true' in reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Mutations a second, and CPU milliseconds of both servers for one request of `SIZE`."""

    per_s: float
    server_ms: float
    database_ms: float


async def over_http(
    where: Database, running: Running, phones: Sequence[BenchPhone], *, seconds: float
) -> Reached:
    """Push over HTTP from phones that have their first sync behind them."""
    done = itertools.count()
    pushers = [Pusher(phone, await Wire.open("127.0.0.1", running.port)) for phone in phones]
    for pusher in pushers:
        await pusher.first_sync()
    begun, server_s, database_s = perf_counter(), running.cpu_s(), where.cpu_s()

    async def worker(pusher: Pusher) -> None:
        for at in range(REQUESTS_MAX):
            if perf_counter() > begun + seconds:
                break
            await pusher.push(at)
            next(done)

    await asyncio.gather(*(worker(pusher) for pusher in pushers))
    requests, spent_s = next(done), perf_counter() - begun
    reached = Reached(
        per_s=requests * SIZE / spent_s,
        server_ms=(running.cpu_s() - server_s) * 1000 / requests,
        database_ms=(where.cpu_s() - database_s) * 1000 / requests,
    )
    for pusher in pushers:
        await pusher.wire.close()
    return reached


@asynccontextmanager
async def opened(where: Database) -> AsyncIterator[Store]:
    """The bench's own store beside the server's."""
    store = open_store(where.url)
    try:
        yield store
    finally:
        await store.close()


async def measure(where: Database, *, seconds: float, workers: int) -> dict[str, Any]:
    """All figures of one run on one database."""
    async with opened(where) as store:
        phones = await build_field(
            store, grids=GRIDS, households=HOUSEHOLDS, phones=PHONES + 2 * CONCURRENT
        )
        now = now_ms()
        recorded = [
            await record(store, phone, batch(phone, first_n=1, size=SIZE, now=now))
            for phone in phones[:PHONES]
        ]
        with server(where.url, workers=workers) as running:
            http = await over_http(
                where, running, phones[PHONES : PHONES + CONCURRENT], seconds=seconds
            )
        path = await in_process(store, phones[PHONES + CONCURRENT :], seconds=seconds)
        statements = await replay(store, recorded)
        rules_ms = await rules_cpu_ms(store, phones[:PHONES])
    return {
        "bench": "push",
        "database": where.name,
        "batch": SIZE,
        "devices": CONCURRENT,
        "server_workers": workers,
        "mutations_per_s": round(http.per_s),
        "server_cpu_ms_a_request": round(http.server_ms, 2),
        "database_cpu_ms_a_request": round(http.database_ms, 2),
        "ceiling_statements_per_s": round(statements),
        "ceiling_write_path_per_s": round(path),
        "rules_cpu_ms_a_request": round(rules_ms, 2),
        "bound_per_s": round(
            SIZE * 1000 * (os.cpu_count() or 1) / (rules_ms + http.database_ms)
        ),
        "ratio_to_statements": round(http.per_s / statements, 3),
        "ratio_to_write_path": round(http.per_s / path, 3),
        "target": "ratio_to_statements >= 0.6 and mutations_per_s >= 15000 on postgresql",
    }


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--workers", type=int, default=None, help="server processes")
    asked = parser.parse_args()
    workers = asked.workers or (2 if asked.database == "postgresql" else 1)
    with database(asked.database) as where:
        emit(asyncio.run(measure(where, seconds=asked.seconds, workers=workers)))


if __name__ == "__main__":
    main()
