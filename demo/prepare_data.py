"""Rebuild the demo's data from the public source files, for developers: the demo never does.

`python -m demo.prepare_data SOURCES [TARGET]` reads the folder of public source files and
writes the six generated files of `demo/data`. The same sources give the same content, byte for
byte before compression. What was kept, renamed or mapped is said in `demo/data/LICENSES.md`.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.codes import STATISTICAL, STREET, UNIT_GRID, Layout, number_cells
from geo.polygon import wind

COUNTY_CODE = "990101"
CITY_CODE = COUNTY_CODE[:4]
LEVELS = (("CODE2", STREET), ("CODE1", STATISTICAL), ("CODEBASE", UNIT_GRID))
HERE = Path(__file__).parent / "data"

# Community areas of the source city whose requests become the demo's stream, densest first.
STREAM_AREAS = ("25", "71", "24", "22", "67")
STREAM_FROM, STREAM_TO = "2012-01-01", "2014-12-31"
STREAM_ROWS_MAX = 5_000
DAY_START_MINUTE, DAY_END_MINUTE = 8 * 60, 18 * 60


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header, gzipped or not."""
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return list(csv.DictReader(io.StringIO(text.decode("utf-8"))))


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a CSV file as UTF-8 with Unix line ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


class Renamed:
    """The neutral five-level tree: every source code replaced by a number of its place.

    `codes` are the 15-digit unit grid codes of the cells, by source code.
    """

    def __init__(self, features: Sequence[Mapping[str, Any]]) -> None:
        self.cells: dict[str, BaseGeometry] = {}
        for feature in features:
            self.cells[feature["properties"]["CODEBASE"]] = shape(feature["geometry"])
        names = {each["properties"]["CODEBASE"]: each["properties"] for each in features}
        self.codes = dict.fromkeys(sorted(self.cells), COUNTY_CODE)
        for level, layout in (
            ("CODE2", STREET),
            ("CODE1", STATISTICAL),
            ("CODEBASE", UNIT_GRID),
        ):
            self._number({cell: names[cell][level] for cell in self.codes}, layout)

    def _number(self, groups: Mapping[str, str], layout: Layout) -> None:
        """Extend the codes by one level: number the groups inside what is coded so far."""
        members: dict[str, list[str]] = {}
        for cell, group in groups.items():
            members.setdefault(group, []).append(cell)
        siblings: dict[str, dict[str, BaseGeometry]] = {}
        for group, cells in sorted(members.items()):
            outline = shapely.union_all([self.cells[cell] for cell in cells])
            siblings.setdefault(self.codes[cells[0]], {})[group] = outline
        for prefix, outlines in siblings.items():
            for group, code in number_cells(prefix, outlines, layout=layout).items():
                self.codes |= dict.fromkeys(members[group], code)

    def ordered(self) -> list[str]:
        """Return the cells in the order of their codes."""
        return sorted(self.cells, key=self.codes.__getitem__)


def _numbers(code: str) -> str:
    """Return the part of a code after the county in groups of three digits."""
    return "-".join(code[start : start + 3] for start in range(6, len(code), 3))


def areas_csv(tree: Renamed) -> bytes:
    """Return the upper four levels: code, name, level, code of the parent."""
    rows = [
        (CITY_CODE, "Sample City", "city", ""),
        (COUNTY_CODE, "Sample District", "district", CITY_CODE),
    ]
    for length, level in ((9, "street"), (12, "community")):
        codes = sorted({code[:length] for code in tree.codes.values()})
        rows += [(c, f"{level.title()} {_numbers(c)}", level, c[:-3]) for c in codes]
    return csv_bytes(("code", "name", "level", "parent"), rows)


def grids_geojson(tree: Renamed) -> bytes:
    """Return the polygons as an RFC 7946 collection with code, name and community."""
    lines = []
    for cell in tree.ordered():
        code = tree.codes[cell]
        feature = {
            "type": "Feature",
            "properties": {
                "code": code,
                "name": f"Grid {_numbers(code)}",
                "community": code[:12],
            },
            "geometry": mapping(wind(tree.cells[cell])),
        }
        lines.append(json.dumps(feature, separators=(",", ":")))
    body = ",\n".join(lines)
    return f'{{"type":"FeatureCollection","features":[\n{body}\n]}}\n'.encode()


def dwellings_csv(tree: Renamed, points: Sequence[Mapping[str, str]]) -> bytes:
    """Return one dwelling per building point: code, neutral address, place, grid code."""
    kept = [p for p in points if p["CODEBASE"] in tree.cells and p["dwelling_like"] == "1"]
    rows = [
        (f"B{number:05}", f"Block {number:04}", p["lon"], p["lat"], tree.codes[p["CODEBASE"]])
        for number, p in enumerate(kept, start=1)
    ]
    return csv_bytes(("code", "address", "lon", "lat", "grid"), rows)


