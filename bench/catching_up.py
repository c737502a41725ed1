"""Catching up: a first sync of 2,500 records from a stored file, and repair of one of them.

The phone is the reference client; its bytes are whole HTTP messages with their headers. In the
same run: `state_gzip`, the bucket's bodies as one JSON array packed with gzip at level 6, which
is all that a phone has to learn; `file_bytes`, the stored file alone; the server's CPU for one
fetch of the stored file, beside a call that does nothing.

    python -m bench.catching_up --database postgresql
"""

import argparse
import asyncio
import gzip
import os
from collections.abc import Callable
from typing import Any

import httpx

from bench.field import BenchPhone, build_field
from bench.machine import emit
from bench.push import opened
from bench.servers import Database, Running, database, server
from clients.phone import Phone, SteppedClock
from clients.phone.report import SyncReport
from server.clock import now_ms
from sync.canonical import record_body

HOUSEHOLDS = 1_250  # with their dwellings, the grid and its class about 2,500 records
FETCHES = 200
GZIP_LEVEL = 6


class Chance:
    """Chance for a phone that makes nothing: only its waits are drawn."""

    def getrandbits(self, k: int, /) -> int:
        """Return `k` bits."""
        return int.from_bytes(os.urandom((k + 7) // 8)) >> -k % 8

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self.getrandbits(53) / (1 << 53)


def make_phone(running: Running, enrolled: BenchPhone) -> Phone:
    """A phone of the reference client in place of an enrolled one."""
    phone = Phone(
        ":memory:",
        httpx.Client(timeout=60),
        clock=SteppedClock(wall_ms=now_ms(), uptime_ms=10**7),
        chance=Chance(),
    )
    store = phone._store  # noqa: SLF001 - enrolment is not what is measured
    with store.transaction():
        store.keep_setting("base_url", f"http://127.0.0.1:{running.port}")
        store.keep_setting("device", enrolled.phone.device)
        store.keep_setting("token", enrolled.token)
    return phone


def synced(phone: Phone) -> SyncReport:
    """One sync that must succeed."""
    report = phone.sync()
    if report.failure is not None or not report.up_to_date:
        raise SystemExit(f"the phone did not catch up: {report.failure}")
    return report


def damage(phone: Phone, bucket: str) -> None:
    """Let the phone's memory lose what it held of one record of a bucket."""
    one = next(held for held in phone.holdings() if held.bucket == bucket)
    body = record_body(one.record, one.kind, one.rev, {})
    phone._store._db.execute("UPDATE record SET body = ? WHERE id = ?", (body, one.record))  # noqa: SLF001


def state_gzip(phone: Phone, bucket: str) -> int:
    """Bytes of a bucket's bodies as one packed JSON array."""
    bodies = [held.body for held in phone.holdings() if held.bucket == bucket]
    return len(gzip.compress(b"[" + b",".join(bodies) + b"]", GZIP_LEVEL, mtime=0))


def cpu_ms(running: Running, fetch: Callable[[], httpx.Response]) -> float:
    """The server's CPU milliseconds of one fetch, over many."""
    before = running.cpu_s()
    for _ in range(FETCHES):
        answer = fetch()
        if answer.status_code != httpx.codes.OK:
            raise SystemExit(f"a fetch failed: {answer.status_code}")
    return round((running.cpu_s() - before) / FETCHES * 1_000, 2)


def stored_file(phone: Phone, running: Running, bucket: str) -> Callable[[], httpx.Response]:
    """Return what fetches the bucket's stored file once."""
    row = next(each for each in phone.followed() if each.id == bucket)
    http = httpx.Client(
        base_url=f"http://127.0.0.1:{running.port}",
        headers={
            "authorization": f"Bearer {phone._store.setting('token')}",  # noqa: SLF001
            "accept-encoding": "gzip",
        },
        follow_redirects=True,
    )
    path = f"/v1/sync/snapshots/{bucket}/{row.epoch}/{row.seq}"
    return lambda: http.get(path)


def measure_phones(
    where: Database, running: Running, enrolled: list[BenchPhone]
) -> dict[str, Any]:
    """Let one phone have the file made, and measure the others."""
    first, second = (make_phone(running, each) for each in enrolled[:2])
    bucket = f"grid:{enrolled[0].grid}"
    synced(first)
    report = synced(second)
    whole = state_gzip(second, bucket)
    fetch = stored_file(second, running, bucket)
    http = httpx.Client(base_url=f"http://127.0.0.1:{running.port}")
    stored_ms, nothing_ms = (
        cpu_ms(running, fetch),
        cpu_ms(running, lambda: http.get("/livez")),
    )
    damage(second, bucket)
    repaired = synced(second)
    repair = repaired.bytes_up + repaired.bytes_down
    plain = sum(len(held.body) for held in second.holdings() if held.bucket == bucket)
    file_bytes = int(fetch().headers["content-length"])
    return {
        "bench": "catching_up",
        "database": where.name,
        "records": sum(held.bucket == bucket for held in second.holdings()),
        "state_bytes": plain,
        "state_gzip": whole,
        "file_bytes": file_bytes,
        "file_ratio": round(file_bytes / whole, 3),
        "first_sync_bytes_down": report.bytes_down,
        "first_sync_ratio": round(report.bytes_down / whole, 3),
        "first_sync_round_trips": report.round_trips,
        "cached_file_cpu_ms": stored_ms,
        "empty_call_cpu_ms": nothing_ms,
        "repair_bytes": repair,
        "repair_round_trips": repaired.round_trips,
        "repair_share": round(repair / plain, 3),
        "repair_share_packed": round(repair / whole, 3),
        "target": "first sync <= 1.05 of the state; cached <= 5 ms of CPU; repair <= 5 %",
    }


async def measure(where: Database) -> dict[str, Any]:
    """All figures of one run on one database."""
    async with opened(where) as store:
        enrolled = await build_field(store, grids=1, households=HOUSEHOLDS, phones=2)
    with server(where.url) as running:
        return await asyncio.to_thread(measure_phones, where, running, enrolled)


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    asked = parser.parse_args()
    with database(asked.database) as where:
        emit(asyncio.run(measure(where)))


if __name__ == "__main__":
    main()
