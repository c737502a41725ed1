"""Row security: what a read of people costs behind the second wall, beside the same without it.

The same queries of the product run on the same rows as the plain role, which row security binds
and which says its scope first (`server.db.reach`), and as a superuser, whom it does not bind,
and without that statement. That is the ceiling. Figures are CPU time of a whole read
transaction, in this process and in the server, because that is the same beside other work on
the machine; both sides take turns. The scope is one grid, a street of twenty, or the whole
city.

The last lines ask for a box on the map of dwellings, which no wall stands around, as if one
did: as a plain owner has to live with it, and after a superuser declared the operator of boxes
LEAKPROOF. Queries of people use no operator that needs it.

    python -m bench.rls --households 300000
"""

import argparse
import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Any, Protocol

from sqlalchemy import Connection, text

from bench.cpu import cpu_s
from bench.machine import emit
from bench.servers import DURABLE
from server.areas.scope import Scope
from server.db.reach import SETTING, everywhere, reach_of
from server.db.store import Store, open_store
from server.households.queries import households_in, residents_in
from server.households.searching import found_in
from server.identity.principal import AreaSpan
from server.migrations import migrate
from sync.searching import sought
from tests.services import Postgres

GRID_HOUSEHOLDS = 300
STREET_GRIDS = 20
ROUNDS = 8
PAGE = 101
BOX = "ST_MakeEnvelope(121.50, 25.00, 121.502, 25.002, 4326)"
ID = "('00000000-0000-7000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"
_COMMON = "id, rev, grid_id, area_no, archived, created_ms, updated_ms"
_VALUES = f"{ID.format('n')}, 1, {ID.format('0')}, n / {GRID_HOUSEHOLDS} + 1, false, 1, 1"
_KEY = "((n::bigint * 7919) % 1000003)::text"
_PLACE = "ST_SetSRID(ST_MakePoint(121.5 + (n % 1000) / 5000.0, 25 + (n / 1000) / 5000.0), 4326)"
_ROWS = {
    "dwelling (%s, code, address, geom)": f"'D' || n, 'Lane ' || n, {_PLACE}",
    "household (%s, dwelling_id, door, status, languages, door_key)": (
        f"{ID.format('n')}, n::text, 'active', '[]', {_KEY}"
    ),
    "resident (%s, household_id, name, name_key)": f"{ID.format('n')}, 'N' || n, 'n' || {_KEY}",
}
FILL = [
    f"INSERT INTO {table % _COMMON} SELECT {_VALUES}, {own} FROM generate_series(0, :last) n"  # noqa: S608
    for table, own in _ROWS.items()
]
WALLED = (
    "ALTER TABLE dwelling ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE dwelling FORCE ROW LEVEL SECURITY",
    (
        "CREATE POLICY reach ON dwelling USING (coalesce(area_no <@ (SELECT nullif("
        "current_setting('jingwei.reach', true), '')::int8multirange), false))"
    ),
)
LEAKPROOF = "ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF"


class Work(Protocol):
    """A read of the product: it says its scope itself."""

    def __call__(self, db: Connection, scope: Scope) -> object:
        """Read in a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The same database for a role that the wall binds, and for one that it does not."""

    bound: Store
    free: Store
    server_cpu_s: Callable[[], float]


def _unasked(work: Work, scope: Scope) -> Callable[[Connection], object]:
    """The work without the statement that says the scope: nobody would ask for it."""

    def done(db: Connection) -> object:
        db.info[SETTING] = reach_of((span.lo, span.hi) for span in scope)
        return work(db, scope)

    return done


async def compared(
    sides: Sides, works: Sequence[Work], scope: Scope, rounds: int = ROUNDS
) -> tuple[float, float]:
    """`(bound, free)`: milliseconds of CPU of one transaction, here and in the server."""
    spent = [0.0, 0.0]
    for _ in range(rounds):
        for side, store in enumerate((sides.bound, sides.free)):
            begun = sides.server_cpu_s() + process_time()
            for work in works:
                await store.read(_unasked(work, scope) if side else partial(work, scope=scope))
            spent[side] += sides.server_cpu_s() + process_time() - begun
    each = 1000 / (rounds * len(works))
    return spent[0] * each, spent[1] * each


