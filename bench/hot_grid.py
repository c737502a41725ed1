"""Hot grid: ten phones push into one bucket at once, one edit a request, durable.

All of them wait for the same bucket's lock, which is held from the check of the plan to COMMIT.
The ceiling is the same with a grid for each phone: no lock is shared then.

    python -m bench.hot_grid --database postgresql --seconds 4
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from bench.field import BenchPhone, build_field
from bench.machine import emit
from bench.push import Pusher, opened
from bench.servers import Database, Running, database, server
from bench.wire import Connection as Wire

WRITERS = 10
HOMES = 100
WARM = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests a second, and what one of them costs in CPU seconds of both servers."""

    per_s: float
    server_ms: float
    database_ms: float


async def warmed(running: Running, phone: BenchPhone) -> Pusher:
    """A phone with its first sync and `WARM` requests behind it."""
    pusher = Pusher(phone, await Wire.open("127.0.0.1", running.port), size=1)
    await pusher.first_sync()
    for at in range(WARM):
        await pusher.push(at)
    return pusher


async def pushed(
    where: Database, running: Running, phones: Sequence[BenchPhone], *, seconds: float
) -> Rate:
    """Requests of one edit each, after the first sync and `WARM` requests of each phone."""
    pushers = await asyncio.gather(*(warmed(running, phone) for phone in phones))
    server_s, database_s = running.cpu_s(), where.cpu_s()
    begun, done = perf_counter(), 0

    async def worker(pusher: Pusher) -> None:
        nonlocal done
        for at in range(WARM, len(pusher.bodies)):
            if perf_counter() > begun + seconds:
                break
            await pusher.push(at)
            done += 1

    await asyncio.gather(*(worker(pusher) for pusher in pushers))
    rate = Rate(
        per_s=done / (perf_counter() - begun),
        server_ms=(running.cpu_s() - server_s) * 1000 / done,
        database_ms=(where.cpu_s() - database_s) * 1000 / done,
    )
    for pusher in pushers:
        await pusher.wire.close()
    return rate


def own_homes(phones: Sequence[BenchPhone]) -> list[BenchPhone]:
    """The phones of one grid, each with households that no other one edits."""
    return [
        replace(each, households=each.households[place * HOMES : (place + 1) * HOMES])
        for place, each in enumerate(phones)
    ]


async def measure(where: Database, *, seconds: float, workers: int) -> dict[str, Any]:
    """Both figures of one run on one database: one grid, then a grid for each phone."""
    async with opened(where) as store:
        phones = await build_field(
            store, grids=WRITERS, households=WRITERS * HOMES, phones=WRITERS * WRITERS
        )
    together = own_homes(phones[::WRITERS])
    apart = [replace(each, households=each.households[-HOMES:]) for each in phones[1:WRITERS]]
    apart.append(replace(phones[-1], households=phones[-1].households[:HOMES]))
    with server(where.url, workers=workers) as running:
        hot = await pushed(where, running, together, seconds=seconds)
        cool = await pushed(where, running, apart, seconds=seconds)
    return {
        "bench": "hot_grid",
        "database": where.name,
        "writers": WRITERS,
        "server_workers": workers,
        "pushes_per_s": round(hot.per_s),
        "ceiling_apart_per_s": round(cool.per_s),
        "ratio_to_apart": round(hot.per_s / cool.per_s, 3),
        "server_cpu_ms_a_push": round(hot.server_ms, 2),
        "database_cpu_ms_a_push": round(hot.database_ms, 2),
        "target": "pushes_per_s >= 300",
    }


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=None, help="server processes")
    asked = parser.parse_args()
    workers = asked.workers or (2 if asked.database == "postgresql" else 1)
    with database(asked.database) as where:
        emit(asyncio.run(measure(where, seconds=asked.seconds, workers=workers)))


if __name__ == "__main__":
    main()
