"""Import of all the demonstration ships: files in, checked, through the write path, durable.

The ceiling is the SQL of the same import, recorded once and replayed transaction by transaction
into an empty store: no reading of files, no checks of polygons and coverage, no rules. The
import is run without recording first, so the recorder costs it nothing.

    python -m bench.demo_import --database postgresql --households 6000
"""

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Connection, event

from bench.machine import emit
from bench.servers import database
from demo import sources
from demo.people import write_people
from server.db.store import Store, open_store
from server.imports.command import ImportRequest, import_into

T = TypeVar("T")
Statement = tuple[str, Any, bool]
Transaction = list[Statement]
SEED = 7


def files(folder: Path, households: int) -> dict[str, Path]:
    """The files by kind, in the order they must come in."""
    people = write_people(folder, households=households, seed=SEED)
    return {
        "areas": sources.AREAS,
        "grids": sources.GRIDS,
        "classes": sources.CLASSES,
        "dwellings": sources.DWELLINGS,
        "households": people.households_file,
        "residents": people.residents_file,
    }


async def run_import(store: Store, inputs: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Import all files; rows and seconds of each kind."""
    figures = {}
    for kind, path in inputs.items():
        begun = perf_counter()
        report = await import_into(store, ImportRequest(kind=kind, path=path))
        if not report.ok:
            raise SystemExit("\n".join(report.lines()))
        figures[kind] = {"rows": report.created, "seconds": round(perf_counter() - begun, 2)}
    return figures


async def record(store: Store, inputs: Mapping[str, Path]) -> list[Transaction]:
    """The statements of every writing transaction of an import."""
    transactions: list[Transaction] = []
    write = store.write

    async def recorded(work: Any, **_: Any) -> Any:
        statements: Transaction = []

        def inside(db: Connection) -> Any:
            def note(*args: Any) -> None:
                statements.append((args[2], args[3], args[5]))

            statements.clear()
            event.listen(db.engine, "before_cursor_execute", note)
            try:
                return work(db)
            finally:
                event.remove(db.engine, "before_cursor_execute", note)

        answer = await write(inside)
        transactions.append(statements)
        return answer

    store.write = recorded  # type: ignore[method-assign]  # only while recording
    try:
        await run_import(store, inputs)
    finally:
        store.write = write  # type: ignore[method-assign]
    return transactions


async def replay(store: Store, transactions: list[Transaction]) -> float:
    """Seconds the recorded statements take by themselves."""

    def run(db: Connection, statements: Transaction) -> None:
        for sql, parameters, many in statements:
            if many:
                db.exec_driver_sql(sql, parameters)
                continue
            result = db.exec_driver_sql(sql, tuple(parameters))
            if result.returns_rows:
                result.all()

    begun = perf_counter()
    for statements in transactions:
        await store.write(partial(run, statements=statements))
    return perf_counter() - begun


def in_fresh_store(name: str, work: Callable[[Store], Awaitable[T]]) -> T:
    """Run `work` on an empty store of its own."""
    with database(name) as where:

        async def opened() -> T:
            store = open_store(where.url)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())


def measure(name: str, inputs: Mapping[str, Path]) -> dict[str, Any]:
    """All figures of one run on one database."""
    kinds = in_fresh_store(name, lambda store: run_import(store, inputs))
    transactions = in_fresh_store(name, lambda store: record(store, inputs))
    statements_s = in_fresh_store(name, lambda store: replay(store, transactions))
    spent_s = sum(each["seconds"] for each in kinds.values())
    rows = sum(each["rows"] for each in kinds.values())
    return {
        "bench": "demo_import",
        "database": name,
        "rows": int(rows),
        "seconds": round(spent_s, 2),
        "rows_per_s": round(rows / spent_s),
        "ceiling_statements_per_s": round(rows / statements_s),
        "ratio_to_statements": round(statements_s / spent_s, 3),
        "kinds": kinds,
    }


def main() -> None:
    """Run the bench and print one JSON object a database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default=None)
    parser.add_argument("--households", type=int, default=6_000)
    asked = parser.parse_args()
    names = ("sqlite", "postgresql") if asked.database is None else (asked.database,)
    with tempfile.TemporaryDirectory() as folder:
        inputs = files(Path(folder), asked.households)
        for name in names:
            emit(measure(name, inputs))


if __name__ == "__main__":
    main()
