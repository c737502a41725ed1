"""The documentation pages and the pieces of them that tests execute or compare."""

import re
from dataclasses import dataclass

from tests.style.sources import ROOT, tracked_files

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str


def pages() -> list[str]:
    """Paths of every Markdown page, in order."""
    return [path for path in tracked_files() if path.endswith(".md")]


def read(path: str) -> str:
    """The text of one page."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path: str, language: str) -> list[Block]:
    """The fenced blocks of one page in one language, in order."""
    text = read(path)
    return [
        Block(path, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in FENCE.finditer(text)
        if found[1] == language
    ]


def prose(path: str) -> str:
    """A page without its fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", read(path)))


def anchors(path: str) -> set[str]:
    """The link targets that the headings of a page make."""
    text = FENCE.sub("", read(path))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in headings
    }