def weights_csv(dwellings: bytes, counts: Sequence[Mapping[str, str]]) -> bytes:
    """Return households and people per grid: a real distribution mapped onto grids by rank.

    The counts come from another city. The grid with the most dwellings gets the greatest count,
    and so on down; grids without a dwelling get none.
    """
    built: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(dwellings.decode())):
        built[row["grid"]] = built.get(row["grid"], 0) + 1
    ranked = sorted(built, key=lambda code: (built[code], code))
    pairs = sorted((int(r["H_CNT"]), int(r["P_CNT"])) for r in counts if r["H_CNT"])
    steps = np.linspace(0, len(pairs) - 1, num=len(ranked)).round().astype(int)
    mapped = {code: pairs[step] for code, step in zip(ranked, steps, strict=True)}
    rows = [(code, *mapped[code]) for code in sorted(mapped)]
    return csv_bytes(("grid", "households", "people"), rows)


def _placed(
    area: Sequence[Mapping[str, str]], target: BaseGeometry
) -> Iterator[tuple[Mapping[str, str], float, float]]:
    """Yield the requests of one area stretched onto the target's extent, those inside it."""
    lon = np.array([float(row["lon"]) for row in area])
    lat = np.array([float(row["lat"]) for row in area])
    west, south, east, north = target.bounds
    moved_lon = west + (lon - lon.min()) / np.ptp(lon) * (east - west)
    moved_lat = south + (lat - lat.min()) / np.ptp(lat) * (north - south)
    inside = shapely.contains_xy(target, moved_lon, moved_lat)
    for index in np.flatnonzero(inside).tolist():
        yield area[index], float(moved_lon[index]), float(moved_lat[index])


def stream_csv(tree: Renamed, requests: Sequence[Mapping[str, str]]) -> bytes:
    """Return service requests mapped onto the demo's district: day, nature, place.

    Relative positions inside each source area are kept, so clusters and repeated complaints
    about one place stay what they are; only those that fall into a grid are kept.
    """
    target = shapely.union_all(list(tree.cells.values()))
    rows: list[tuple[str, str, str, str, str]] = []
    for number in STREAM_AREAS:
        area = [
            r
            for r in requests
            if r["community_area"] == number
            and r["lat"]
            and STREAM_FROM <= r["created"] <= STREAM_TO
        ]
        rows += [
            (r["created"], r["request_no"], r["nature"], f"{lon:.7f}", f"{lat:.7f}")
            for r, lon, lat in _placed(area, target)
        ]
    rows.sort()
    kept = rows[:: max(1, -(-len(rows) // STREAM_ROWS_MAX))]
    header = ("day", "nature", "lon", "lat")
    return csv_bytes(header, [(row[0], *row[2:]) for row in kept])


def rhythm_csv(requests: Sequence[Mapping[str, str]]) -> bytes:
    """Return the minutes of the day, inside working hours, at which real requests came in."""
    stamps = (row["open_dt"][11:16] for row in requests)
    minutes = sorted(int(stamp[:2]) * 60 + int(stamp[3:]) for stamp in stamps)
    working = [m for m in minutes if DAY_START_MINUTE <= m < DAY_END_MINUTE]
    return csv_bytes(("minute",), [(minute,) for minute in working])


def prepare(sources: Path) -> dict[str, bytes]:
    """Return the generated files by name, uncompressed.

    Raises:
        FileNotFoundError: if a source file is missing.
    """
    features = json.loads((sources / "grids/taipei_wanhua.geojson").read_bytes())["features"]
    tree = Renamed(features)
    dwellings = dwellings_csv(
        tree, read_csv(sources / "buildings/taipei_building_points.csv.gz")
    )
    counts = read_csv(sources / "grids/tainan_msa_households_2016.csv.gz")
    requests = read_csv(sources / "incidents/chicago_sanitation_2011_2014.csv.gz")
    return {
        "areas.csv": areas_csv(tree),
        "grids.geojson": grids_geojson(tree),
        "dwellings.csv": dwellings,
        "household_weights.csv": weights_csv(dwellings, counts),
        "report_stream.csv": stream_csv(tree, requests),
        "day_rhythm.csv": rhythm_csv(read_csv(sources / "incidents/boston_311_sample.csv")),
    }


def main(arguments: Sequence[str]) -> None:
    """Write the generated files, compressed without a time stamp."""
    target = Path(arguments[1]) if len(arguments) > 1 else HERE
    for name, content in prepare(Path(arguments[0])).items():
        packed = gzip.compress(content, compresslevel=9, mtime=0)
        (target / f"{name}.gz").write_bytes(packed)
        sys.stdout.write(f"{name}.gz {len(packed)} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
