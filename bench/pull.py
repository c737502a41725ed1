"""Pull: a changed page of 500 records over HTTP, and a whole grid from its stored file.

Ceilings of the same run, on the same database and field:
- `raw_rows`: the bodies of the same page read by the bare driver on as many connections as
  there are phones, nothing done with them; on SQLite on one connection, it has one process;
- `static`: the very bytes of the page from the memory of a server on the same HTTP stack;
- `orm_pydantic`: the page built the common way, ORM rows through a Pydantic model, no HTTP.

Each way runs in turn, `--rounds` times; figures are medians of the rounds. Beside the rate
stands the CPU of one page: of the process that makes it and of the database, without the load
generator. Rates on two shared cores depend on what else runs, CPU less so: `cpu_ratio` is the
CPU of the ceiling over the CPU of the way.

    python -m bench.pull --database postgresql --seconds 3 --rounds 3
"""

import argparse
import asyncio
import itertools
import json
import sqlite3
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection, text
from sqlmodel import Session, col, select

from bench.cpu import own_cpu_s
from bench.field import BenchPhone, build_field, clock, request_bytes
from bench.machine import emit
from bench.push import opened
from bench.servers import Database, Running, database, server, static_server
from bench.wire import Connection as Wire
from server.clock import now_ms
from server.db.address import sqlite_path
from server.db.postgres_store import postgres_engine
from server.db.store import Store
from server.db.tables import RecordRow

PAGE = 500
GRIDS = 8
HOUSEHOLDS = 1_200
CONCURRENT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to a page in one round: how many a second, and milliseconds of CPU for each."""

    per_s: float
    cpu_ms: float
    database_ms: float

    @property
    def total_ms(self) -> float:
        """CPU of the process that makes the page and of the database."""
        return self.cpu_ms + self.database_ms


Work = Callable[[float], Awaitable[int]]
"""Works until a time and returns how often it did."""


async def timed(
    work: Work, *, seconds: float, where: Database, cpu_s: Callable[[], float]
) -> Way:
    """Measure one round; `cpu_s` is the CPU of the process that makes the pages."""
    cpu, other, begun = cpu_s(), where.cpu_s(), perf_counter()
    count = await work(begun + seconds)
    wall = perf_counter() - begun
    return Way(
        per_s=count / wall,
        cpu_ms=(cpu_s() - cpu) / count * 1_000,
        database_ms=(where.cpu_s() - other) / count * 1_000,
    )


class Item(BaseModel):
    """The page item as an ORM-and-Pydantic server would declare it."""

    record: str
    kind: str
    rev: int
    hash: str
    state: dict[str, Any]


_PAGE = TypeAdapter(list[Item])


def page_request(cursor: dict[str, Any] | None, lease: str | None) -> bytes:
    """A sync request without mutations that lists one bucket."""
    body: dict[str, Any] = {
        "protocol": 1,
        "app": {"version": "1", "schema": 1},
        "clock": clock(now_ms(), 1_000),
        "last_n": 0,
        "mutations": [],
        "buckets": [] if cursor is None else [cursor],
        "max_bytes": 1024 * 1024,
    }
    return request_bytes(body | ({} if lease is None else {"lease": lease}))


@dataclass(slots=True)
class Caller:
    """One phone; it shows the lease that it was given last."""

    phone: BenchPhone
    cursor: dict[str, Any]
    lease: str | None = None

    async def page(self, wire: Wire) -> bytes:
        """Pull once."""
        request = page_request(self.cursor, self.lease)
        answer = await wire.request("POST", "/v1/sync", self.phone.token, request)
        if answer.status != 200:
            raise SystemExit(f"pull failed: {answer.status}")
        at = answer.body.index(b'"lease":"') + 9
        self.lease = answer.body[at : answer.body.index(b'"', at)].decode()
        return answer.body


async def _until(end: float, once: Sequence[Callable[[], Awaitable[Any]]]) -> int:
    """Let each of `once` run again and again until `end`; return how often in all."""
    done = itertools.count()

    async def worker(again: Callable[[], Awaitable[Any]]) -> None:
        while perf_counter() < end:
            await again()
            next(done)

    await asyncio.gather(*(worker(each) for each in once))
    return next(done)


async def paged(running: Running, callers: Sequence[Caller], end: float) -> int:
    """Let every caller pull until `end` and return how many pages they got."""
    wires = [await Wire.open("127.0.0.1", running.port) for _ in callers]
    pairs = zip(callers, wires, strict=True)
    count = await _until(end, [partial(caller.page, wire) for caller, wire in pairs])
    for wire in wires:
        await wire.close()
    return count


async def _file(wire: Wire, phone: BenchPhone, path: str) -> None:
    answer = await wire.request("GET", path, phone.token, packed=True)
    if answer.status != 200:
        raise SystemExit(f"a file was not sent: {answer.status}")


async def fetched(running: Running, paths: Sequence[tuple[BenchPhone, str]], end: float) -> int:
    """Let every phone fetch its grid's stored file until `end`; return how many that were."""
    wires = [await Wire.open("127.0.0.1", running.port) for _ in paths]
    pairs = zip(wires, paths, strict=True)
    count = await _until(end, [partial(_file, wire, *path) for wire, path in pairs])
    for wire in wires:
        await wire.close()
    return count


