"""What jingwei does not store about people, read from the table of docs/privacy.md."""

from functools import cache

from tests.style.sources import ROOT, words

MARK = "<!-- refused:"


@cache
def refused_words() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Concept -> (words in Latin letters, words in Chinese)."""
    page = (ROOT / "docs/privacy.md").read_text(encoding="utf-8")
    rows = [line for line in page.split(MARK, 1)[1].splitlines() if line.startswith("| ")]
    table = {}
    for row in rows[1:]:
        concept, english, pinyin, chinese = (cell.strip() for cell in row.strip("|").split("|"))
        latin = tuple(f"{english}, {pinyin}".split(", "))
        table[concept] = (latin, tuple(chinese.split(", ")))
    return table


def refused_concept(name: str) -> str | None:
    """Return the refused concept a field, column, parameter or path names, or None."""
    phrase = f"_{'_'.join(words(name))}_"
    for concept, (latin, chinese) in refused_words().items():
        if any(f"_{word}_" in phrase for word in latin) or any(
            word in name for word in chinese
        ):
            return concept
    return None
