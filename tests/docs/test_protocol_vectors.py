"""The vectors and tables of the protocol's pages are what the code does."""

import json
import re

import pytest

from sync.canonical import canonical
from sync.outcome import Code, Outcome
from sync.replica import held_from
from sync.wire import decode_reply, decode_request
from tests.docs.pages import blocks, read
from tests.style.sources import ROOT
from tools.vectors import VECTORS, page_texts, vector_text
from tools.vectors_tables import MARKED, TABLES

# Answered only when the server itself is at fault or so busy that it takes less, in a story of
# more than a hundred mutations, of versions that have not become too old yet, or about a map.
NOT_IN_A_STORY = {
    Code.SERVER_FAULT,
    Code.BATCH_LIMIT,
    Code.GROUP_TOO_LARGE,
    Code.OLDER_SCHEMA,
    Code.DOUBTFUL_DATUM,
}


@pytest.mark.parametrize("path", VECTORS)
def test_vectors_are_fresh(path: str) -> None:
    assert read(path) == vector_text(path), "run `make openapi`"


def test_tables_of_the_pages_are_fresh() -> None:
    stale = [path for path, text in page_texts().items() if read(path) != text]
    assert stale == [], "run `make openapi`"


def test_every_table_is_on_a_page() -> None:
    pages = "".join(page_texts().values())
    assert {found["name"] for found in MARKED.finditer(pages)} == set(TABLES)


def test_every_merge_story_is_told() -> None:
    told = {found["about"] for found in MARKED.finditer(read("docs/protocol/04-merge.md"))}
    cases = json.loads(read("docs/protocol/vectors/merge.json"))["cases"]
    assert {each["name"] for each in cases} == told


def test_every_code_and_outcome_happens_in_a_story() -> None:
    stories = json.loads(read("docs/protocol/vectors/outcomes.json"))["stories"]
    answers = [
        answer for story in stories for call in story["calls"] for answer in call["answers"]
    ]
    assert {each["outcome"] for each in answers} == set(Outcome)
    assert {each["code"] for each in answers if "code" in each} == set(Code) - NOT_IN_A_STORY


def test_the_page_of_outcomes_gives_each_code_its_outcomes() -> None:
    """A code of a story stands on the page beside the outcome that it came with."""
    page = read("docs/protocol/03-outcomes.md")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", page, re.MULTILINE))
    stories = json.loads(read("docs/protocol/vectors/outcomes.json"))["stories"]
    wrong = {
        (answer["code"], answer["outcome"])
        for story in stories
        for call in story["calls"]
        for answer in call["answers"]
        if "code" in answer and answer["outcome"] not in rows[answer["code"]].split(", ")
    }
    assert wrong == set()


def test_canonical_text_is_what_the_record_of_the_reply_hashes_to() -> None:
    """The item shown on the page of the call has the hash that a client must find."""
    _, reply = (
        json.loads(block.text) for block in blocks("docs/protocol/02-the-call.md", "json")
    )
    items = [(item, page.id) for page in decode_reply(reply).buckets for item in page.put]
    assert items
    assert all(held_from(item, bucket) is not None for item, bucket in items)


def test_mutations_of_the_pages_are_read_whole() -> None:
    request, _ = (
        json.loads(block.text) for block in blocks("docs/protocol/02-the-call.md", "json")
    )
    read_back = decode_request(request)
    assert [each.body for each in read_back.mutations] == [
        canonical(each) for each in request["mutations"]
    ]


def test_every_vector_file_is_named_on_its_page() -> None:
    page = read("docs/protocol/11-vectors.md")
    files = sorted(each.name for each in (ROOT / "docs/protocol/vectors").iterdir())
    assert files == sorted(path.rsplit("/", 1)[1] for path in VECTORS)
    assert [name for name in files if f"(vectors/{name})" not in page] == []
