"""Pull: a page of 500 changed records over HTTP, and the first sync of a whole grid.

Ceilings of the same run, on the same database and field:
- `orm_pydantic`: the page built the common way, ORM rows through a Pydantic model;
- `raw_rows`: the page's bodies read by the bare driver on as many connections, nothing done
  with them (PostgreSQL);
- `static`: the very bytes of the page served by the same HTTP server without a database.

    python -m bench.pull --database postgresql --seconds 4
"""

import argparse
import asyncio
import itertools
import json
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection, text
from sqlmodel import Session, col, select
from starlette.responses import Response

from bench.field import BenchPhone, build_field, clock, request_bytes
from bench.machine import emit
from bench.push import opened
from bench.servers import Database, database, server
from bench.wire import Connection as Wire
from server.clock import now_ms
from server.db.postgres_store import postgres_engine
from server.db.store import Store
from server.db.tables import RecordRow

PAGE = 500
GRIDS = 8
HOUSEHOLDS = 1_200
CONCURRENT = 8


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


async def paged(
    port: int,
    phones: Sequence[BenchPhone],
    cursor_of: Any,
    *,
    seconds: float,
    leases: dict[str, str],
) -> tuple[float, int, int]:
    """Requests a second that each bring a page, with items and bytes of the last answer."""
    done = itertools.count()
    seen: dict[str, int] = {}
    end = perf_counter() + seconds

    async def worker(phone: BenchPhone) -> None:
        wire = await Wire.open("127.0.0.1", port)
        lease = leases.get(phone.token)
        cursor = cursor_of(phone)
        while perf_counter() < end:
            request = page_request(cursor, lease)
            answer = await wire.request("POST", "/v1/sync", phone.token, request)
            if answer.status != 200:
                raise SystemExit(f"pull failed: {answer.status}")
            if not seen:
                reply = json.loads(answer.body)
                seen["items"] = sum(len(page["put"]) for page in reply["buckets"])
                seen["bytes"] = len(answer.body)
            at = answer.body.index(b'"lease":"') + 9
            lease = answer.body[at : answer.body.index(b'"', at)].decode()
            leases[phone.token] = lease
            next(done)
        await wire.close()

    begun = perf_counter()
    await asyncio.gather(*(worker(phone) for phone in phones))
    return next(done) / (perf_counter() - begun), seen["items"], seen["bytes"]


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


async def in_process(store: Store, work: Any, *, seconds: float) -> float:
    """Calls of `work` a second, `CONCURRENT` at a time, in this process."""
    done = itertools.count()
    end = perf_counter() + seconds

    async def worker() -> None:
        while perf_counter() < end:
            await store.read(work)
            next(done)

    begun = perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONCURRENT)))
    return next(done) / (perf_counter() - begun)


async def common_way(store: Store, bucket: str, after: int, *, seconds: float) -> float:
    """Pages a second of ORM plus Pydantic, in process: HTTP would only make it slower."""
    return await in_process(
        store, lambda db: _rows_as_common(db, bucket, after), seconds=seconds
    )


async def raw_rows(store: Store, bucket: str, after: int, *, seconds: float) -> float | None:
    """Pages a second of the bare driver; None on SQLite, which has none of its own."""
    if store.dialect != "postgresql":
        return None
    sql = "SELECT body FROM record WHERE bucket = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    engine = postgres_engine(store.url, pool=CONCURRENT)
    done = itertools.count()
    end = perf_counter() + seconds

    async def reader() -> None:
        async with engine.connect() as db:
            driver: Any = (await db.get_raw_connection()).driver_connection
            while perf_counter() < end:
                await driver.fetch(sql, bucket, after, PAGE)
                next(done)

    begun = perf_counter()
    await asyncio.gather(*(reader() for _ in range(CONCURRENT)))
    rate = next(done) / (perf_counter() - begun)
    await engine.dispose()
    return rate


async def static_bytes(body: bytes, phones: Sequence[BenchPhone], *, seconds: float) -> float:
    """Requests a second of a FastAPI endpoint that answers `body` from memory."""
    app = FastAPI()

    @app.post("/v1/sync")
    async def answer() -> Response:
        return Response(body, media_type="application/json", headers={"x": '"lease":"x"'})

    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    rate, _, _ = await paged(port, phones, lambda _: None, seconds=seconds, leases={})
    running.should_exit = True
    await task
    return rate


async def measure(where: Database, *, seconds: float) -> dict[str, Any]:
    """All figures of one run on one database."""
    async with opened(where) as store:
        phones = await build_field(store, grids=GRIDS, households=HOUSEHOLDS, phones=CONCURRENT)
        bucket = f"grid:{phones[0].grid}"
        head = await store.read(
            lambda db: db.execute(
                text("SELECT seq, epoch, digest FROM bucket WHERE id = :id"), {"id": bucket}
            ).one()
        )

        def recent(phone: BenchPhone) -> dict[str, Any]:
            """A cursor so far behind that one page of `PAGE` records is missing."""
            return {
                "id": f"grid:{phone.grid}",
                "epoch": head.epoch,
                "seq": head.seq - PAGE,
                "digest": "0" * 16,
            }

        leases: dict[str, str] = {}
        with server(where.url) as running:
            rate, items, size = await paged(
                running.port, phones, recent, seconds=seconds, leases=leases
            )
            first, first_items, first_size = await paged(
                running.port, phones, lambda _: None, seconds=seconds, leases=leases
            )
        raw = await raw_rows(store, bucket, head.seq - PAGE, seconds=seconds)
        common = await common_way(store, bucket, head.seq - PAGE, seconds=seconds)
        reply = b'{"lease":"x","buckets":[{"put":[]}],"pad":"%s"}' % (b"x" * size)
        static = await static_bytes(reply, phones, seconds=seconds)
    return {
        "bench": "pull",
        "database": where.name,
        "items_per_page": items,
        "bytes_per_page": size,
        "pages_per_s": round(rate, 1),
        "items_per_s": round(rate * items),
        "ceiling_static_per_s": round(static, 1),
        "ratio_to_static": round(rate / static, 3),
        "ceiling_raw_rows_per_s": None if raw is None else round(raw, 1),
        "ratio_to_raw_rows": None if raw is None else round(rate / raw, 3),
        "orm_pydantic_pages_per_s": round(common, 1),
        "times_orm_pydantic": round(rate / common, 2),
        "first_sync_per_s": round(first, 1),
        "first_sync_items": first_items,
        "first_sync_bytes": first_size,
        "target": "times_orm_pydantic >= 3 and ratio_to_raw_rows >= 0.35",
    }


def main() -> None:
    """Run the bench and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--seconds", type=float, default=4.0)
    asked = parser.parse_args()
    with database(asked.database) as where:
        emit(asyncio.run(measure(where, seconds=asked.seconds)))


if __name__ == "__main__":
    main()
