"""Traffic: round trips, bytes each way and index reads of the exchanges phones have all day.

Requests are written by the protocol's own encoder and packed as the reference phone packs them;
replies are asked for in gzip. Bytes are those of the bodies. Targets are the protocol's.

- `push_and_pull`: 100 queued one-field edits go up and what they changed comes down;
- `no_change`: nothing is new in five buckets;
- `one_change`: one record of five hundred was changed by somebody else.

    python -m bench.traffic --database postgresql
"""

import argparse
import asyncio
import gzip
import json
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection as Db
from sqlalchemy import text

from bench.field import BenchPhone, build_field
from bench.machine import emit
from bench.push import opened
from bench.servers import Database, database, server
from bench.wire import Connection
from server.clock import now_ms
from server.db.store import Store
from server.identity.queries import assign
from sync.exchange import BucketCursor, SyncRequest
from sync.mutation import ClockReading, Mutation
from sync.wire import encode_request
from sync.wire_mutation import sealed

BATCH = 100
HOUSEHOLDS = 250  # with their dwellings 500 records in a grid
GRIDS = 3  # with the worker's own bucket and the configuration five buckets
GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One round trip: the size of both bodies as sent, and the reply."""

    up: int
    down: int
    reply: dict[str, Any]


@dataclass(slots=True)
class Caller:
    """As much of a phone as an exchange needs."""

    phone: BenchPhone
    port: int
    lease: str | None = None
    last_n: int = 0
    cursors: dict[str, BucketCursor] = field(default_factory=dict)

    def edits(self, count: int) -> tuple[Mutation, ...]:
        """One-field edits of different households, made one every 31 seconds."""
        now = now_ms()
        made = tuple(
            sealed(
                Mutation(
                    n=self.last_n + number,
                    record=self.phone.households[number - 1],
                    kind="household",
                    base=1,
                    body=b"",
                    clock=_clock(now - (count - number) * 31_737),
                    set={"contact_phone": f"555-{number * 7_919 % 10_000:04}"},
                )
            )
            for number in range(1, count + 1)
        )
        self.last_n += count
        return made

    async def sync(self, mutations: tuple[Mutation, ...] = ()) -> Exchange:
        """One call; lease and cursors are kept."""
        request = SyncRequest(
            app_version="1.4.0",
            app_schema=3,
            clock=_clock(now_ms()),
            last_n=self.last_n,
            mutations=mutations,
            buckets=tuple(self.cursors.values()),
            lease=self.lease,
            max_bytes=262_144,
        )
        plain = encode_request(request)
        packed = gzip.compress(plain, compresslevel=GZIP_LEVEL, mtime=0)
        wire = await Connection.open("127.0.0.1", self.port)
        answer = await wire.request("POST", "/v1/sync", self.phone.token, packed, packed=True)
        await wire.close()
        if answer.status != 200:
            raise SystemExit(f"sync failed: {answer.status} {answer.body[:300]!r}")
        zipped = answer.header(b"content-encoding") == b"gzip"
        reply = json.loads(gzip.decompress(answer.body) if zipped else answer.body)
        self._learn(reply)
        return Exchange(up=len(packed), down=len(answer.body), reply=reply)

    def _learn(self, reply: dict[str, Any]) -> None:
        self.lease = reply["lease"]
        for page in reply["buckets"]:
            self.cursors[page["id"]] = BucketCursor(
                id=page["id"], epoch=page["epoch"], seq=page["seq"], digest=page["digest"]
            )
        for bucket in reply["scope"]["enter"]:
            self.cursors.setdefault(bucket, BucketCursor(id=bucket))

    async def catch_up(self) -> None:
        """Pull until nothing is missing."""
        while (await self.sync()).reply["buckets"]:
            pass


def _clock(wall_ms: int) -> ClockReading:
    return ClockReading(wall_ms=wall_ms, uptime_ms=wall_ms % 10**9, boot="6f0c1234")


def scans(db: Db) -> dict[str, int]:
    """Index scans and whole-table reads of the feed's tables so far (PostgreSQL)."""
    db.execute(text("SELECT pg_stat_clear_snapshot()"))
    rows = db.execute(
        text(
            "SELECT relname, idx_scan, seq_scan FROM pg_stat_user_tables "
            "WHERE relname IN ('bucket', 'record', 'bucket_exit')"
        )
    )
    return {
        f"{row.relname}_{kind}": getattr(row, kind) or 0
        for row in rows
        for kind in ("idx_scan", "seq_scan")
    }


