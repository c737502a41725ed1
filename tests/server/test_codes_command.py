"""`jingwei codes`: what it says of codes, and what it gives out."""

import json
from pathlib import Path

import pytest
import shapely
from typer.testing import CliRunner, Result

from server.cli import app

PREFIX = "440106001001"


def run(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["codes", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def cells(path: Path, *places: tuple[int, int]) -> Path:
    """A file of unit squares at (column, row) in hundredths of a degree."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"{column} {row}", "code": "old"},
            "geometry": json.loads(
                shapely.to_geojson(
                    shapely.box(
                        113 + column / 100,
                        23 + row / 100,
                        113 + (column + 1) / 100,
                        23 + (row + 1) / 100,
                    )
                )
            ),
        }
        for column, row in places
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("440106", "county: province=44 city=01 county=06"),
        ("440106001", "street: county=440106 street=001"),
        (
            "440106001001",
            "statistical: province=44 city=01 county=06 street=001 community=001",
        ),
        (
            "440106001001005",
            "unit-grid: county=440106 street=001 community=001 sequence=005",
        ),
    ],
)
def test_a_code_is_taken_apart(code: str, parts: str) -> None:
    assert run("check", code).stdout.strip() == parts


def test_a_wrong_code_is_refused_and_says_why() -> None:
    assert "neither a file nor a code" in run("check", "12", code=1).stderr
    assert "has 6 digits" in run("check", "12", "--layout", "county", code=1).stderr
    assert "choose county" in run("check", "12", "--layout", "moon", code=2).stderr


def test_a_file_is_checked_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "codes.txt"
    file.write_text("440106\n\n440106001\r\n440106\nx\n", encoding="utf-8-sig")
    told = run("check", file, code=1)
    assert told.stdout.splitlines() == [
        "line 4: The code occurs already on line 1",
        "line 5: The code is written in no known layout",
    ]
    assert "4 codes, 2 faults" in told.stderr
    strict = run("check", file, "--layout", "county", code=1)
    assert [line.split(":")[0] for line in strict.stdout.splitlines()] == [
        "line 3",
        "line 4",
        "line 5",
    ]
    file.write_text("440106\n440107\n")
    assert run("check", file).stdout == ""


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "codes.txt"
    file.write_bytes("网格".encode("gb18030"))
    assert "not UTF-8" in run("check", file, code=2).stderr
    packed = tmp_path / "codes.gz"
    packed.write_bytes(b"no gzip")
    assert "cannot be read" in run("check", packed, code=2).stderr


def test_cells_are_numbered_west_to_east_then_north_to_south(tmp_path: Path) -> None:
    file = cells(tmp_path / "cells.geojson", (1, 0), (0, 0), (1, 1), (0, 1))
    output = tmp_path / "coded.geojson"
    expected = [f"{PREFIX}{number:03}" for number in (4, 3, 2, 1)]
    dry = run("generate", file, "--prefix", PREFIX, "--output", output, "--dry-run")
    assert dry.stdout.splitlines() == [f"{n}\t{code}" for n, code in enumerate(expected, 1)]
    assert not output.exists()
    assert run("generate", file, "--prefix", PREFIX, "--output", output).stdout == dry.stdout
    written = json.loads(output.read_text())
    assert [each["properties"]["code"] for each in written["features"]] == expected
    assert [each["properties"]["name"] for each in written["features"]] == [
        "1 0",
        "0 0",
        "1 1",
        "0 1",
    ]
    given = json.loads(file.read_text())
    for before, after in zip(given["features"], written["features"], strict=True):
        assert shapely.equals(
            shapely.from_geojson(json.dumps(before["geometry"])),
            shapely.from_geojson(json.dumps(after["geometry"])),
        )
    again = run("generate", file, "--prefix", PREFIX, "--output", output, code=1)
    assert "FileExistsError" in again.stderr


def test_what_cannot_be_numbered_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    file, output = cells(tmp_path / "cells.geojson", (0, 0), (1, 0)), tmp_path / "out.geojson"
    asked = ("generate", file, "--prefix", PREFIX)
    assert "--output" in run(*asked, code=2).stderr
    assert "3 digits" in run(*asked, "--first", "999", "--output", output, code=1).stderr
    short = run("generate", file, "--prefix", "4401", "--output", output, code=1)
    assert "15 digits" in short.stderr
    point = tmp_path / "point.geojson"
    point.write_text(json.dumps({"type": "Point", "coordinates": [113, 23]}))
    told = run("generate", point, "--prefix", PREFIX, "--output", output, code=1)
    assert "only polygons" in told.stderr
    point.write_text("{")
    assert run("generate", point, "--prefix", PREFIX, "--dry-run", code=1).stderr
    assert not output.exists()
