"""The herd: phones that were away come back within seconds, each with work to hand in.

Phones are asyncio tasks with a connection each. They obey `Retry-After`; every seventh request
loses its reply after it was sent. Afterwards the store is asked whether every mutation is there
and was applied once. There is no ceiling to compare with: what counts is that nothing is lost
and that everybody is done in bounded time.

    python -m bench.herd --phones 2000 --spread-s 10
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import Connection as Db
from sqlalchemy import text

from bench.field import BenchPhone, batch, build_field, request_bytes
from bench.machine import emit
from bench.push import opened
from bench.servers import UNLIMITED, Database, Running, database, server
from bench.wire import Answer, Connection
from server.clock import now_ms
from server.db.store import Store

QUEUED = 5
PHONES_PER_GRID = 125
LOSE_EVERY = 7
ANSWER_S = 30.0
RECONNECT_S = (1.0, 3.0)
SEED = 8


@dataclass(slots=True)
class Herd:
    """What the phones met: answers by status, and the seconds at which each was done."""

    answers: Counter[int] = field(default_factory=Counter)
    lost_replies: int = 0
    broken: int = 0
    without_retry_after: int = 0
    done_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class HerdPhone:
    """One phone with its queue, its lease and the cursors it had before it went away."""

    phone: BenchPhone
    port: int
    cursors: Sequence[Mapping[str, Any]]
    chance: np.random.Generator
    herd: Herd
    lease: str | None = None
    settled: int = 0
    sent: int = 0

    async def come_back(self, after_s: float, begun: float) -> None:
        """Sync until everything queued is settled."""
        await asyncio.sleep(after_s)
        while True:
            wait_s = await self._contact()
            if self.settled >= QUEUED:
                break
            await asyncio.sleep(wait_s)
        self.herd.done_s.append(perf_counter() - begun)

    async def _contact(self) -> float:
        """One call; the seconds to wait before the next one."""
        self.sent += 1
        lose = self.chance.integers(LOSE_EVERY) == 0
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._answer(lose=lose)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.herd.broken += 1
            return self.chance.uniform(*RECONNECT_S)
        if answer is None:
            self.herd.lost_replies += 1
            return self.chance.uniform(*RECONNECT_S)
        return self._learned(answer)

    async def _answer(self, *, lose: bool) -> Answer | None:
        wire = await Connection.open("127.0.0.1", self.port)
        try:
            if not lose:
                return await wire.request("POST", "/v1/sync", self.phone.token, self._body())
            await wire.send("POST", "/v1/sync", self.phone.token, self._body())
            await asyncio.sleep(self.chance.uniform(0, 0.3))
            return None
        finally:
            await wire.close()

    def _body(self) -> bytes:
        size = QUEUED - self.settled
        body = batch(self.phone, first_n=self.settled + 1, size=size, now=now_ms())
        body["buckets"] = list(self.cursors)
        return request_bytes(body | ({} if self.lease is None else {"lease": self.lease}))

    def _learned(self, answer: Answer) -> float:
        self.herd.answers[answer.status] += 1
        if answer.status == 200:
            reply = json.loads(answer.body)
            self.lease, self.settled = reply["lease"], reply["settled_through"]
            return 0.0
        told = answer.header(b"retry-after")
        if told is None:
            self.herd.without_retry_after += 1
            return self.chance.uniform(*RECONNECT_S)
        return float(told)


def heads(db: Db) -> list[dict[str, Any]]:
    """Every bucket as a phone lists it that has all of it."""
    rows = db.execute(text("SELECT id, epoch, seq, digest FROM bucket ORDER BY id"))
    return [dict(row) for row in rows.mappings()]


def own_households(phones: Sequence[BenchPhone]) -> list[BenchPhone]:
    """The phones, each with `QUEUED` households of its grid that no other phone edits."""
    given: Counter[str] = Counter()
    owners = []
    for each in phones:
        start = given[each.grid] * QUEUED
        given[each.grid] += 1
        homes = each.households[start : start + QUEUED]
        owners.append(
            BenchPhone(phone=each.phone, token=each.token, grid=each.grid, households=homes)
        )
    return owners


async def reconnect(
    running: Running,
    phones: Sequence[BenchPhone],
    cursors: Sequence[Mapping[str, Any]],
    *,
    spread_s: float,
    limit_s: float,
) -> Herd:
    """Let all phones come back within `spread_s` seconds; fails if it takes over `limit_s`."""
    herd, begun = Herd(), perf_counter()
    chance = np.random.default_rng(SEED)  # the same herd every time
    mine = [
        HerdPhone(
            phone=each,
            port=running.port,
            cursors=[
                cursor
                for cursor in cursors
                if cursor["id"] in {f"grid:{each.grid}", f"user:{each.phone.account}", "config"}
            ],
            chance=chance.spawn(1)[0],
            herd=herd,
        )
        for each in phones
    ]
    async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
        for each in mine:
            group.create_task(each.come_back(chance.uniform(0, spread_s), begun))
    return herd


def audit(db: Db, phones: Sequence[BenchPhone]) -> dict[str, int]:
    """How many of the phones' mutations are missing, and how many were applied again.

    Every household was at revision 1 and edited once, so 2 is right, 1 lost and more too often.
    """
    mutations = db.execute(text("SELECT device_id, n FROM mutation")).all()
    stored = {(str(row.device_id), row.n) for row in mutations}
    revs = {str(row.id): row.rev for row in db.execute(text("SELECT id, rev FROM record"))}
    edited = [revs[home] for each in phones for home in each.households]
    wanted = {(each.phone.device, n) for each in phones for n in range(1, QUEUED + 1)}
    return {
        "mutations": len(wanted),
        "lost": len(wanted - stored) + sum(rev < 2 for rev in edited),
        "applied_twice": sum(rev > 2 for rev in edited),
    }


async def prepare(store: Store, *, phones: int) -> list[BenchPhone]:
    """A field with room for all phones, and the phones."""
    grids = -(-phones // PHONES_PER_GRID)
    return own_households(
        await build_field(
            store, grids=grids, households=PHONES_PER_GRID * QUEUED, phones=phones
        )
    )


async def measure(
    where: Database, *, phones: int, workers: int, spread_s: float, limit_s: float
) -> dict[str, Any]:
    """One herd against one server."""
    async with opened(where) as store:
        owners = await prepare(store, phones=phones)
        cursors = await store.read(heads)
        database_s = where.cpu_s()
        with server(where.url, workers=workers, settings=UNLIMITED) as running:
            server_s = running.cpu_s()
            herd = await reconnect(running, owners, cursors, spread_s=spread_s, limit_s=limit_s)
            server_s = running.cpu_s() - server_s
        database_s = where.cpu_s() - database_s
        found = await store.read(lambda db: audit(db, owners))
    done = sorted(herd.done_s)
    return {
        "bench": "herd",
        "database": where.name,
        "server_workers": workers,
        "phones": phones,
        "phones_done": len(done),
        "arrived_within_s": spread_s,
        "half_done_s": round(done[len(done) // 2], 1),
        "all_done_s": round(done[-1], 1),
        "answers": dict(sorted(herd.answers.items())),
        "replies_lost_on_purpose": herd.lost_replies,
        "broken_connections": herd.broken,
        "refusals_without_retry_after": herd.without_retry_after,
        **found,
        "server_cpu_s": round(server_s, 2),
        "database_cpu_s": round(database_s, 2),
        "target": "lost = applied_twice = refusals_without_retry_after = 0, all phones done",
    }


def main() -> None:
    """Run the bench and print one JSON object a database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default=None)
    parser.add_argument("--phones", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=2, help="with PostgreSQL")
    parser.add_argument("--spread-s", type=float, default=10.0)
    parser.add_argument("--limit-s", type=float, default=240.0)
    asked = parser.parse_args()
    names = ("sqlite", "postgresql") if asked.database is None else (asked.database,)
    for name in names:
        with database(name) as where:
            emit(
                asyncio.run(
                    measure(
                        where,
                        phones=asked.phones,
                        workers=asked.workers if name == "postgresql" else 1,
                        spread_s=asked.spread_s,
                        limit_s=asked.limit_s,
                    )
                )
            )


if __name__ == "__main__":
    main()
