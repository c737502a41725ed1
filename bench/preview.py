"""Preview of a boundary change that touches 100,000 households: CPU from rows to answer.

The change merges a hundred pairs of the demonstration's 767 real grids, so every home on their
ground is looked at and moves. Measured is what the call does after the token is known: load the
draft and the boundaries around it, load what lives there, put the edits upon the boundaries,
locate everything before and afterwards, find what is ambiguous, and make the answer.

The ceiling is what no preview can do without: the same rows read by one bare query, decoded,
and located once by the library's own index with the exact predicate. No second index, no
distances, no counting. The homes are rows of the typed tables, which is all a preview reads.

    python -m bench.preview --households 100000
"""

import argparse
import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, select

from bench.cpu import cpu_s, own_cpu_s
from bench.machine import emit
from bench.servers import Database, database
from demo import sources
from server.boundaries import drafting
from server.boundaries.drawing import read_shapes
from server.boundaries.examining import case_of, faults_in
from server.boundaries.moving import occupants_of
from server.boundaries.previewing import around, preview_of
from server.boundaries.reading import the_change
from server.boundaries.schemas import ChangeBody, ChangeDraft, PreviewBody
from server.clock import new_id, now_ms
from server.consolewrites import Asking
from server.db.bulk import upsert
from server.db.reach import everywhere
from server.db.spatial import as_wkb
from server.db.store import Store, open_store
from server.db.tables import Dwelling, Grid, Household
from server.identity.principal import EVERYWHERE, Principal, Role
from server.imports.command import ImportRequest, import_into
from server.serve import tune_gc

T = TypeVar("T")
PAIRS = 100
ROWS_A_TIME = 10_000
SEED = 3
ROUNDS = 3


async def build(store: Store, households: int) -> list[tuple[str, str]]:
    """Real areas and grids, homes scattered over a hundred pairs of them; the pairs."""
    for kind, path in (("areas", sources.AREAS), ("grids", sources.GRIDS)):
        report = await import_into(store, ImportRequest(kind=kind, path=path))
        if not report.ok:
            raise SystemExit("\n".join(report.lines()))
    grids = await store.read(_grids)
    pairs = list(_pairs(grids))
    touched = [grid for pair in pairs for grid in pair]
    random = np.random.default_rng(SEED)
    chosen = random.integers(0, len(touched), households).tolist()
    for start in range(0, households, ROWS_A_TIME):
        part = [grids[touched[each]] for each in chosen[start : start + ROWS_A_TIME]]
        await store.write(partial(_settle, grids=part, random=random))
    return pairs


def _grids(db: Connection) -> dict[str, Any]:
    columns = Grid.__table__.c
    wanted = (columns.id, columns.community_id, columns.area_no, columns.geom)
    return {row.id: row for row in db.execute(select(*wanted).order_by(columns.area_no))}


