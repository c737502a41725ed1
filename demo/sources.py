"""The data that ships with the demo, read from the package. See `data/LICENSES.md`."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

FOLDER = Path(__file__).parent / "data"
AREAS = FOLDER / "areas.csv.gz"
GRIDS = FOLDER / "grids.geojson.gz"
DWELLINGS = FOLDER / "dwellings.csv.gz"
CLASSES = FOLDER / "classes.csv"

CITY_CODE, DISTRICT_CODE = "9901", "990101"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the mapped stream: what it was about and where, in WGS 84 degrees."""

    nature: str
    class_code: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How many households and people the mapped distribution gives a grid."""

    households: int
    people: int


def _rows(name: str) -> list[dict[str, str]]:
    raw = (FOLDER / name).read_bytes()
    text = gzip.decompress(raw) if name.endswith(".gz") else raw
    return list(csv.DictReader(io.StringIO(text.decode("utf-8"))))


def stream() -> list[Request]:
    """Return the mapped request stream in the order of its days."""
    classes = {row["nature"]: row["class"] for row in _rows("natures.csv")}
    return [
        Request(
            nature=row["nature"],
            class_code=classes[row["nature"]],
            lon=float(row["lon"]),
            lat=float(row["lat"]),
        )
        for row in _rows("report_stream.csv.gz")
    ]


def rhythm() -> list[int]:
    """Return minutes of a working day at which real requests came in, ascending."""
    return [int(row["minute"]) for row in _rows("day_rhythm.csv.gz")]


def weights() -> Mapping[str, Weight]:
    """Return the mapped household weights by grid code."""
    return {
        row["grid"]: Weight(households=int(row["households"]), people=int(row["people"]))
        for row in _rows("household_weights.csv.gz")
    }


def dwellings_by_grid() -> Mapping[str, list[str]]:
    """Return the codes of the dwellings in each grid, by grid code."""
    found: dict[str, list[str]] = {}
    for row in _rows("dwellings.csv.gz"):
        found.setdefault(row["grid"], []).append(row["code"])
    return found


@cache
def grid_shapes() -> Mapping[str, BaseGeometry]:
    """Return the grid polygons by code."""
    features = json.loads(gzip.decompress(GRIDS.read_bytes()))["features"]
    return {each["properties"]["code"]: shape(each["geometry"]) for each in features}