async def settled_scans(store: Store, waited_s: float = 1.5) -> dict[str, int]:
    """`scans` after the server's sessions have reported theirs."""
    await asyncio.sleep(waited_s)
    return await store.read(scans)


async def reads_of_no_change(store: Store, caller: Caller, *, calls: int) -> dict[str, float]:
    """What a call without news reads, a call, by table and way of reading.

    A session reports what it read at most once a second, so there are many calls.
    """
    before = await settled_scans(store)
    for _ in range(calls):
        await caller.sync()
        await asyncio.sleep(0.02)
    after = await settled_scans(store)
    return {name: round((after[name] - before[name]) / calls, 2) for name in sorted(after)}


def more_grids(db: Db, *, phone: BenchPhone, grids: list[str]) -> None:
    """Assign further grids to a phone's worker."""
    for grid in grids:
        assign(db, account=phone.phone.account, area=grid, now_ms=now_ms() - 86_400_000)


async def prepare(store: Store) -> tuple[BenchPhone, BenchPhone]:
    """A worker with all grids, and another one in the first of them."""
    phones = await build_field(store, grids=GRIDS, households=HOUSEHOLDS, phones=2 * GRIDS)
    grids = sorted({each.grid for each in phones} - {phones[0].grid})
    await store.write(lambda db: more_grids(db, phone=phones[0], grids=grids))
    return phones[0], phones[GRIDS]


async def measure(where: Database) -> dict[str, Any]:
    """All figures of one run on one database."""
    async with opened(where) as store:  # closed before anything is counted: it reads a lot
        here, there = await prepare(store)
    async with opened(where) as store:
        with server(where.url) as running:
            caller, other = (Caller(phone=each, port=running.port) for each in (here, there))
            await caller.catch_up()
            await other.catch_up()
            quiet = await caller.sync()
            reads = (
                await reads_of_no_change(store, caller, calls=100)
                if where.name == "postgresql"
                else {}
            )
            await other.sync(other.edits(1))
            one = await caller.sync()
            other.phone = replace(other.phone, households=other.phone.households[1:])
            hundred = await other.sync(other.edits(BATCH))
    return {
        "bench": "traffic",
        "database": where.name,
        "no_change_buckets": len(caller.cursors),
        "no_change_bytes_up": quiet.up,
        "no_change_bytes_down": quiet.down,
        "no_change_reads": reads,
        "one_change_items": sum(len(page["put"]) for page in one.reply["buckets"]),
        "one_change_bytes_down": one.down,
        "push_and_pull_round_trips": 1 if _all_back(hundred.reply) else 2,
        "push_and_pull_bytes_down": hundred.down,
        "bytes_up_a_mutation": round(hundred.up / BATCH, 1),
        "target": "no change <= 300 bytes each way and one index read a bucket; "
        "one change <= 500 bytes; a mutation <= 60 bytes; one round trip",
    }


def _all_back(reply: dict[str, Any]) -> bool:
    """Say whether a reply settles the whole batch and brings all it changed."""
    items = sum(len(page["put"]) for page in reply["buckets"])
    more = any(page["more"] for page in reply["buckets"])
    return items == BATCH and not more and reply["outcomes"] == []


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    asked = parser.parse_args()
    with database(asked.database) as where:
        emit(asyncio.run(measure(where)))


if __name__ == "__main__":
    main()
