"""The pictures of ARCHITECTURE.md are the imports, not a wish."""

import re

from tests.docs.imports import package_arrows, room_arrows
from tests.docs.pages import blocks, read
from tests.style.sources import ROOT

ARROW = re.compile(r"^\s*(\w+)(?:\[[^\]]*\])? --> (.+)$", re.MULTILINE)


def _drawn(picture: int) -> set[tuple[str, str]]:
    text = blocks("ARCHITECTURE.md", "mermaid")[picture].text
    return {
        (start, end.split("[", 1)[0].strip())
        for start, ends in ARROW.findall(text)
        for end in ends.split(" & ")
    }


def test_the_picture_of_the_packages_is_the_imports() -> None:
    assert _drawn(0) == package_arrows()


def test_the_picture_of_the_server_is_the_imports() -> None:
    assert _drawn(1) == room_arrows()


def test_every_folder_has_its_paragraph() -> None:
    page = read("ARCHITECTURE.md")
    folders = [
        path.parent.relative_to(ROOT).as_posix()
        for package in ("clients", "conformance", "demo", "geo", "server", "sync")
        for path in (ROOT / package).glob("**/__init__.py")
    ]
    assert [folder for folder in folders if f"`{folder}/`" not in page] == []