def questions(scope: Scope, households: int, count: int) -> Iterator[tuple[str, list[Work]]]:
    """The kinds of questions, each with some of it."""
    first = (scope[0].lo - 1) * GRID_HOUSEHOLDS
    last = min(scope[0].hi * GRID_HOUSEHOLDS, households)
    numbers = [first + at * (last - first) // count for at in range(count)]
    ids = [f"00000000-0000-7000-8000-{each:012x}" for each in numbers]

    def one(key: str) -> Work:
        return lambda db, scope: households_in(
            db, scope, equal={"id": key}, after_id=None, limit=1
        )

    def people(key: str) -> Work:
        return lambda db, scope: residents_in(db, scope, equal={"household_id": key})

    def page(key: str) -> Work:
        return lambda db, scope: households_in(db, scope, equal={}, after_id=key, limit=PAGE)

    def search(number: int) -> Work:
        words = f"n{number * 7919 % 1000003}"
        return lambda db, scope: [
            found_in(db, scope, words, asked, limit=20)
            for asked in (sought(words),)
            if asked is not None
        ]

    yield "one household", [one(each) for each in ids]
    yield "residents of a household", [people(each) for each in ids]
    yield "a page of households", [page(each) for each in ids]
    yield "search by name", [search(each) for each in numbers]


def boxed(db: Connection, scope: Scope) -> object:
    """Dwellings in a box and in scope, told of the scope as if a wall stood around them."""
    db.exec_driver_sql(
        "SELECT set_config($1, $2, true)",
        (SETTING, reach_of((span.lo, span.hi) for span in scope)),
    )
    statement = text(
        f"SELECT id FROM dwelling WHERE geom && {BOX} AND area_no BETWEEN :lo AND :hi"  # noqa: S608
    )
    return db.execute(statement, {"lo": scope[0].lo, "hi": scope[0].hi}).all()


def _executed(db: Connection, statement: str) -> None:
    db.exec_driver_sql(statement)


def line(name: str, scope: str, figure: float, ceiling: float) -> Mapping[str, Any]:
    """One result."""
    return {
        "name": f"{name}, {scope}",
        "figure": round(figure, 3),
        "unit": "ms of CPU, a whole transaction",
        "ceiling": round(ceiling, 3),
        "ratio": round(figure / ceiling, 2),
        "target": "ratio <= 1.3",
    }


async def run(sides: Sides, households: int, count: int) -> list[Mapping[str, Any]]:
    """Fill and compare."""

    def fill(db: Connection) -> None:
        everywhere(db)
        for each in FILL:
            db.execute(text(each), {"last": households - 1})
        db.execute(text("ANALYZE dwelling, household, resident"))

    await sides.bound.write(fill, timeout_ms=600_000)
    grids = (households - 1) // GRID_HOUSEHOLDS + 1
    scopes = {"one grid": (3, 3), "a street": (3, 2 + STREET_GRIDS), "the city": (1, grids)}
    found = []
    for where, (lo, hi) in scopes.items():
        scope: Scope = (AreaSpan(id="", lo=lo, hi=min(hi, grids)),)
        for name, works in questions(scope, households, count):
            found.append(line(name, where, *await compared(sides, works, scope)))
    whole: Scope = (AreaSpan(id="", lo=1, hi=grids),)
    for name, statements in (
        ("a box of dwellings, not walled", ()),
        ("a box of dwellings, if it were walled", WALLED),
        ("a box of dwellings, if it were walled, LEAKPROOF", (LEAKPROOF,)),
    ):
        for each in statements:
            await sides.free.write(partial(_executed, statement=each))
        found.append(line(name, "the city", *await compared(sides, [boxed] * 20, whole)))
    return found


def main() -> None:
    """Measure on PostgreSQL and print a line for every question and scope."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=40)
    asked = parser.parse_args()
    cluster = Postgres(options={**DURABLE, "shared_buffers": "256MB"}).start()
    try:
        url = cluster.create("bench")
        migrate(url)

        async def whole() -> list[Mapping[str, Any]]:
            free = open_store(cluster.url("bench", user="postgres"), pool=1)
            bound = open_store(url, pool=1)
            sides = Sides(bound=bound, free=free, server_cpu_s=partial(cpu_s, cluster.pid))
            try:
                return await run(sides, asked.households, asked.questions)
            finally:
                await sides.bound.close()
                await sides.free.close()

        for result in asyncio.run(whole()):
            emit({"bench": "rls", "households": asked.households, **result})
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
