"""Import of a city's 11,490 real grids with full validation: CPU from the file to the report.

Measured is `jingwei import grids --dry-run` (strict reading, every shape checked and measured
alone, all together as a coverage with overlaps, gaps and edges named, compared with the store),
and the same with writing through the one write path.

The ceiling is what nobody can do without who wants to know that the file is sound: the same
file read by the standard library's JSON and the geometry library, and one `coverage_is_valid`,
which names no fault and sees no missing cell.

    python -m bench.boundaries --database sqlite
"""

import argparse
import asyncio
import csv
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import shapely

from bench.cpu import own_cpu_s
from bench.machine import emit
from bench.servers import Database, database
from server.db.store import open_store
from server.imports.command import ImportRequest, fields_named, import_into
from server.serve import tune_gc
from tests.shared_data import shared_path

T = TypeVar("T")
ROUNDS = 3
CITY = "city"


def bare(path: Path) -> int:
    """Read the file and ask whether it is a coverage."""
    document = json.loads(gzip.decompress(path.read_bytes()))
    shapes = shapely.from_geojson(
        [json.dumps(each["geometry"]) for each in document["features"]]
    )
    if not shapely.coverage_is_valid(shapes):
        raise SystemExit("the file is no coverage")
    return len(shapes)


def areas(path: Path, folder: Path) -> Path:
    """The areas above the grids as the file names them, the district as its only street."""
    document = json.loads(gzip.decompress(path.read_bytes()))
    target = folder / "areas.csv"
    with target.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(("code", "name", "level", "parent"))
        rows.writerows(_above([each["properties"] for each in document["features"]]))
    return target


def _above(grids: list[Mapping[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    yield CITY, CITY, "city", ""
    towns = sorted({each["TOWN_ID"] for each in grids})
    for town in towns:
        yield town, town, "district", CITY
        yield f"{town}S", town, "street", town
    communities = sorted({(each["CODE2"], each["TOWN_ID"]) for each in grids})
    for code, town in communities:
        yield code, code, "community", f"{town}S"


def least(work: Callable[[], T], rounds: int = ROUNDS) -> tuple[float, T]:
    """The least CPU seconds of some rounds, and the answer."""
    best, answer = float("inf"), None
    for _ in range(rounds):
        begun = own_cpu_s()
        answer = work()
        best = min(best, own_cpu_s() - begun)
    return best, answer  # type: ignore[return-value]  # there is one round at least


def measure(where: Database, path: Path, areas_path: Path) -> dict[str, Any]:
    """Both figures on one store, in CPU of this process and of the database."""
    fields = fields_named(["code=CODEBASE", "community=CODE2"])

    def run(**options: Any) -> tuple[float, Any]:
        async def once() -> Any:
            store = open_store(where.url)
            try:
                return await import_into(store, ImportRequest(**options))
            finally:
                await store.close()

        begun = where.cpu_s()
        spent, report = least(lambda: asyncio.run(once()), rounds=1)
        if not report.ok:
            raise SystemExit("\n".join(report.lines()))
        return spent + where.cpu_s() - begun, report

    run(kind="areas", path=areas_path)
    grids = {"kind": "grids", "path": path, "fields": fields, "layout": "any"}
    tune_gc()  # as in a served process
    checked = min(run(dry_run=True, **grids)[0] for _ in range(ROUNDS))
    ceiling, count = least(lambda: bare(path))
    written, report = run(**grids)
    if report.created != count:
        raise SystemExit(f"{report.created} of {count} grids were written")
    return {
        "bench": "boundaries",
        "database": where.name,
        "grids": count,
        "figure": round(checked, 2),
        "unit": "s of CPU",
        "ceiling": round(ceiling, 2),
        "times_the_ceiling": round(checked / ceiling, 2),
        "written_s": round(written, 2),
        "written_times_the_ceiling": round(written / ceiling, 2),
        "target": "times_the_ceiling <= 6",
    }


def main() -> None:
    """Measure on each database and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default=None)
    asked = parser.parse_args()
    path = shared_path("grids", "taipei_city.geojson.gz")
    with tempfile.TemporaryDirectory() as folder:
        above = areas(path, Path(folder))
        for name in ("sqlite", "postgresql") if asked.database is None else (asked.database,):
            with database(name) as where:
                emit(measure(where, path, above))


if __name__ == "__main__":
    main()