def _rows_as_common(db: Connection, bucket: str, after: int) -> bytes:
    with Session(db) as session:
        statement = select(RecordRow).where(RecordRow.bucket == bucket, RecordRow.seq > after)
        rows = session.exec(statement.order_by(col(RecordRow.seq)).limit(PAGE)).all()
        items = [
            Item(
                record=row.id,
                kind=row.kind,
                rev=row.rev,
                hash=row.hash,
                state=json.loads(row.body)["state"],
            )
            for row in rows
        ]
    return _PAGE.dump_json(items)


async def common_way(store: Store, bucket: str, after: int, end: float) -> int:
    """Build pages of ORM rows and Pydantic until `end`, `CONCURRENT` at a time."""
    once = partial(store.read, lambda db: _rows_as_common(db, bucket, after))
    return await _until(end, [once] * CONCURRENT)


async def raw_rows(store: Store, bucket: str, after: int, end: float) -> int:
    """Read pages with the bare driver until `end`."""
    if store.dialect != "postgresql":
        return _raw_sqlite(store, bucket, after, end)
    sql = "SELECT body FROM record WHERE bucket = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    engine = postgres_engine(store.url, pool=CONCURRENT)
    opened_here = [await engine.connect() for _ in range(CONCURRENT)]
    drivers: list[Any] = [
        (await each.get_raw_connection()).driver_connection for each in opened_here
    ]
    once = [partial(driver.fetch, sql, bucket, after, PAGE) for driver in drivers]
    count = await _until(end, once)
    for each in opened_here:
        await each.close()
    await engine.dispose()
    return count


def _raw_sqlite(store: Store, bucket: str, after: int, end: float) -> int:
    db = sqlite3.connect(sqlite_path(store.url))
    sql = "SELECT body FROM record WHERE bucket = ? AND seq > ? ORDER BY seq LIMIT ?"
    count = 0
    while perf_counter() < end:
        db.execute(sql, (bucket, after, PAGE)).fetchall()
        count += 1
    db.close()
    return count


def heads(db: Connection, grids: Sequence[str]) -> dict[str, Any]:
    """The head of each grid's bucket."""
    sql = text("SELECT seq, epoch, digest, count FROM bucket WHERE id = :id")
    return {grid: db.execute(sql, {"id": f"grid:{grid}"}).one() for grid in grids}


def recent(phone: BenchPhone, head: Any) -> dict[str, Any]:
    """A cursor so far behind that one page of `PAGE` records is missing."""
    return {
        "id": f"grid:{phone.grid}",
        "epoch": head.epoch,
        "seq": head.seq - PAGE,
        "digest": "0" * 16,
    }


