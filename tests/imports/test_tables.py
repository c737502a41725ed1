"""Tables from CSV and XLSX files, without a store: encodings, headings, odd cells, bombs."""

import io
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from server.imports.cells import FileFault
from server.imports.encodings import encoding_of, read_lines
from server.imports.headings import COLUMNS, columns_of, read_mapping
from server.imports.report import Code
from server.imports.sheets import SheetLimits, read_sheet
from server.imports.tables import read_table

RESIDENTS = COLUMNS["residents"]
HEADER = ["住宅编码", "门牌号", "序号", "姓名", "联系电话"]
CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=8)
CELL = st.one_of(
    CHINESE,
    st.text("abc 01中文、。éαя€㐀𠀀王", max_size=8),
    st.sampled_from(['say "so"', "a,b", "two\nlines", "㐀𠀀", "€"]),
)


def csv_of(rows: list[list[str]]) -> str:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "\r\n".join(quoted) + "\r\n"


def sheet_of(
    *rows: list[Any], merged: str = "", formats: dict[str, str] | None = None
) -> bytes:
    book = Workbook()
    page = book.active
    for row in rows:
        page.append(row)
    if merged:
        page.merge_cells(merged)
    for cell, shown in (formats or {}).items():
        page[cell].number_format = shown
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def packed(content: bytes, **members: bytes) -> bytes:
    """An archive with some members replaced, `sheet` for the first sheet, or added."""
    names = {"sheet": "xl/worksheets/sheet1.xml", "more": "xl/media/more.bin"}
    wanted = {names[key]: value for key, value in members.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        with zipfile.ZipFile(io.BytesIO(content)) as old:
            for name in old.namelist():
                made.writestr(name, wanted.pop(name, old.read(name)))
        for name, value in wanted.items():
            made.writestr(name, value)
    return file.getvalue()


def read(content: bytes) -> dict[int, tuple[dict[str, str], list[tuple[str, Code]]]]:
    rows = read_table(content, RESIDENTS).rows
    return {
        row.number: (dict(row.cells), [(each.column, each.code) for each in row.faults])
        for row in rows
    }


def refused(content: bytes) -> str:
    with pytest.raises(FileFault) as fault:
        read(content)
    return fault.value.reason


@settings(max_examples=40)
@given(
    st.lists(st.lists(CELL, min_size=2, max_size=3), max_size=6),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_either_encoding_gives_the_same_cells(rows: list[list[str]], mark: bytes) -> None:
    """UTF-8 always reads as written; GB18030 where most of it can only be that."""
    text = csv_of([["住宅编码", "门牌号"], *rows])
    filled = [row for row in [["住宅编码", "门牌号"], *rows] if any(row)]
    total, lines = read_lines(mark + text.encode())
    assert [cells for _, cells in lines] == filled
    assert total == len(filled)
    content = text.encode("gb18030")
    if encoding_of(content) == "gb18030":
        found = [cells for _, cells in read_lines(content)[1]]
        assert [each for each in found if each is not None] == [
            row for row, cells in zip(filled, found, strict=True) if cells is not None
        ]


def test_rows_in_another_encoding_are_reported_and_the_others_read() -> None:
    lines = [f"B{number},0{number},1,王小明,13900000000\n" for number in range(1, 6)]
    for main, other in (("gb18030", "utf-8"), ("utf-8", "gb18030")):
        parts = [(",".join(HEADER) + "\n").encode(main)]
        parts += [line.encode(other if at == 2 else main) for at, line in enumerate(lines)]
        found = read(b"".join(parts))
        assert found[4] == ({}, [("", Code.ENCODING)])
        assert [found[at][0]["name"] for at in (2, 3, 5, 6)] == ["王小明"] * 4
    short = "住宅编码,门牌号,序号,姓名\nB1,01,1,联通\nB2,01,1,王小明\nB3,01,1,李\n"
    assert next(iter(read(short.encode("gb18030")).values()))[0]["name"] == "联通"
    assert "UTF-16" in refused(",".join(HEADER).encode("utf-16"))


def test_headings_are_known_in_two_languages_mapped_or_refused() -> None:
    for headings in (
        HEADER,
        ["Dwelling Code", "ROOM no.", "number", "Full_Name", "Tel"],
        ["dwelling", "door", "no", "name", "phone"],
    ):
        named = [each.name for each in columns_of(headings, RESIDENTS) if each]
        assert named == ["dwelling", "door", "no", "name", "phone"]
    text = '{"columns": {"户主": "name", "栋": "dwelling"}, "ignore": ["备注"]}'
    toml = (
        b'ignore = ["\xe5\xa4\x87\xe6\xb3\xa8"]\n[columns]\n"\xe6\x88\xb7\xe4\xb8\xbb" = "name"'
    )
    mapped = read_mapping(text.encode(), toml=False)
    found = columns_of(["栋", "门牌", "no", "户主", "备注", ""], RESIDENTS, mapped)
    assert [each and each.name for each in found] == ["dwelling", "door", "no", "name", None]
    assert read_mapping(toml, toml=True).columns == {"户主": "name"}
    for bad in (b"{", b"[]", b'{"columns": []}', b'{"ignore": [1]}', b'{"rows": 1}'):
        with pytest.raises(FileFault):
            read_mapping(bad, toml=False)
    for headings, said in (
        ([*HEADER, "政治面貌"], "never stored (number 6"),
        ([*HEADER, "religion"], "never stored (number 6"),
        ([*HEADER, "张三"], "unknown columns (number 6)"),
        ([*HEADER, "手机"], "twice"),
        (HEADER[1:], "lacks the column dwelling"),
        ([f"{at}" for at in range(101)], "more than 100 columns"),
    ):
        with pytest.raises(FileFault) as fault:
            columns_of(headings, RESIDENTS)
        assert said in fault.value.reason
        assert "张三" not in fault.value.reason + fault.value.proposal


def test_a_spreadsheet_says_what_it_did_to_the_cells() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)
    content = sheet_of(
        HEADER,
        ["B1", "01-01", 1, "甲", 13900000001],
        ["B1", date(2026, 3, 1), 2, "乙", "010-1"],
        ["B1", moment, 3, "丙", 2085550101],
        ["B1", 301, 4, "=A1&A2", 13900000001.0],
        ["B1", 3.1, 5, True, 10**16],
        ["B1", 7, 6, "#N/A", None, "beyond"],
        [None],
        ["B1", "01-02", 7, "丁", 1],
        ["B2", "01-03", 8, "戊", 2],
        formats={"B7": "0000", "E9": "00000000000", "E10": "@"},
        merged="A9:A10",
    )
    found = read(content)
    assert found[2] == (
        {"dwelling": "B1", "door": "01-01", "no": "1", "name": "甲", "phone": "13900000001"},
        [],
    )
    faults = {number: faults for number, (_, faults) in found.items()}
    assert faults[3] == [("door", Code.DATE_FOR_TEXT)]
    assert faults[4] == [("door", Code.DATE_FOR_TEXT), ("phone", Code.NUMBER_FOR_TEXT)]
    assert (found[5][0]["door"], faults[5]) == ("301", [("name", Code.FORMULA)])
    assert faults[6] == [
        ("door", Code.NUMBER_FOR_TEXT),
        ("name", Code.FLAG_FOR_TEXT),
        ("phone", Code.DIGITS_LOST),
    ]
    assert found[7][0]["door"] == "0007"
    assert faults[7] == [("", Code.TOO_MANY_CELLS), ("name", Code.ERROR_VALUE)]
    assert faults[9] == [("dwelling", Code.MERGED_CELLS), ("phone", Code.NUMBER_FOR_TEXT)]
    assert faults[10] == [("dwelling", Code.MERGED_CELLS), ("phone", Code.NUMBER_FOR_TEXT)]
    merged = [row for row in read_table(content, RESIDENTS).rows if row.number == 10]
    assert merged[0].faults[0].cells == "A9:A10"


def test_text_files_show_what_a_spreadsheet_did_before() -> None:
    lines = "B1,1,1,=A1,1\nB1,2,2,乙,1.39E+10\nB1,3,3,@丙,3\nB1,4,4,丁,4,5\n"
    faults = {
        at: each for at, (_, each) in read(f"{','.join(HEADER)}\n{lines}".encode()).items()
    }
    assert faults == {
        2: [("name", Code.FORMULA)],
        3: [("phone", Code.DIGITS_LOST)],
        4: [("name", Code.FORMULA)],
        5: [("", Code.TOO_MANY_CELLS)],
    }


def test_archives_that_are_no_sheet_or_too_much_are_refused() -> None:
    good = sheet_of(HEADER, ["B1", "1", "1", "甲", ""])
    bomb = b"<x>" + b" " * 3_000_000 + b"</x>"
    assert "packed more than" in refused(packed(good, more=bomb))
    entities = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><worksheet/>'
    assert "document type" in refused(packed(good, sheet=entities))
    for content in (b"PK\x03\x04nothing", good[:-40], packed(good, sheet=b"<worksheet><")):
        assert "readable" in refused(content)
    far = b"".join(
        b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (at, at) for at in range(1, 4)
    )
    space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    wide = b'<worksheet xmlns="%s"><sheetData>%s</sheetData></worksheet>' % (space, far)
    assert refused(packed(good, sheet=wide)).startswith("lacks the column")
    merged = sheet_of(HEADER, ["B1", 1], ["B2", 2], merged="A2:A3")
    for limits, said in (
        (SheetLimits(rows=1), "more than 1 rows"),
        (SheetLimits(merged=0), "more than 0 merged"),
        (SheetLimits(merged_rows=1), "merged cells in more"),
    ):
        with pytest.raises(FileFault, match=said):
            read_sheet(merged, limits=limits)
    merged_header = sheet_of(["", *HEADER], merged="A1:B1")
    assert "header" in refused(merged_header)


def test_a_sheet_is_chosen_by_its_title() -> None:
    book = Workbook()
    book.active.append(["nothing"])
    book.create_sheet("residents").append(HEADER)
    file = io.BytesIO()
    book.save(file)
    for title, fault in (("residents", None), ("other", "no such sheet"), (None, "unknown")):
        said = f'{{"sheet": "{title}"}}' if title else "{}"
        mapped = read_mapping(said.encode(), toml=False)
        if fault is None:
            assert list(read_table(file.getvalue(), RESIDENTS, mapped).rows) == []
            continue
        with pytest.raises(FileFault, match=fault):
            read_table(file.getvalue(), RESIDENTS, mapped)
