"""A table from a file, CSV or XLSX: rows by column, and the cells that cannot be used."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from server.imports.cells import FileFault, Row
from server.imports.encodings import read_lines
from server.imports.headings import UNMAPPED, Column, Mapped, Sort, columns_of
from server.imports.report import Code, RowFault
from server.imports.sheets import Odd, Trait, is_sheet, read_sheet

REASONS: Final[Mapping[Code, tuple[str, str]]] = MappingProxyType(
    {
        Code.ENCODING: (
            "is in another encoding than the rest of the file",
            "save the whole file as UTF-8",
        ),
        Code.TOO_MANY_CELLS: ("has more cells than the header", "quote cells with commas"),
        Code.FORMULA: ("holds a formula", "paste the values instead"),
        Code.ERROR_VALUE: ("holds an error of the spreadsheet", ""),
        Code.MERGED_CELLS: ("is part of the merged cells", "unmerge them and fill each row"),
        Code.NUMBER_FOR_TEXT: (
            "is a number and may have lost zeros",
            "make the column text and enter it again",
        ),
        Code.DATE_FOR_TEXT: (
            "became a date in the spreadsheet",
            "make the column text and enter it again",
        ),
        Code.FLAG_FOR_TEXT: ("is true or false", ""),
        Code.DIGITS_LOST: ("has lost digits", "make the column text and enter it again"),
    }
)
_ALWAYS_ODD: Final[Mapping[Trait, Code]] = MappingProxyType(
    {
        Trait.FORMULA: Code.FORMULA,
        Trait.ERROR: Code.ERROR_VALUE,
        Trait.MERGED: Code.MERGED_CELLS,
        Trait.DATE: Code.DATE_FOR_TEXT,
        Trait.FLAG: Code.FLAG_FOR_TEXT,
        Trait.INEXACT: Code.DIGITS_LOST,
    }
)
_MOBILE = re.compile(r"1[0-9]{10}")
_WHOLE = re.compile(r"-?[0-9]+")
_SHORTENED = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How many rows there are, about, and the rows."""

    total: int
    rows: Iterator[Row]


def fault_of(column: Column, cell: str | Odd) -> Code | None:
    """Return why a cell cannot be used in a column, None if its text can.

    A number is text as well where it cannot have lost anything: whole, and in a column of
    telephone numbers only a mobile one, which never begins with 0.
    """
    if isinstance(cell, str):
        if cell[:1] in {"=", "@"}:
            return Code.FORMULA
        is_number = column.sort is Sort.NUMBER
        return Code.DIGITS_LOST if not is_number and _SHORTENED.fullmatch(cell) else None
    if cell.trait is not Trait.NUMBER:
        return _ALWAYS_ODD[cell.trait]
    wanted = _MOBILE if column.sort is Sort.PHONE else _WHOLE
    if column.sort is Sort.NUMBER or wanted.fullmatch(cell.text):
        return None
    return Code.NUMBER_FOR_TEXT


def read_table(content: bytes, known: Mapping[str, Column], mapped: Mapped = UNMAPPED) -> Table:
    """Return the rows of a file with their cells by column.

    Raises:
        FileFault: if the file or its header cannot be used. Nothing of it was given then.
    """
    lines: Iterator[tuple[int, Sequence[str | Odd] | None]]
    if is_sheet(content):
        total, lines = read_sheet(content, title=mapped.sheet)
    else:
        total, lines = read_lines(content)
    _, header = next(lines, (0, []))
    if header is None or not all(isinstance(each, str) for each in header):
        raise FileFault("has a header that is not plain text", "name the columns in line 1")
    columns = columns_of([str(each).strip() for each in header], known, mapped)
    return Table(total=max(total - 1, 0), rows=_rows(lines, columns))


def _rows(
    lines: Iterator[tuple[int, Sequence[str | Odd] | None]], columns: Sequence[Column | None]
) -> Iterator[Row]:
    for number, cells in lines:
        if cells is None:
            yield Row(number=number, cells={}, faults=(_fault(number, "", Code.ENCODING),))
            continue
        yield _row(number, cells, columns)


def _row(number: int, cells: Sequence[str | Odd], columns: Sequence[Column | None]) -> Row:
    read: dict[str, str] = {}
    faults: list[RowFault] = []
    if any(cells[len(columns) :]):
        faults.append(_fault(number, "", Code.TOO_MANY_CELLS))
    for column, cell in zip(columns, cells, strict=False):
        if column is None or not cell:
            continue
        code = fault_of(column, cell)
        if code is None:
            read[column.name] = cell.strip() if isinstance(cell, str) else cell.text
            continue
        cells_range = cell.text if code is Code.MERGED_CELLS and isinstance(cell, Odd) else ""
        faults.append(_fault(number, column.name, code, cells_range))
    return Row(number=number, cells=read, faults=tuple(faults))


def _fault(number: int, column: str, code: Code, cells: str = "") -> RowFault:
    reason, proposal = REASONS[code]
    return RowFault(
        row=number, column=column, reason=reason, proposal=proposal, code=code, cells=cells
    )
