"""Pages that speak about the code say what the code says."""

import json
import re

import pytest

from sync.exchange import SyncReply
from sync.outcome import Code, Outcome
from sync.refused import REFUSED
from sync.wire import decode_reply, decode_request
from tests.docs.pages import blocks, read
from tests.style.sources import PRODUCT, ROOT, modules
from tools.reference import PAGES


@pytest.mark.parametrize("path", PAGES)
def test_generated_pages_are_fresh(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path](), "run `make openapi`"


def test_every_outcome_and_code_is_explained() -> None:
    page = read("docs/protocol/03-outcomes.md")
    missing = [word for word in (*Outcome, *Code) if f"| `{word}` |" not in page]
    assert missing == []


def test_the_request_of_the_protocol_pages_is_one_the_server_reads() -> None:
    request, _ = (
        json.loads(block.text) for block in blocks("docs/protocol/02-the-call.md", "json")
    )
    assert len(decode_request(request).mutations) == 2


def test_the_reply_of_the_protocol_pages_is_one_the_phone_reads() -> None:
    _, reply = (
        json.loads(block.text) for block in blocks("docs/protocol/02-the-call.md", "json")
    )
    assert isinstance(decode_reply(reply), SyncReply)


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    numbered = {path.name for path in folder.glob("0*.md")}
    listed = {name for name in numbered if f"({name})" in read("docs/decisions/README.md")}
    assert listed == numbered


def test_the_glossary_names_what_is_in_the_code() -> None:
    today = read("docs/glossary.md").split("<!-- glossary:", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[2] for line in today.splitlines() if line.startswith("| ")][1:]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    sources = " ".join(module.text for module in modules(*PRODUCT))
    assert names
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", sources)] == []


def test_the_page_shows_what_is_refused() -> None:
    table = read("docs/privacy.md").split("<!-- refused:", 1)[1].split("\n\n", 2)[1]
    shown = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in table.splitlines()[2:]
    ]
    assert shown == [
        (
            each.concept,
            *(", ".join(words) for words in (each.english, each.pinyin, each.chinese)),
        )
        for each in REFUSED
    ]
