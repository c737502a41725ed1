"""Locate: from a measured position to its grids, one by one and in bulk, in this process.

`one` is what every report of a phone costs: the position with its accuracy disc, all
candidates with their distances. `many` is what an import or the preview of a boundary change
costs. The ceiling of both is the geometry library's own index with the exact predicate and
nothing else: no tie rule, no disc, no distances. Answers of both are compared before anything
is measured.

`postgis` is `many` beside the same question asked of PostGIS: the points wait there in a table
of their own, the grids have their GiST index, and the answer (lowest code for each point) is
fetched. It is no ceiling but a rival; its answers must be the same.

The grids are the 767 real ones of the demonstration and, where the public test data lies beside
the repository, the 11,490 of the whole city; any GeoJSON file can be named instead.

    python -m bench.locate --positions 20000
"""

import argparse
import asyncio
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import asyncpg
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bench.machine import emit
from bench.servers import Database, database
from geo.geojson import IMPORT_LIMITS, parse_geojson
from geo.locate import GridIndex

REPOSITORY = Path(__file__).parents[1]
DEMONSTRATION = REPOSITORY / "demo" / "data" / "grids.geojson.gz"
WHOLE_CITY = REPOSITORY.parent / "shared" / "data" / "grids" / "taipei_city.geojson.gz"
ACCURACY_M = 8.0
ROUNDS = 3
SEED = 1


def read_grids(path: Path) -> dict[str, BaseGeometry]:
    """The polygons of a GeoJSON file, gzipped or not, by their place in it."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    features = parse_geojson(json.loads(text), limits=IMPORT_LIMITS).features
    return {each.pointer: each.geometry for each in features if each.geometry is not None}


def best_s(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some rounds: the least disturbed one."""
    seconds = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        work()
        seconds.append(perf_counter() - begun)
    return min(seconds)


def raw_tree(grids: Mapping[str, BaseGeometry]) -> shapely.STRtree:
    """The library's index over the same prepared polygons."""
    polygons = np.array(list(grids.values()), dtype=object)
    shapely.prepare(polygons)
    return shapely.STRtree(polygons)


def one_by_one(
    index: GridIndex, tree: shapely.STRtree, places: list[tuple[float, float]]
) -> dict[str, Any]:
    """Microseconds for one position with its disc, beside the bare query."""

    def ours() -> None:
        for lon, lat in places:
            index.locate(lon, lat, ACCURACY_M)

    def bare() -> None:
        for place in places:
            tree.query(shapely.points(place), predicate="intersects")

    figure, ceiling = (best_s(work) / len(places) * 1e6 for work in (ours, bare))
    return {
        "name": "one",
        "figure": round(figure, 1),
        "unit": "us per position",
        "accuracy_m": ACCURACY_M,
        "ceiling": round(ceiling, 1),
        "ratio": round(ceiling / figure, 3),
        "target": "figure <= 20",
    }


def in_bulk(
    index: GridIndex, tree: shapely.STRtree, lonlat: NDArray[np.float64]
) -> dict[str, Any]:
    """Positions a second in one call, beside the bare query on ready-made points."""
    points = shapely.points(lonlat)
    lons, lats = lonlat[:, 0], lonlat[:, 1]
    figure = len(lonlat) / best_s(lambda: index.locate_many(lons, lats))
    ceiling = len(lonlat) / best_s(lambda: tree.query(points, predicate="intersects"))
    return {
        "name": "many",
        "figure": round(figure),
        "unit": "positions per second",
        "ceiling": round(ceiling),
        "ratio": round(figure / ceiling, 3),
        "target": "figure >= 400000",
    }