def _pairs(grids: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Neighbours in the tree, of one community, no grid twice."""
    rows, used = list(grids.values()), set[str]()
    for one, other in pairwise(rows):
        same = one.community_id == other.community_id
        if same and one.id not in used and len(used) < 2 * PAIRS:
            used |= {one.id, other.id}
            yield one.id, other.id


def _settle(db: Connection, grids: list[Any], random: np.random.Generator) -> None:
    """One dwelling with one household at a random place in each of the grids."""
    everywhere(db)
    homes, families = [], []
    for grid in grids:
        dwelling = new_id()
        shared = {"rev": 1, "grid_id": grid.id, "area_no": grid.area_no, "archived": False}
        times = {"created_ms": 1, "updated_ms": 1}
        place = {"code": dwelling, "address": "", "geom": _inside(grid.geom, random)}
        homes.append({"id": dwelling, **shared, **times, **place})
        household = {"id": new_id(), "dwelling_id": dwelling, "languages": "[]"}
        families.append({**household, **shared, **times})
    upsert(db, Dwelling.__table__, homes, key=("id",), update=None)
    upsert(db, Household.__table__, families, key=("id",), update=None)


def _inside(shape: BaseGeometry, random: np.random.Generator) -> shapely.Point:
    west, south, east, north = shape.bounds
    while True:
        point = shapely.Point(random.uniform(west, east), random.uniform(south, north))
        if shape.intersects(point):
            return point


def _drafted(db: Connection, asking: Asking, pairs: list[tuple[str, str]]) -> ChangeBody:
    edits = [
        {
            "edit": "merge",
            "grids": list(pair),
            "into": {"code": f"M{at}", "name": f"Merged {at}"},
        }
        for at, pair in enumerate(pairs)
    ]
    draft = ChangeDraft.model_validate({"reason": "Measured", "edits": edits})
    return drafting.draw(db, asking, draft, read_shapes(draft))


def _previewed(db: Connection, asking: Asking, change: str) -> PreviewBody:
    scope = (asking.principal.area,)
    case = case_of(db, scope, the_change(db, scope, change))
    near = around(db, scope, case, asking.now_ms)
    return preview_of(case, occupants_of(case, near.residence), near)


def _checked(db: Connection, asking: Asking, change: str) -> int:
    scope = (asking.principal.area,)
    return len(faults_in(case_of(db, scope, the_change(db, scope, change))))


def _bare(db: Connection) -> int:
    """Read and locate the same places once, and nothing else."""
    table = Dwelling.__table__
    wkb = as_wkb(db.dialect.name, table).label("wkb")
    rows = db.execute(select(table.c.id, table.c.grid_id, wkb)).all()
    polygons = np.array([row.geom for row in _grids(db).values()], dtype=object)
    shapely.prepare(polygons)
    points = shapely.from_wkb(np.array([row.wkb for row in rows], dtype=object))
    return int(shapely.STRtree(polygons).query(points, predicate="intersects").shape[1])


def _cpu(where: Database) -> float:
    """CPU seconds so far of this process and of the database."""
    return own_cpu_s() + (0.0 if where.pid is None else cpu_s(where.pid))


async def _best(
    store: Store, where: Database, work: Callable[[Connection], T]
) -> tuple[float, T]:
    """The least CPU of some rounds, and the answer."""
    rounds = []
    for _ in range(ROUNDS):
        begun = _cpu(where)
        answer = await store.read(work)
        rounds.append((_cpu(where) - begun, answer))
    return min(rounds, key=lambda each: each[0])


async def measure(where: Database, households: int) -> dict[str, Any]:
    """Both figures on one store; the answer is checked before it counts."""
    store = open_store(where.url)
    try:
        pairs = await build(store, households)
        principal = Principal(
            account=new_id(), login="bench", role=Role.ANALYST, area=EVERYWHERE
        )
        asking = Asking(principal=principal, now_ms=now_ms())
        change = await store.write(lambda db: _drafted(db, asking, pairs))
        tune_gc()  # as in a served process
        figure, preview = await _best(
            store, where, lambda db: _previewed(db, asking, change.id)
        )
        ceiling, located = await _best(store, where, _bare)
        checking, _ = await _best(store, where, lambda db: _checked(db, asking, change.id))
    finally:
        await store.close()
    moved = sum(each.households or 0 for each in preview.flows)
    if (moved, preview.orphans) != (households, 0) or located < households:
        raise SystemExit(f"{moved} of {households} would move, {preview.orphans} orphans")
    return {
        "bench": "preview",
        "database": where.name,
        "households": households,
        "edits": len(pairs),
        "figure": round(figure, 2),
        "unit": "s of CPU",
        "ceiling": round(ceiling, 2),
        "ratio": round(ceiling / figure, 3),
        "validate_s": round(checking, 2),
        "target": "figure <= 2",
    }


def main() -> None:
    """Measure on each database and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default=None)
    parser.add_argument("--households", type=int, default=100_000)
    asked = parser.parse_args()
    for name in ("sqlite", "postgresql") if asked.database is None else (asked.database,):
        with database(name) as where:
            emit(asyncio.run(measure(where, asked.households)))


if __name__ == "__main__":
    main()
