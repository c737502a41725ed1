"""Where the public test data lies: beside the repository, never inside it.

A second working tree of the repository may lie elsewhere: `JINGWEI_TEST_DATA` names the folder.
"""

import csv
import gzip
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

BESIDE = Path(__file__).parents[2] / "shared" / "data"
SHARED = Path(os.environ.get("JINGWEI_TEST_DATA") or BESIDE)


def shared_path(*parts: str) -> Path:
    """Return the path of a data file; tests fail with its name if it is missing."""
    path = SHARED.joinpath(*parts)
    assert path.exists(), f"test data missing: {Path('..', 'shared', 'data', *parts)}"
    return path


def shared_text(*parts: str) -> str:
    """Return the text of a data file, unpacked if its name ends in .gz."""
    raw = shared_path(*parts).read_bytes()
    return (gzip.decompress(raw) if parts[-1].endswith(".gz") else raw).decode("utf-8")


def shared_json(*parts: str) -> Any:
    """Return a decoded JSON file."""
    return json.loads(shared_text(*parts))


@cache
def shared_rows(*parts: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of a CSV file by column name; every value is text."""
    return tuple(csv.DictReader(shared_text(*parts).splitlines()))


def shared_polygons(name: str, key: str) -> dict[str, BaseGeometry]:
    """Return the polygons of a file in `grids/` by one of its properties, as they lie there."""
    return dict(_polygons(name, key))


@cache
def _polygons(name: str, key: str) -> list[tuple[str, BaseGeometry]]:
    features = shared_json("grids", name)["features"]
    shapes = shapely.from_geojson([json.dumps(each["geometry"]) for each in features])
    keys = [str(each["properties"][key]) for each in features]
    return list(zip(keys, shapes.tolist(), strict=True))