_ASKED = """SELECT DISTINCT ON (p.n) p.n, g.code FROM pts p
JOIN cells g ON ST_Intersects(g.geom, p.geom) ORDER BY p.n, g.code"""
_FILLED = """INSERT INTO pts SELECT n, ST_SetSRID(ST_MakePoint(x, y), 4326)
FROM unnest($1::int[], $2::float8[], $3::float8[]) t(n, x, y)"""
_BEFORE = """CREATE TEMP TABLE cells (code text COLLATE "C", geom geometry(Geometry, 4326));
CREATE TEMP TABLE pts (n int, geom geometry(Point, 4326))"""
_AFTER = "CREATE INDEX ON cells USING gist (geom); ANALYZE cells; ANALYZE pts"


async def rival(
    where: Database, grids: Mapping[str, BaseGeometry], lonlat: NDArray[np.float64]
) -> tuple[dict[int, str], float]:
    """What PostGIS answers, and its CPU seconds in the cheapest of some rounds."""
    db = await asyncpg.connect(where.url)
    try:
        await db.execute(_BEFORE)
        shapes = [(code, each.wkb) for code, each in grids.items()]
        await db.executemany("INSERT INTO cells VALUES ($1, ST_GeomFromWKB($2, 4326))", shapes)
        columns = (range(len(lonlat)), lonlat[:, 0].tolist(), lonlat[:, 1].tolist())
        await db.execute(_FILLED, *(list(each) for each in columns))
        await db.execute(_AFTER)
        answers = {row["n"]: row["code"] for row in await db.fetch(_ASKED)}
        seconds = []
        for _ in range(ROUNDS):
            begun = where.cpu_s()
            await db.fetch(_ASKED)
            seconds.append(where.cpu_s() - begun)
        return answers, min(seconds)
    finally:
        await db.close()


def beside_postgis(
    grids: Mapping[str, BaseGeometry], lonlat: NDArray[np.float64]
) -> dict[str, Any]:
    """Positions a CPU second in one call, beside one query of PostGIS about the same points.

    CPU and not the clock: whatever else the machine does, it slows both in other ways.
    """
    index = GridIndex.build(grids)
    lons, lats = lonlat[:, 0], lonlat[:, 1]
    with database("postgresql") as where:
        theirs, seconds = asyncio.run(rival(where, grids, lonlat))
    ours = index.locate_many(lons, lats)
    if [theirs.get(n) for n in range(len(lonlat))] != ours:
        raise SystemExit("PostGIS gives different grids")
    begun = process_time()
    for _ in range(ROUNDS):
        index.locate_many(lons, lats)
    figure = len(lonlat) * ROUNDS / (process_time() - begun)
    return {
        "name": "postgis",
        "figure": round(figure),
        "unit": "positions per CPU second",
        "rival": round(len(lonlat) / seconds),
        "ratio": round(figure * seconds / len(lonlat), 2),
        "target": "ratio >= 7",
    }


def measure(path: Path, *, positions: int) -> Iterator[dict[str, Any]]:
    """Both figures over the grids of one file, at positions spread over their extent."""
    grids = read_grids(path)
    west, south, east, north = shapely.total_bounds(list(grids.values())).tolist()
    random = np.random.default_rng(SEED)
    lonlat = random.uniform((west, south), (east, north), (positions * 10, 2))
    index, tree = GridIndex.build(grids), raw_tree(grids)
    places = [(lon, lat) for lon, lat in lonlat[:positions].tolist()]
    many = index.locate_many(lonlat[:positions, 0], lonlat[:positions, 1])
    if many != [index.locate(lon, lat, ACCURACY_M).grid for lon, lat in places]:
        raise SystemExit("one by one and in bulk give different grids")
    rows = [one_by_one(index, tree, places), in_bulk(index, tree, lonlat)]
    for figures in [*rows, beside_postgis(grids, lonlat)]:
        yield {"bench": "locate", "grids": len(grids), **figures}


def main() -> None:
    """Measure over each file and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--positions", type=int, default=20_000)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    asked = parser.parse_args()
    for path in asked.files or [each for each in (DEMONSTRATION, WHOLE_CITY) if each.exists()]:
        for result in measure(path, positions=asked.positions):
            emit(result)


if __name__ == "__main__":
    main()
