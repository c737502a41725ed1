"""Growth: what a push costs while the store grows to millions of records.

The tables are filled directly with copies of a real household under new ids, in buckets of
2,500 that nobody pushes to: truth, body, hash and projection are those of a valid row. After
each step the same batches of 50 edits go through the write path in this process, without HTTP;
CPU seconds of the database and of this process count, because they do not depend on what else
the machine does. The ceiling is the first step.

    python -m bench.growth --records 10000 100000 1000000 2000000
"""

import argparse
import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, text

from bench.cpu import own_cpu_s
from bench.field import BenchPhone, batch, build_field
from bench.machine import emit
from bench.push import SIZE, opened
from bench.servers import Database, database
from server.clock import now_ms
from server.db.postgres_store import postgres_engine
from server.db.store import Store
from server.replication.push import push
from sync.wire import decode_request

PHONES = 8
GRIDS = 4
HOUSEHOLDS = 1_000
ROUNDS = 8
CHUNK = 50_000
FILL_MS = 600_000
_NEW_BODY = "convert_to(replace(convert_from(r.body, 'UTF8'), r.id::text, n.id::text), 'UTF8')"
_FILL = f"""
WITH n AS (
    SELECT gen_random_uuid() AS id, i, 'grid:' || md5((i / 2500)::text)::uuid AS bucket
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i
), added AS (
    INSERT INTO record (id, kind, bucket, area_no, rev, seq, truth, body, hash)
    SELECT n.id, r.kind, n.bucket, r.area_no, r.rev, n.i % 2500 + 1, r.truth, {_NEW_BODY},
           left(encode(sha256({_NEW_BODY}), 'hex'), 32)
    FROM n, record AS r WHERE r.id = CAST(:model AS uuid)
    RETURNING id
)
INSERT INTO household SELECT (jsonb_populate_record(h, jsonb_build_object('id', added.id))).*
FROM added, household AS h WHERE h.id = CAST(:model AS uuid)
"""  # noqa: S608 - made of constants


def fill(db: Connection, *, first: int, last: int, model: str) -> None:
    """Copy the household `model` under new ids, numbered from `first` to `last`."""
    db.execute(text(_FILL), {"first": first, "last": last, "model": model})


def records(db: Connection) -> int:
    """How many records there are."""
    return int(db.execute(text("SELECT count(*) FROM record")).scalar_one())


async def grow(store: Store, *, target: int, model: str) -> None:
    """Fill until there are `target` records, then let the database come to rest."""
    there = await store.read(records, timeout_ms=FILL_MS)
    while there < target:
        last = min(there + CHUNK, target)

        def one(db: Connection, *, first: int = there + 1, last: int = last) -> None:
            fill(db, first=first, last=last, model=model)

        await store.write(one, timeout_ms=FILL_MS)
        there = last
    await tidy(store)


async def tidy(store: Store) -> None:
    """Do now what the server would do in the background during the measurement."""
    engine = postgres_engine(store.url, pool=1, statement_ms=FILL_MS)
    async with engine.connect() as db:
        direct = await db.execution_options(isolation_level="AUTOCOMMIT")
        await direct.execute(text("VACUUM (ANALYZE) record, household, mutation, bucket"))
        await direct.execute(text("CHECKPOINT"))
    await engine.dispose()


class Sender:
    """Phones that push one batch after the other."""

    def __init__(self, store: Store, phones: Sequence[BenchPhone]) -> None:
        self._store = store
        self._phones = phones
        self._lease: dict[str, str] = {}
        self._sent = 0

    async def round(self) -> None:
        """One batch of every phone, one after the other."""
        for phone in self._phones:
            body = batch(phone, first_n=1 + self._sent, size=SIZE, now=now_ms())
            lease = self._lease.get(phone.token)
            request = decode_request(body | ({} if lease is None else {"lease": lease}))
            contact = await push(self._store, phone.phone, request, received_ms=now_ms())
            if contact.settled_through != self._sent + SIZE:
                raise SystemExit("push failed")
            self._lease[phone.token] = contact.lease
        self._sent += SIZE


async def step(where: Database, store: Store, sender: Sender) -> dict[str, Any]:
    """What a push of `SIZE` costs now; one round warms the caches."""
    await sender.round()
    pushes = ROUNDS * PHONES
    begun, database_s, own_s = perf_counter(), where.cpu_s(), own_cpu_s()
    for _ in range(ROUNDS):
        await sender.round()
    return {
        "records": await store.read(records, timeout_ms=FILL_MS),
        "database_cpu_ms_a_push": round((where.cpu_s() - database_s) * 1000 / pushes, 2),
        "server_cpu_ms_a_push": round((own_cpu_s() - own_s) * 1000 / pushes, 2),
        "wall_ms_a_push": round((perf_counter() - begun) * 1000 / pushes, 2),
    }


async def measure(where: Database, *, sizes: Sequence[int]) -> dict[str, Any]:
    """The curve of one database."""
    async with opened(where) as store:
        phones = await build_field(store, grids=GRIDS, households=HOUSEHOLDS, phones=PHONES)
        half = HOUSEHOLDS // 2
        mine = [
            BenchPhone(
                phone=each.phone,
                token=each.token,
                grid=each.grid,
                households=each.households[:half] if place < GRIDS else each.households[half:],
            )
            for place, each in enumerate(phones)
        ]
        sender = Sender(store, mine)
        curve = []
        for size in sizes:
            await grow(store, target=size, model=phones[0].households[0])
            curve.append(await step(where, store, sender))
    first, last = curve[0], curve[-1]
    return {
        "bench": "growth",
        "database": where.name,
        "batch": SIZE,
        "curve": curve,
        "database_cpu_last_to_first": round(
            last["database_cpu_ms_a_push"] / first["database_cpu_ms_a_push"], 2
        ),
        "target": "flat",
    }


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 2_000_000]
    )
    asked = parser.parse_args()
    with database("postgresql") as where:
        emit(asyncio.run(measure(where, sizes=sorted(asked.records))))


if __name__ == "__main__":
    main()
