"""`jingwei privacy check`: it finds what is planted in documents, catalogues and files."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import shapely
from typer.testing import CliRunner, Result

from server.cli import app
from server.imports.cells import FileFault, check_names, read_rows
from server.privacy.catalogue import Entry, table_entries, unclassified
from server.privacy.conformance import api_names, rankings, refused_names
from server.privacy.files import MAPPING_BYTES_MAX, NAMES_MAX, checked_file, names_in
from sync.holding import holding_of_field


def check(*files: Path) -> Result:
    return CliRunner().invoke(
        app, ["privacy", "check", *map(str, files)], catch_exceptions=False
    )


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_this_installation_conforms() -> None:
    result = check()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("ok   ") for line in lines)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", "dwelling,door,political_status\n1,2,x\n", ["3: political affiliation"]),
        ("b.csv", "\ufeff户号;政治面貌;手机\n1;群众;2\n", ["2: political affiliation"]),
        ("c.tsv", "name\tRelgion\tzhong_dian_ren_yuan\n", ["2: religion", "3: risk labels"]),
        ("d.json", '{"columns": {"MinZu": "note", "电话": "phone"}}', [": ethnicity"]),
        ("e.yaml", "columns:\n  - from: 人脸照片\n    to: text\n", [": biometrics"]),
        ("f.YML", "key: &a [gps_track]\nagain: *a\n", [": continuous location"]),
    ],
)
def test_a_file_with_a_refused_name_is_found(
    tmp_path: Path, name: str, content: str, found: list[str]
) -> None:
    checked = checked_file(written(tmp_path, name, content))
    assert checked.name == f"{name} names nothing refused"
    assert len(checked.found) == len(found)
    for said, expected in zip(checked.found, found, strict=True):
        assert expected in said


def test_a_chinese_file_in_the_old_encoding_and_a_packed_one_are_read(tmp_path: Path) -> None:
    text = "户号,宗教信仰\n1,无\n"
    old = written(tmp_path, "old.csv", text.encode("gb18030"))
    packed = written(tmp_path, "packed.csv.gz", gzip.compress(text.encode()))
    assert names_in(old) == names_in(packed) == ["户号", "宗教信仰"]


def test_fields_of_a_vector_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "grids.geojson"
    pyogrio.raw.write(
        path,
        np.array([shapely.to_wkb(shapely.Point(113, 23))], dtype=object),
        [np.array(["x"], dtype=object), np.array([1])],
        ["code", "riskLevel"],
        geometry_type="Point",
        crs="EPSG:4326",
        driver="GeoJSON",
    )
    assert {"code", "riskLevel"} <= set(names_in(path))
    assert "risk labels of people" in "".join(checked_file(path).found)


def test_harmless_files_pass_and_no_name_of_a_file_is_repeated(tmp_path: Path) -> None:
    good = written(tmp_path, "good.csv", "dwelling,door,contact_phone\n")
    # A file without headings begins with somebody's data.
    headless = written(tmp_path, "headless.csv", "Chen Example,汉民族,13800000000\n")
    result = check(good, headless)
    output = result.stdout
    assert result.exit_code == 1
    assert "ok   good.csv" in output
    assert "number 2: ethnicity" in output
    assert "Chen" not in output
    assert "汉" not in output


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.docx", b"PK", "names cannot be read"),
        ("a.json", b"{", "is not JSON"),
        ("a.json", b"[" * 200_000, "is not JSON"),
        ("a.yaml", b"a: [", "is not YAML"),
        ("a.csv", b"\xff\xfe\xff\xff", "neither UTF-8 nor GB18030"),
        ("a.csv", b"a" * 200_000 + b",b", "not a table"),
        ("a.geojson", b"{}", "vector file"),
        ("a.json", b" " * (MAPPING_BYTES_MAX + 1), "larger than"),
        ("a.json", json.dumps(["x"] * (NAMES_MAX + 1)).encode(), "more than"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_check_with_a_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (found,) = checked_file(written(tmp_path, name, content)).found
    assert reason in found


def test_a_missing_file_fails_and_an_empty_one_has_no_names(tmp_path: Path) -> None:
    assert "cannot be read" in checked_file(tmp_path / "none.csv").found[0]
    assert names_in(written(tmp_path, "empty.csv", "")) == []


def test_a_column_that_nobody_classified_is_found() -> None:
    known = holding_of_field("household", "door")
    planted = [
        Entry(place="t", name="a", holding=known),
        Entry(place="t", name="b", holding=None),
    ]
    assert unclassified([*table_entries(), *planted]) == ["t.b"]


def test_names_of_a_document_are_compared() -> None:
    document = {
        "paths": {"/v1/visitor-log": {"get": {"parameters": [{"name": "qq"}, {"$ref": "#"}]}}},
        "components": {"schemas": {"KeyPerson": {"properties": {"face_id": {}, "door": {}}}}},
    }
    found = {each.split(": ")[0] for each in refused_names(api_names(document))}
    assert found == {"/v1/visitor-log", "qq", "KeyPerson", "face_id"}


def _document(parameter: str, properties: list[str]) -> dict[str, Any]:
    body = {"$ref": "#/components/schemas/Page"}
    call = {
        "parameters": [{"name": parameter}],
        "responses": {"200": {"content": {"application/json": {"schema": body}}}},
    }
    schemas = {
        "Page": {"properties": {"items": {"anyOf": [{"$ref": "#/components/schemas/Row"}]}}},
        "Row": {"properties": {name: {} for name in properties} | {"page": body}},
    }
    return {"paths": {"/v1/x": {"get": call}}, "components": {"schemas": schemas}}


def test_a_call_that_lets_workers_be_put_in_order_is_found() -> None:
    found = rankings(_document("sort-by", ["worker", "id"]))
    assert found == ["GET /v1/x: orders workers by sort-by"]
    assert rankings(_document("sort-by", ["grid", "id"])) == []
    assert rankings(_document("limit", ["worker", "id"])) == []


def test_a_body_that_measures_a_worker_is_found() -> None:
    found = rankings(_document("limit", ["assignee", "visits_total", "average_hours"]))
    assert found == [
        "Row: measures workers by average_hours",
        "Row: measures workers by visits_total",
    ]
    assert rankings(_document("limit", ["grid", "visits_total"])) == []


def test_an_import_refuses_a_file_with_a_refused_column(tmp_path: Path) -> None:
    path = written(tmp_path, "households.csv", "dwelling,door,宗教\n1,2,secret\n")
    with pytest.raises(FileFault) as fault:
        list(read_rows(path, required=("dwelling", "door"), optional=()))
    assert fault.value.reason == "has columns that are never stored (number 3 (religion))"
    assert "secret" not in fault.value.reason
    check_names(["dwelling", "door"])
