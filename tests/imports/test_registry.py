"""Dwellings, households, residents and classes from CSV files."""

from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Connection, insert

from geo.datum import from_wgs84
from server.db.store import Store
from server.db.tables import Alias
from server.imports import queries
from server.imports.households import household_id, resident_id
from server.imports.report import Code, ImportReport
from tests.imports.conftest import Import

pytestmark = [pytest.mark.anyio, pytest.mark.db]

DWELLINGS = """code,address,lon,lat
B1,Block 1,121.5005,25.0005
B2,Block 2,121.5015,25.0005
"""
HOUSEHOLDS = """dwelling,door,contact_phone,size_band,status,languages
B1,01-01,000-1,2,active,cmn nan
B1,01-02,,1,vacant,
B2,01-01,000-2,3-4,active,cmn
"""
BAD = frozenset(range(99, 700, 100))
BAD_LINES = {number + 2 for number in BAD}
RESIDENTS = """dwelling,door,no,name,birth_year
B1,01-01,1,Resident One,1950
B1,01-01,2,Resident Two,
B2,01-01,1,Resident Three,2001
"""


async def state(store: Store, record: str) -> dict[str, Any]:
    found = await store.read(lambda db: queries.states_of(db, [record]))
    return found[record][1] if record in found else {}


def merged_into(db: Connection, record: str, into: str) -> None:
    row = {"record_id": record, "kind": "household", "into_id": into, "merged_ms": 1}
    db.execute(insert(Alias.__table__), [row])


async def dwelling(store: Store, code: str) -> str:
    found = await store.read(lambda db: queries.dwellings_with(db, [code]))
    return found[code]


@pytest.fixture
async def registry(run: Import, grids: ImportReport) -> None:
    assert grids.ok
    for kind, content in (("dwellings", DWELLINGS), ("households", HOUSEHOLDS)):
        report = await run(kind, content)
        assert report.ok, list(report.lines())


@pytest.mark.usefixtures("registry")
async def test_a_second_import_changes_nothing(run: Import) -> None:
    counts = {}
    await run("residents", RESIDENTS)
    for kind, content in (
        ("dwellings", DWELLINGS),
        ("households", HOUSEHOLDS),
        ("residents", RESIDENTS),
    ):
        report = await run(kind, content)
        counts[kind] = (report.created, report.changed, report.unchanged)
    assert counts == {"dwellings": (0, 0, 2), "households": (0, 0, 3), "residents": (0, 0, 3)}


@pytest.mark.usefixtures("registry")
async def test_a_dwelling_lies_in_the_grid_that_holds_its_point(store: Store) -> None:
    codes = ["990101001001001", "990101001001002"]
    ids = await store.read(lambda db: queries.grids_with(db, codes))
    for code, grid in zip(("B1", "B2"), codes, strict=True):
        found = await state(store, await dwelling(store, code))
        assert found["grid"] == ids[grid]


@pytest.mark.usefixtures("grids")
@pytest.mark.parametrize("datum", ["wgs84", "cgcs2000", "gcj02", "bd09"])
async def test_a_place_is_converted_from_its_datum(
    run: Import, store: Store, datum: str
) -> None:
    lon, lat = from_wgs84(121.5005, 25.0005, datum)
    content = f"code,address,lon,lat,datum\nB9,Block 9,{lon:.9f},{lat:.9f},{datum}\n"
    assert (await run("dwellings", content)).created == 1
    found = await state(store, await dwelling(store, "B9"))
    assert abs(found["lon_e7"] - 1_215_005_000) <= 1
    assert abs(found["lat_e7"] - 250_005_000) <= 1


@pytest.mark.usefixtures("registry")
async def test_households_and_residents_hang_together(run: Import, store: Store) -> None:
    assert (await run("residents", RESIDENTS)).created == 3
    home = household_id(await dwelling(store, "B1"), "01-01")
    found = await state(store, home)
    assert (found["size_band"], found["languages"]) == ("2", ["cmn", "nan"])
    person = await state(store, resident_id(home, "2"))
    assert (person["household"], person["name"]) == (home, "Resident Two")
    assert "birth_year" not in person


@pytest.mark.usefixtures("registry")
async def test_an_empty_cell_leaves_the_stored_value_alone(run: Import, store: Store) -> None:
    content = "dwelling,door,contact_phone,status\nB1,01-01,,moved_out\n"
    assert (await run("households", content)).changed == 1
    found = await state(store, household_id(await dwelling(store, "B1"), "01-01"))
    assert (found["contact_phone"], found["status"]) == ("000-1", "moved_out")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("kind", "header", "line", "column"),
    [
        ("dwellings", "code,address,lon,lat", "B3,Block 3,121.4,25.0005", "lon"),
        ("dwellings", "code,address,lon,lat", "B3,Block 3,300000,2770000", "lat"),
        ("dwellings", "code,address,lon,lat", "B3,Block 3,nan,25", "lon"),
        ("dwellings", "code,address,lon,lat", "B3,,121.5005,25.0005", "address"),
        ("dwellings", "code,address,lon,lat,grid", "B3,Block 3,121.5,25,77", "grid"),
        ("dwellings", "code,address,lon,lat,datum", "B3,Block 3,121.5,25,nad27", "datum"),
        ("households", "dwelling,door", "B7,01-01", "dwelling"),
        ("households", "dwelling,door,status", "B2,02-01,gone", "status"),
        ("residents", "dwelling,door,no,name", "B2,09-09,1,Resident", "door"),
        ("residents", "dwelling,door,no,name", "B2,01-01,,Resident", "no"),
        ("residents", "dwelling,door,no,name,birth_year", "B2,01-01,1,R,1850", "birth_year"),
        ("classes", "code,name,limit_hours", "0102,Rubbish,0", "limit_hours"),
        ("classes", "code,name,active", "0102,Rubbish,perhaps", "active"),
    ],
)
async def test_a_bad_row_is_refused_with_its_place(
    run: Import, kind: str, header: str, line: str, column: str
) -> None:
    report = await run(kind, f"{header}\n{line}\n")
    assert not report.ok
    assert {fault.row for fault in report.refused} == {2}
    assert column in {fault.column for fault in report.refused}
    assert (report.created, report.changed) == (0, 0)


