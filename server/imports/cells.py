"""Read CSV files row by row, and check cells against the fields of a kind.

A file that cannot be read as a whole raises `FileFault`; a bad cell is noted in the report with
its row and column, and reading goes on so that one run shows every fault.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.imports.report import ImportReport
from sync import masking
from sync.kinds import Kind
from sync.refused import refused_concept

FILE_BYTES_MAX = 256 * 2**20
ROWS_MAX = 2_000_000
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,15})?")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class FileFault(Exception):  # noqa: N818 - the file is at fault, not the program
    """A file that is refused as a whole: why, and what to do about it."""

    def __init__(self, reason: str, proposal: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.proposal = proposal


def read_limited(path: Path) -> bytes:
    """Return a file's bytes, gunzipped if its name ends in `.gz`, at most `FILE_BYTES_MAX`.

    Raises:
        FileFault: if it is missing, unreadable, too large, or not gzip.
    """
    try:
        with path.open("rb") as plain:
            opened = gzip.GzipFile(fileobj=plain) if path.suffix == ".gz" else plain
            content = opened.read(FILE_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = f"cannot be read ({type(error).__name__})"
        raise FileFault(reason, "check the path, the rights and the compression") from None
    if len(content) > FILE_BYTES_MAX:
        reason = f"is larger than {FILE_BYTES_MAX // 2**20} MiB when unpacked"
        raise FileFault(reason, "import it in parts")
    return content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 (byte {error.start})"
        raise FileFault(
            reason, "save it as UTF-8; GBK and Big5 files must be converted"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: its number in the file (the header is 1) and its cells by column."""

    number: int
    cells: Mapping[str, str]


def read_rows(path: Path, *, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file; empty lines are left out, cells are stripped of blanks.

    Raises:
        FileFault: if the file or its header cannot be used, or a line has too many cells.
    """
    reader = csv.reader(io.StringIO(_text(read_limited(path)), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, required, optional)
        for cells in reader:
            if reader.line_num > ROWS_MAX:
                raise FileFault(f"has more than {ROWS_MAX} lines", "import it in parts")
            if len(cells) > len(header):
                raise FileFault(f"line {reader.line_num} has more cells than the header")
            if any(cells):
                stripped = [cell.strip() for cell in cells]
                yield Row(
                    number=reader.line_num, cells=dict(zip(header, stripped, strict=False))
                )
    except csv.Error as error:
        raise FileFault(f"is not CSV at line {reader.line_num} ({error})") from None


def _check_header(
    header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*required, *optional)
    columns = ", ".join(known)
    missing = [name for name in required if name not in header]
    if missing:
        reason = f"lacks the column {', '.join(missing)}"
        raise FileFault(reason, f"the first line must name the columns among {columns}")
    check_names(header)
    unknown = [index + 1 for index, name in enumerate(header) if name not in known]
    if unknown:
        places = ", ".join(map(str, unknown))
        raise FileFault(
            f"has unknown columns (number {places})", f"remove them; known: {columns}"
        )
    if len(set(header)) < len(header):
        raise FileFault("names a column twice")


def check_names(names: Sequence[str]) -> None:
    """Refuse names of columns that come near what jingwei does not store about people.

    Raises:
        FileFault: with the number of each column, and the concept.
    """
    refused = [
        f"{number} ({concept})"
        for number, name in enumerate(names, 1)
        if (concept := refused_concept(name)) is not None
    ]
    if refused:
        reason = f"has columns that are never stored (number {', '.join(refused)})"
        raise FileFault(reason, "remove them from the file; see docs/privacy.md")


class Cells:
    """The cells of one row, converted and checked against a kind; faults go to the report."""

    def __init__(self, row: Row, kind: Kind, report: ImportReport) -> None:
        self.row = row
        self.kind = kind
        self.report = report
        self.values: dict[str, Any] = {}
        self.good = True

    def refuse(self, column: str, reason: str, proposal: str = "") -> None:
        """Note that this row is refused."""
        self.good = False
        self.report.refuse(self.row.number, column, reason, proposal)

    def raw(self, column: str) -> str:
        """Return the text of a cell, "" when the file does not have it."""
        return self.row.cells.get(column, "")

    def keep(self, name: str, value: Any) -> None:
        """Check a value against the kind's field and keep it for the record."""
        reason = self.kind.fields[name].type.fault(value)
        reason = reason or masking.fault_of(self.kind.name, name, value)
        if reason is not None:
            self.refuse(name, reason)
            return
        self.values[name] = value

    def text(self, *names: str) -> None:
        """Keep cells as text; an empty cell leaves the field alone unless it is required."""
        for name in names:
            if self.raw(name) or self._required(name):
                self.keep(name, self.raw(name))

    def integer(self, *names: str) -> None:
        """Keep cells as integers."""
        for name in names:
            found = self.raw(name)
            if found and not _INTEGER.fullmatch(found):
                self.refuse(name, "must be an integer")
            elif found:
                self.keep(name, int(found))

    def flag(self, name: str) -> None:
        """Keep a cell as true or false."""
        found = self.raw(name).lower()
        if found and found not in _FLAGS:
            self.refuse(name, "must be true or false")
        elif found:
            self.keep(name, _FLAGS[found])

    def number(self, column: str) -> float | None:
        """Return a cell as a decimal number, or None after noting why it is none."""
        if _DECIMAL.fullmatch(self.raw(column)):
            return float(self.raw(column))
        self.refuse(column, "must be a decimal number")
        return None

    def _required(self, name: str) -> bool:
        return self.kind.fields[name].required
