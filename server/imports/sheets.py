"""The rows of a spreadsheet (XLSX): what stands in the cells, and what is odd about them.

Nothing is computed: a formula is odd, whatever result was saved with it. A spreadsheet makes
numbers of telephone numbers and dates of doors, so every cell says what it was. The file is
an archive of XML from a stranger: its size is looked at before it is unpacked, and a document
type (the door to entities) is refused.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from io import BytesIO
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from server.imports.cells import FileFault
from server.imports.headings import COLUMNS_MAX
from server.unpacking import ArchiveFault, ArchiveLimits, open_archive

PIECE: Final = 2**20
_OVERLAP: Final = 200
_DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=[\"']([A-Z0-9:$]{1,30})[\"']")
_ZEROS = re.compile("0+")
_EXACT: Final = 10**15


ARCHIVE: Final = ArchiveLimits(members=1_000, unpacked_bytes=512 * 2**20, ratio=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLimits:
    """What a spreadsheet may have: rows, merged ranges, rows in them, and as an archive."""

    rows: int = 200_000
    merged: int = 10_000
    merged_rows: int = 1_000_000
    archive: ArchiveLimits = ARCHIVE


LIMITS: Final = SheetLimits()


class Trait(StrEnum):
    """What a cell is that is not text."""

    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"
    FORMULA = "formula"
    ERROR = "error"
    INEXACT = "inexact"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Odd:
    """A cell that is not text: what it is, and as text; a merged one with its range."""

    trait: Trait
    text: str = ""


Cells = Sequence[str | Odd]


def is_sheet(content: bytes) -> bool:
    """Say whether a file is an archive, as every XLSX file is."""
    return content.startswith(b"PK")


def read_sheet(
    content: bytes, *, title: str | None = None, limits: SheetLimits = LIMITS
) -> tuple[int, Iterator[tuple[int, Cells]]]:
    """Return how many rows are not empty, and of each its number and its cells.

    They are those of the first sheet unless one is named. All of it is read before.

    Raises:
        FileFault: if it is no XLSX, has more than a limit, or no sheet of that title.
    """
    try:
        with open_archive(BytesIO(content), limits.archive) as archive:
            merged = _scanned(archive, limits)  # before the parser of XML sees any of it
            rows, member = _rows(content, title, limits)
            _mark(rows, merged.get(member, ()), limits)
    except ArchiveFault as fault:
        raise FileFault(str(fault), "save it as XLSX without a password, or as CSV") from None
    except (BadZipFile, ParseError, KeyError, ValueError, TypeError, OSError, EOFError):
        raise FileFault("is not a readable XLSX file", "save it anew, or as CSV") from None
    return len(rows), iter(rows.items())


def _rows(
    content: bytes, title: str | None, limits: SheetLimits
) -> tuple[dict[int, list[str | Odd]], str]:
    """The rows by number, and the archive's member that they stand in."""
    from openpyxl import load_workbook  # noqa: PLC0415 - heavy, and rarely used

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = load_workbook(BytesIO(content), read_only=True, keep_links=False)
    try:
        sheets = {each.title: each for each in book.worksheets}
        if not sheets or (title is not None and title not in sheets):
            raise FileFault("has no such sheet", f"it has {len(sheets)} sheets")
        sheet = sheets[title] if title is not None else book.worksheets[0]
        sheet.reset_dimensions()
        rows: dict[int, list[str | Odd]] = {}
        for number, cells in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX + 1), 1):
            read = [_cell(each) for each in cells]
            if any(read):
                rows[number] = read
            if len(rows) > limits.rows:
                raise FileFault(f"has more than {limits.rows} rows", "import it in parts")
    finally:
        book.close()
    return rows, str(sheet._worksheet_path).lstrip("/")  # noqa: SLF001 - nothing public names the member


def _cell(cell: Any) -> str | Odd:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        return Odd(Trait.FORMULA)
    if cell.data_type == "e":
        return Odd(Trait.ERROR)
    if isinstance(value, bool):
        return Odd(Trait.FLAG, str(value).lower())
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    if isinstance(value, date | datetime | time | timedelta):
        return Odd(Trait.DATE)
    return str(value).strip()


def _number(value: float, shown_as: str) -> Odd:
    """A number as it is shown, as far as can be known: with the zeros its format asks for."""
    if not abs(value) < _EXACT:
        return Odd(Trait.INEXACT)
    if value != int(value):
        return Odd(Trait.NUMBER, repr(value))
    text = str(int(value))
    if _ZEROS.fullmatch(shown_as) and len(shown_as) > 1:
        text = text.zfill(len(shown_as))
    return Odd(Trait.NUMBER, text)


def _scanned(archive: ZipFile, limits: SheetLimits) -> dict[str, list[str]]:
    """The merged ranges of each part; in every part a document type is looked for."""
    found = {}
    for name in archive.namelist():
        with archive.open(name) as part:
            found[name] = _searched(part, limits)
    return found


def _searched(part: IO[bytes], limits: SheetLimits) -> list[str]:
    ranges: dict[str, None] = {}
    before = b""
    while piece := part.read(PIECE):
        window = before + piece
        if _DOCTYPE.search(window):
            raise FileFault("has a document type in its XML", "save it anew, or as CSV")
        ranges |= dict.fromkeys(each.decode() for each in _MERGED.findall(window))
        if len(ranges) > limits.merged:
            raise FileFault(f"has more than {limits.merged} merged ranges")
        before = window[-_OVERLAP:]
    return list(ranges)


def _mark(rows: dict[int, list[str | Odd]], ranges: Sequence[str], limits: SheetLimits) -> None:
    """Make every cell of a merged range odd: which row its value belongs to is not known."""
    from openpyxl.utils.cell import range_boundaries  # noqa: PLC0415 - heavy, and rarely used

    last, marked = max(rows, default=0), 0
    for each in ranges:
        west, north, east, south = range_boundaries(each)
        marked += max(min(south, last) - north + 1, 0)
        if marked > limits.merged_rows:
            raise FileFault(f"has merged cells in more than {limits.merged_rows} rows")
        for number in range(north, min(south, last) + 1):
            cells = rows.get(number, [])
            for at in range(west - 1, min(east, len(cells))):
                cells[at] = Odd(Trait.MERGED, each)
