"""A shapefile is several files, its text has an encoding, and a zip is not trusted."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from geo.geojson import Feature
from server.imports.cells import FileFault
from server.imports.hints import Hints
from server.imports.shapefiles import encoding_named
from server.imports.shapes import read_features

NAMES = ["萬華區", "龙华𠀀街道"]
SHAPES = shapely.to_wkb(
    [shapely.box(121, 25, 121.1, 25.1), shapely.box(121.1, 25, 121.2, 25.1)]
)


def shapefile(folder: Path, *, encoding: str = "UTF-8", drop: tuple[str, ...] = ()) -> Path:
    """A shapefile of two grids with Chinese names, without some of its files."""
    path = folder / "grids.shp"
    pyogrio.raw.write(
        str(path),
        SHAPES,
        [np.array(["001", "002"], dtype=object), np.array(NAMES, dtype=object)],
        np.array(["code", "name"]),
        geometry_type="Polygon",
        crs="EPSG:4326",
        encoding=encoding,
    )
    for suffix in drop:
        path.with_suffix(suffix).unlink()
    return path


def packed(path: Path, *, into: str = "grids.zip", folder: str = "", **names: str) -> Path:
    """What belongs to a shapefile as a zip; `names` renames by suffix."""
    target = path.with_name(into)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for each in sorted(path.parent.glob(f"{path.stem}.*")):
            if each != target:
                made.write(each, names.get(each.suffix[1:], f"{folder}{each.name}"))
    return target


def made_of(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip of what is given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def refusal(path: Path, **options: Any) -> FileFault:
    with pytest.raises(FileFault) as caught:
        read_features(path, Hints(**options))
    return caught.value


def names(features: tuple[Feature, ...]) -> list[str]:
    return [each.properties["name"] for each in features]


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
def test_text_is_read_in_the_encoding_that_the_file_names(
    tmp_path: Path, encoding: str
) -> None:
    path = shapefile(tmp_path, encoding=encoding)
    assert names(read_features(path)) == NAMES
    assert names(read_features(packed(path, folder="village/"))) == NAMES


def test_text_without_an_encoding_is_utf_8_or_refused_with_a_proposal(tmp_path: Path) -> None:
    assert names(read_features(shapefile(tmp_path, drop=(".cpg",)))) == NAMES
    path = shapefile(tmp_path, encoding="GB18030", drop=(".cpg",))
    fault = refusal(path)
    assert "does not say how its text is encoded" in fault.reason
    assert "--encoding GB18030" in fault.proposal
    assert names(read_features(path, Hints(encoding="gb18030"))) == NAMES
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    content[29] = 0x4D
    table.write_bytes(content)
    assert names(read_features(path)) == NAMES


def test_a_lying_encoding_is_refused_with_a_proposal(tmp_path: Path) -> None:
    path = shapefile(tmp_path, encoding="GB18030")
    path.with_suffix(".cpg").write_text("UTF-8")
    fault = refusal(path)
    assert "not in the encoding that is named" in fault.reason
    assert "GB18030" in fault.proposal
    assert names(read_features(path, Hints(encoding="GB18030"))) == NAMES
    path.with_suffix(".cpg").write_text("EBCDIC")
    assert "not known" in refusal(path).reason


def test_text_that_no_encoding_fits_is_refused(tmp_path: Path) -> None:
    path = shapefile(tmp_path, encoding="GB18030", drop=(".cpg",))
    table = path.with_suffix(".dbf")
    table.write_bytes(table.read_bytes().replace(NAMES[0].encode("gb18030")[:2], b"\xff\xff"))
    assert refusal(path).proposal == "say it with --encoding"


def test_encodings_have_many_names() -> None:
    assert encoding_named(" GBK\n") == encoding_named("936") == "gb18030"
    assert encoding_named("65001") == "utf-8"


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
def test_a_missing_companion_is_named(tmp_path: Path, suffix: str) -> None:
    path = shapefile(tmp_path, drop=(suffix,))
    assert refusal(path).reason == f"lacks {suffix}"
    assert refusal(packed(path)).reason == f"lacks {suffix}"


def test_a_missing_or_senseless_system_is_refused(tmp_path: Path) -> None:
    path = shapefile(tmp_path, drop=(".prj",))
    fault = refusal(packed(path))
    assert "does not say" in fault.reason
    assert "EPSG:4326" in fault.proposal
    path.with_suffix(".prj").write_text("somewhere")
    assert "EPSG:4326" in refusal(path).proposal


def test_names_in_capitals_belong_together(tmp_path: Path) -> None:
    path = shapefile(tmp_path)
    zipped = packed(path, shp="GRIDS.SHP", dbf="Grids.DBF", shx="grids.SHX")
    assert names(read_features(zipped)) == NAMES


@pytest.mark.parametrize(
    "name", ["../grids.shp", "/grids.shp", "C:\\grids.shp", "a/../../grids.shp", "gr\nids.shp"]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    shape = shapefile(tmp_path).read_bytes()
    zipped = made_of(tmp_path / "odd.zip", {name: shape})
    assert "leads elsewhere" in refusal(zipped).reason
    assert sorted(each.name for each in tmp_path.parent.glob("grids*")) == []


def test_a_zip_must_hold_one_shapefile(tmp_path: Path) -> None:
    path = shapefile(tmp_path)
    content = {each.name: each.read_bytes() for each in tmp_path.glob("grids.*")}
    two = {**content, "more.shp": content["grids.shp"]}
    assert "holds 2 shapefiles" in refusal(made_of(tmp_path / "two.zip", two)).reason
    none = {"grids.txt": b"nothing"}
    assert "holds 0 shapefiles" in refusal(made_of(tmp_path / "none.zip", none)).reason
    twice = {**content, "GRIDS.dbf": content["grids.dbf"]}
    assert "two files of one name" in refusal(made_of(tmp_path / "twice.zip", twice)).reason
    many = {**content} | {f"{each}.txt": b"" for each in range(101)}
    assert "more than 100 files" in refusal(made_of(tmp_path / "many.zip", many)).reason
    mac = {**content, "__MACOSX/._grids.shp": b"resource"}
    assert names(read_features(made_of(tmp_path / "mac.zip", mac))) == NAMES
    path.with_suffix(".shp").write_bytes(b"<OGRVRTDataSource/>")
    assert refusal(packed(path)).reason


def test_a_bomb_is_refused_whatever_it_says_of_its_size(tmp_path: Path) -> None:
    shapefile(tmp_path)
    content = {each.name: each.read_bytes() for each in tmp_path.glob("grids.*")}
    bomb = made_of(tmp_path / "bomb.zip", {**content, "grids.dbf": bytes(20_000_000)})
    assert bomb.stat().st_size < 50_000
    assert "too large when unpacked" in refusal(bomb, bytes_max=2**20).reason
    raw = bomb.read_bytes()
    lying = tmp_path / "lying.zip"
    lying.write_bytes(
        raw.replace((20_000_000).to_bytes(4, "little"), (1).to_bytes(4, "little"))
    )
    assert lying.read_bytes() != raw
    assert refusal(lying, bytes_max=2**20).reason


def test_a_zip_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    zipped = packed(shapefile(tmp_path))
    raw = bytearray(zipped.read_bytes())
    raw[60:90] = bytes(30)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(raw)
    assert "not a readable zip" in refusal(broken).reason
    cut = tmp_path / "cut.zip"
    cut.write_bytes(zipped.read_bytes()[:200])
    assert "not a readable zip" in refusal(cut).reason
    with zipfile.ZipFile(tmp_path / "slow.zip", "w", zipfile.ZIP_LZMA) as made:
        made.write(tmp_path / "grids.shp", "grids.shp")
    assert "packed in a way" in refusal(tmp_path / "slow.zip").reason
    flagged = bytearray(zipped.read_bytes())
    at = flagged.index(b"PK\x01\x02")
    flagged[at + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(flagged)
    assert "encrypted" in refusal(tmp_path / "secret.zip").reason
