"""Import of households from a file: read, checked, decided, stored with history, durable.

A city of square grids is made, 300 households a grid, ten in a dwelling, and a CSV file of all
of them, of which one row in a hundred is bad on purpose. The figure is rows a second from the
path of the file to the report, as `jingwei import` does it; beside it stand the CPU seconds of
this process and of the database. `--profile` says as well where the time of this process goes.

    python -m bench.registry_import --households 100000 --database sqlite
"""

import argparse
import cProfile
import csv
import json
import pstats
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from openpyxl import Workbook

from bench.machine import emit
from bench.servers import Database, database
from server.imports.command import ImportRequest, run_import
from server.imports.report import ImportReport

GRID_HOUSEHOLDS = 300
DWELLING_HOUSEHOLDS = 10
BAD_EVERY = 100
SIDE = 0.001
WIDE = 40
COMMUNITY = "990101001001"
AREAS = f"""code,name,level,parent
9901,Sample City,city,
990101,Sample District,district,9901
990101001,Street 001,street,990101
{COMMUNITY},Community 001,community,990101001
"""
BANDS = ("1", "2", "3-4", "5+")


def corner(grid: int) -> tuple[float, float]:
    """West and south of a grid."""
    return round(121.5 + grid % WIDE * SIDE, 7), round(25.0 + grid // WIDE * SIDE, 7)


def grid_feature(grid: int) -> dict[str, Any]:
    """One square grid as a feature."""
    west, south = corner(grid)
    east, north = corner(grid + 1)[0], corner(grid + WIDE)[1]
    east = round(west + SIDE, 7) if grid % WIDE == WIDE - 1 else east
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": {"code": f"{COMMUNITY}{grid:04}"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def dwelling_rows(households: int) -> Iterator[tuple[str, ...]]:
    """The header and every dwelling."""
    yield ("code", "address", "lon", "lat")
    for number in range(households // DWELLING_HOUSEHOLDS + 1):
        west, south = corner(number * DWELLING_HOUSEHOLDS // GRID_HOUSEHOLDS)
        place = (f"{west + SIDE / 2:.7f}", f"{south + SIDE / 2:.7f}")
        yield (f"D{number:06}", f"Riverside Road {number}", *place)


def household_rows(households: int) -> Iterator[tuple[str, ...]]:
    """The header and every household; one in `BAD_EVERY` has a status that there is not."""
    yield ("dwelling", "door", "contact_phone", "size_band", "status", "languages")
    for number in range(households):
        bad = number % BAD_EVERY == BAD_EVERY - 1
        yield (
            f"D{number // DWELLING_HOUSEHOLDS:06}",
            f"{number % DWELLING_HOUSEHOLDS + 1:02}01",
            f"000{number:08}",
            BANDS[number % len(BANDS)],
            "gone" if bad else "active",
            "cmn nan" if number % 3 else "cmn",
        )


def written(path: Path, rows: Iterator[tuple[str, ...]]) -> Path:
    """Write a CSV file and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def taken(used: Database, kind: str, path: Path) -> ImportReport:
    """Import a file as the command does; at least something of it has to come in."""
    report = run_import(used.url, ImportRequest(kind=kind, path=path, layout="any"))
    if not report.created + report.unchanged:
        raise SystemExit("\n".join(report.lines()))
    return report


def prepare(used: Database, folder: Path, households: int) -> None:
    """Fill a store with areas, grids and dwellings."""
    (folder / "areas.csv").write_text(AREAS, encoding="utf-8")
    grids = range(households // GRID_HOUSEHOLDS + 1)
    features = {"type": "FeatureCollection", "features": [grid_feature(n) for n in grids]}
    (folder / "grids.geojson").write_text(json.dumps(features), encoding="utf-8")
    taken(used, "areas", folder / "areas.csv")
    taken(used, "grids", folder / "grids.geojson")
    rows = dwelling_rows(households)
    taken(used, "dwellings", written(folder / "dwellings.csv", rows))


def measured(used: Database, path: Path) -> dict[str, Any]:
    """Import the households once and say what it took."""
    cpu, theirs, begun = process_time(), used.cpu_s(), perf_counter()
    report = taken(used, "households", path)
    wall_s = perf_counter() - begun
    ours, database_s = process_time() - cpu, used.cpu_s() - theirs
    return {
        "rows": report.rows,
        "created": report.created,
        "unchanged": report.unchanged,
        "refused": report.refused_rows,
        "wall_s": round(wall_s, 2),
        "cpu_s": round(ours, 2),
        "database_cpu_s": round(database_s, 2),
        "rows_per_s": round(report.rows / wall_s),
        "rows_per_cpu_s": round(report.rows / (ours + database_s)),
        "target": "5000 rows a second",
    }


def run(used: Database, folder: Path, households: int) -> list[dict[str, Any]]:
    """Prepare and measure: everything new, then the same file again, then as a spreadsheet."""
    prepare(used, folder, households)
    path = written(folder / "households.csv", household_rows(households))
    figures = [{"name": name, **measured(used, path)} for name in ("all new", "again")]
    sheet = folder / "households.xlsx"
    book = Workbook(write_only=True)
    page = book.create_sheet()
    for row in household_rows(households):
        page.append(row)
    book.save(sheet)
    return [*figures, {"name": "again, XLSX", **measured(used, sheet)}]


def main() -> None:
    """Measure on one database and print a line for each import."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=20_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    asked = parser.parse_args()
    profile = cProfile.Profile()
    with database(asked.database) as used, tempfile.TemporaryDirectory() as folder:
        if asked.profile:
            profile.enable()
        figures = run(used, Path(folder), asked.households)
        profile.disable()
    for figure in figures:
        emit({"bench": "registry_import", "store": asked.database, **figure})
    if asked.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
