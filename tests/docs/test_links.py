"""Every link between pages leads somewhere, and every page can be reached."""

import posixpath
import re

import pytest

from tests.docs.pages import anchors, pages, prose
from tests.style.sources import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:")


def _targets(path: str) -> list[tuple[str, str]]:
    found = []
    for link in LINK.findall(prose(path)):
        if link.startswith(OUTSIDE):
            continue
        file, _, anchor = link.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        found.append((path if not file else target, anchor))
    return found


@pytest.mark.parametrize("path", pages())
def test_links_resolve(path: str) -> None:
    broken = [
        f"{target}#{anchor}"
        for target, anchor in _targets(path)
        if not (ROOT / target).exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or not page.endswith(".md"):
            continue
        seen.add(page)
        for target, _ in _targets(page):
            folder = ROOT / target
            waiting.append(f"{target}/README.md" if folder.is_dir() else target)
    assert [page for page in pages() if page.startswith("docs/") and page not in seen] == []