async def in_turn(
    ways: dict[str, tuple[Work, Callable[[], float]]],
    where: Database,
    *,
    seconds: float,
    rounds: int,
) -> dict[str, list[Way]]:
    """Measure every way in every round, after a short time of warming up."""
    for work, _ in ways.values():
        await work(perf_counter() + seconds / 4)
    taken: dict[str, list[Way]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (work, cpu_s) in ways.items():
            way = await timed(work, seconds=seconds, where=where, cpu_s=cpu_s)
            taken[name].append(way)
    return taken


async def measure(where: Database, *, seconds: float, rounds: int) -> dict[str, Any]:
    """All figures of one run on one database."""
    async with opened(where) as store:
        phones = await build_field(store, grids=GRIDS, households=HOUSEHOLDS, phones=CONCURRENT)
        found = await store.read(lambda db: heads(db, [each.grid for each in phones]))
        head, bucket = found[phones[0].grid], f"grid:{phones[0].grid}"
        callers = [Caller(phone=each, cursor=recent(each, found[each.grid])) for each in phones]
        strangers = [Caller(phone=each.phone, cursor=each.cursor) for each in callers]
        paths = [(each, _path(each, found[each.grid])) for each in phones]
        with ExitStack() as stack:
            running = stack.enter_context(server(where.url))
            page = await _one_page(running, callers[0])
            file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "page"
            file.write_bytes(page)
            static = stack.enter_context(static_server(file))
            after = head.seq - PAGE
            ways: dict[str, tuple[Work, Callable[[], float]]] = {
                "changed": (partial(paged, running, callers), running.cpu_s),
                "cached": (partial(fetched, running, paths), running.cpu_s),
                "raw_rows": (partial(raw_rows, store, bucket, after), own_cpu_s),
                "static": (partial(paged, static, strangers), static.cpu_s),
                "orm_pydantic": (partial(common_way, store, bucket, after), own_cpu_s),
            }
            taken = await in_turn(ways, where, seconds=seconds, rounds=rounds)
    return {
        "bench": "pull",
        "database": where.name,
        "rounds": rounds,
        "items_per_page": sum(len(each["put"]) for each in json.loads(page)["buckets"]),
        "bytes_per_page": len(page),
        "cached_records": head.count,
        **{name: figures(each) for name, each in taken.items()},
        **ratios(taken, cached_pages=head.count / PAGE),
        "target": "changed_to_raw_rows >= 0.35 and cached_to_raw_rows >= 1.2",
    }


async def _one_page(running: Running, caller: Caller) -> bytes:
    wire = await Wire.open("127.0.0.1", running.port)
    page = await caller.page(wire)
    await wire.close()
    return page


def _path(phone: BenchPhone, head: Any) -> str:
    return f"/v1/sync/snapshots/grid:{phone.grid}/{head.epoch}/{head.seq}"


def ratios(taken: dict[str, list[Way]], *, cached_pages: float) -> dict[str, Any]:
    """Records a second beside the ceilings; a stored file is as many as `cached_pages`."""
    raw, common = taken["raw_rows"], taken["orm_pydantic"]
    return {
        "changed_to_raw_rows": beside(taken["changed"], raw),
        "cached_to_raw_rows": beside(taken["cached"], raw, pages=cached_pages),
        "static_to_raw_rows": beside(taken["static"], raw),
        "changed_to_orm_pydantic": beside(taken["changed"], common),
    }


def figures(rounds: Sequence[Way]) -> dict[str, float]:
    """The medians of a way's rounds."""
    return {
        "per_s": round(statistics.median(each.per_s for each in rounds), 1),
        "cpu_ms": round(statistics.median(each.cpu_ms for each in rounds), 2),
        "database_ms": round(statistics.median(each.database_ms for each in rounds), 2),
    }


def beside(
    rounds: Sequence[Way], ceiling: Sequence[Way], *, pages: float = 1.0
) -> dict[str, float]:
    """Ratios of a way to a ceiling, the median of the rounds; one of the way is `pages`."""
    pairs = list(zip(rounds, ceiling, strict=True))
    return {
        "ratio": round(statistics.median(pages * w.per_s / top.per_s for w, top in pairs), 3),
        "cpu_ratio": round(
            statistics.median(pages * top.total_ms / w.total_ms for w, top in pairs), 3
        ),
    }


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with database(asked.database) as where:
        emit(asyncio.run(measure(where, seconds=asked.seconds, rounds=asked.rounds)))


if __name__ == "__main__":
    main()