@pytest.mark.usefixtures("registry")
async def test_a_refused_row_never_shows_what_it_says(run: Import) -> None:
    report = await run("residents", "dwelling,door,no,name,birth_year\nB2,01-01,1,李雷,18xx\n")
    assert not report.ok
    assert "李雷" not in "\n".join(report.lines())
    assert "18xx" not in "\n".join(report.lines())


def many(header: str, good: str, bad: str) -> str:
    """A file of 700 rows, of which one in a hundred is bad on purpose."""
    rows = (
        f"B{number % 2 + 1},M-{number},{bad if number in BAD else good}"
        for number in range(700)
    )
    return "\n".join(["dwelling,door," + header, *rows, ""])


@pytest.mark.usefixtures("registry")
async def test_good_rows_go_in_and_an_interrupted_import_is_finished_by_the_next(
    run: Import, store: Store
) -> None:
    class Killed(BaseException):
        pass

    def die(done: int, total: int) -> None:
        assert (done, total) == (500, 700)
        raise Killed

    content = many("status", "active", "gone")
    with pytest.raises(Killed):
        await run("households", content, progress=die)
    report = await run("households", content)
    assert (report.rows, report.created, report.unchanged) == (700, 198, 495)
    assert {(each.row, each.column) for each in report.refused} == {
        (n, "status") for n in BAD_LINES
    }
    again = await run("households", content)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 693)
    report = await run("residents", many("no,name,phone", "1,甲,1", "1,,2"))
    assert report.created == 693
    faults = {(each.row, each.column) for each in report.refused}
    assert faults == {(n, "name") for n in BAD_LINES}
    home = household_id(await dwelling(store, "B1"), "M-98")
    assert (await state(store, resident_id(home, "1")))["name"] == "甲"


@pytest.mark.usefixtures("registry")
async def test_what_the_rules_refuse_keeps_only_its_own_row_out(
    run: Import, store: Store, tmp_path: Any
) -> None:
    """A household that was merged into another one is not written to by way of it."""
    await run("households", "dwelling,door\nB2,07-07\nB2,07-08\n")
    block = await dwelling(store, "B2")
    home, other = household_id(block, "07-07"), household_id(block, "07-08")
    await store.write(lambda db: merged_into(db, home, other))
    path, listed = tmp_path / "homes.xlsx", tmp_path / "refused.csv"
    book = Workbook()
    for row in (
        ["住宅编码", "门牌号", "状态"],
        ["B2", "07-07", "vacant"],
        ["B2", 708, "vacant"],
    ):
        book.active.append(row)
    book.active.append(["B2", "=A1", "vacant"])
    book.save(path)
    report = await run("households", path)
    assert report.created == 1
    assert [(each.row, each.code) for each in report.refused] == [
        (2, Code.MERGED_RECORD),
        (4, Code.FORMULA),
    ]
    report.write_faults(listed)
    assert "merged-cells" not in listed.read_text(encoding="utf-8-sig")
    assert listed.read_text(encoding="utf-8-sig").count("\n") == 3


@pytest.mark.usefixtures("registry")
async def test_a_key_may_occur_once(run: Import) -> None:
    report = await run("households", "dwelling,door\nB2,07-07\nB2,07-07\n")
    assert [(fault.row, fault.column) for fault in report.refused] == [(3, "door")]


@pytest.mark.usefixtures("registry")
async def test_a_dry_run_counts_and_writes_nothing(run: Import, store: Store) -> None:
    content = "dwelling,door,size_band\nB1,01-01,5+\nB2,07-07,1\nB2,01-01,3-4\n"
    report = await run("households", content, dry_run=True)
    assert (report.created, report.changed, report.unchanged) == (1, 1, 1)
    home = household_id(await dwelling(store, "B1"), "01-01")
    assert (await state(store, home))["size_band"] == "2"


async def test_classes_are_known_by_their_code(run: Import) -> None:
    content = "code,name,name_zh,limit_hours,active\n0102,Rubbish,暴露垃圾,4,yes\n"
    assert (await run("classes", content)).created == 1
    assert (await run("classes", content)).unchanged == 1
    assert (await run("classes", content.replace(",4,", ",5,"))).changed == 1


@pytest.mark.parametrize("kind", ["areas", "dwellings", "households", "residents", "classes"])
@pytest.mark.parametrize(
    "content",
    [
        "",
        "code\n",
        "code,name,code\n1,2,3\n",
        "code,name,colour\n1,2,3\n",
        'code,name\n"1,2\n',
        "code,name\n1,2,3\n",
        "code,name\n1,\x00\n",
    ],
)
async def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    run: Import, kind: str, content: str
) -> None:
    report = await run(kind, content)
    assert not report.ok
    assert report.created == 0


async def test_a_file_in_another_encoding_is_refused(run: Import, tmp_path: Any) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes("code,name\n0102,暴露垃圾\n".encode("gbk"))
    report = await run("classes", path)
    (fault,) = report.refused
    assert "UTF-8" in fault.reason
