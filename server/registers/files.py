"""A register as a file: CSV or XLSX, with its watermark on every page and in every row."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from server.registers.rules import safe

CSV: Final = "text/csv; charset=utf-8"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MARK_COLUMN: Final = "register"


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[object]], mark: str) -> bytes:
    """Return the rows as CSV: the watermark in the first line and at the end of each row."""
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow([safe(mark)])
    lines.writerow([*columns, MARK_COLUMN])
    lines.writerows([*map(safe, row), safe(mark)] for row in rows)
    return file.getvalue().encode("utf-8-sig")


def xlsx_of(columns: Sequence[str], rows: Iterable[Sequence[object]], mark: str) -> bytes:
    """Return the rows as a spreadsheet whose printed pages each show the watermark."""
    from openpyxl import Workbook  # noqa: PLC0415 - heavy, and rarely used

    book = Workbook(write_only=True)
    page = book.create_sheet("register")
    page.print_title_rows = "1:2"
    shown = mark.replace("&", "&&")
    for edge in (page.oddHeader, page.oddFooter):
        edge.center.text = shown
    page.append([safe(mark)])
    page.append([*columns, MARK_COLUMN])
    for row in rows:
        page.append([*map(safe, row), safe(mark)])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
