"""The lines of a CSV file, in UTF-8 or GB18030, with those that are in neither found.

Spreadsheets in Chinese offices save CSV in GB18030 or in UTF-8, and files that were pasted
together hold both. Bytes that mean something to CSV (comma, quote, end of line) never are a
part of a longer character in either, so a mixed file is split first and decoded row by row.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Final

from server.imports.cells import ROWS_MAX, FileFault

UTF8: Final = "utf-8"
GB18030: Final = "gb18030"
_BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_BESIDE_CJK = re.compile(r"[^\u0000-\u007f\u2010-\u30ff\u3400-\u9fff\uff00-\uffef]")
Line = tuple[int, list[str] | None]


def decoded(content: bytes, encoding: str) -> str | None:
    """Return the text, or None if it is not in that encoding."""
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def is_chinese_utf8(content: bytes) -> bool:
    """Say whether bytes are UTF-8 that cannot be GB18030 by accident.

    Two bytes of GB18030 may be a letter in UTF-8 (Greek, Cyrillic), hardly ever Chinese.
    """
    text = decoded(content, UTF8)
    return text is not None and bool(_CJK.search(text)) and _BESIDE_CJK.search(text) is None


def encoding_of(content: bytes) -> str:
    """Return the encoding that most lines with other than ASCII are in."""
    if content.startswith(_BOM) or decoded(content, UTF8) is not None:
        return UTF8
    utf8 = gb18030 = 0
    for line in content.split(b"\n"):
        if line.isascii():
            continue
        if is_chinese_utf8(line):
            utf8 += 1
        elif decoded(line, GB18030) is not None:
            gb18030 += 1
    return GB18030 if gb18030 > utf8 else UTF8


def read_lines(content: bytes) -> tuple[int, Iterator[Line]]:
    """Return how many lines are not empty, and of each its number and its cells.

    The number is that of the line in the file, the last one of a row with line ends in quotes.
    Cells are None where the encoding is another one. The whole file is looked at before.

    Raises:
        FileFault: if it is not CSV, in UTF-16, or has too many lines.
    """
    if content.startswith(_WIDE):
        raise FileFault("is UTF-16", "save it as CSV in UTF-8")
    encoding = encoding_of(content)
    content = content.removeprefix(_BOM)
    text = _whole(content, encoding)
    split = content.decode("latin-1") if text is None else text
    total = sum(1 for _ in _parsed(split))
    if text is not None:
        return total, iter(_parsed(text))
    return total, ((at, _cells(cells, encoding)) for at, cells in _parsed(split))


def _whole(content: bytes, encoding: str) -> str | None:
    """The text if every line of it is in one encoding."""
    if encoding == GB18030 and any(map(is_chinese_utf8, content.split(b"\n"))):
        return None
    return decoded(content, encoding)


def _cells(cells: list[str], encoding: str) -> list[str] | None:
    """Cells that were split as bytes, decoded; None if they are in another encoding."""
    raw = [each.encode("latin-1") for each in cells]
    joined = b"\n".join(raw)
    if encoding == GB18030 and is_chinese_utf8(joined):
        return None
    text = decoded(joined, encoding)
    return None if text is None else [each.decode(encoding) for each in raw]


def _parsed(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if reader.line_num > ROWS_MAX:
                raise FileFault(f"has more than {ROWS_MAX} lines", "import it in parts")
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise FileFault(f"is not CSV at line {reader.line_num} ({error})") from None
