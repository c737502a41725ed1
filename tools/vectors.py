"""Write the test vectors of the protocol, and the tables of its pages, from the code.

`make openapi` runs it; `tests/docs` compares what is committed with what the code says now. A
vector holds JSON that any language reads: no fractions, times in milliseconds.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sync.canonical import canonical, digest_of, record_body, record_hash
from sync.clock import correct, offset_of
from sync.exchange import PROTOCOL
from sync.fields import INT_LIMIT
from sync.ids import derived_id
from sync.members import Members, number_fault
from sync.rfc3339 import format_wall, parse_wall
from sync.wire import decode_mutation
from sync.wire_mutation import clock_object, read_clock
from tools.vectors_merge import merge_vectors
from tools.vectors_merged import merged_vectors
from tools.vectors_outcomes import outcome_vectors
from tools.vectors_tables import filled_pages
from tools.vectors_town import clock_at, made_id

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "docs/protocol/vectors"
RECEIVED_MS = 1_795_392_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_VALUES: tuple[tuple[str, Any], ...] = (
    ("an empty object", {}),
    ("keys are sorted", {"b": 1, "a": 2, "B": 3, "aa": 4}),
    ("keys are sorted inside, arrays keep their order", {"z": [{"b": 1, "a": []}, 2, 1]}),
    ("words", {"t": True, "f": False, "n": None}),
    ("the largest and the smallest integer", [INT_LIMIT, -INT_LIMIT, 0]),
    ("short escapes", '"\\/\b\t\n\f\r'),
    ("other control characters", "\x00\x1f"),
    ("nothing else is escaped", "\x7f\u00e9\u2028\u7f51\u683c\U0001f600"),
    ("keys in the order of UTF-16 code units", {"\ufb33": 1, "\U0001f600": 2, "\u7f51": 3}),
)
_REFUSED = (
    ("a fraction", "0.5"),
    ("a fraction of nothing", "1.0"),
    ("an exponent", "1e3"),
    ("an integer beyond 2^53", "9007199254740993"),
    ("an integer below -2^53", "-9007199254740993"),
    ("half a surrogate pair", '"\\ud800"'),
)
_RECORDS: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    (
        "a household with an open conflict",
        "household",
        9,
        {
            "contact_phone": "555-0138",
            "dwelling": made_id(1),
            "grid": made_id(2),
            "languages": ["cmn", "yue"],
            "status": "vacant",
            "conflicts": ["status"],
        },
    ),
    (
        "a task with a status",
        "task",
        3,
        {
            "assignee": made_id(3),
            "epoch": 1,
            "grid": made_id(2),
            "status": "in_progress",
            "status_at_ms": RECEIVED_MS,
            "status_by": made_id(3),
            "title": "\u4e95\u76d6\u7f3a\u5931",
        },
    ),
    ("a note without a grid", "note", 1, {"text": "line one\nline two\ttabbed"}),
)
_PARTS: tuple[tuple[str | int, ...], ...] = (
    (made_id(6), "incident"),
    (made_id(21), 42, "claim"),
    ("ab", "c"),
    ("a", "bc"),
)


def canonical_vectors() -> dict[str, Any]:
    """Return values with their canonical text, what has none, and records with hashes."""
    return {
        "about": "RFC 8785 text of values, and the hash of a record: the first 32 hexadecimal "
        "digits of the SHA-256 of `body` in UTF-8. `derived_ids` are made from their parts.",
        "values": [
            {"name": name, "value": value, "canonical": canonical(value).decode()}
            for name, value in _VALUES
        ],
        "refused": [{"name": name, "json": text} for name, text in _REFUSED if _fails(text)],
        "records": [_record(at, each) for at, each in enumerate(_RECORDS, 10)],
        "mutations": [_mutation()],
        "derived_ids": [{"parts": list(each), "id": derived_id(*each)} for each in _PARTS],
    }


def _fails(text: str) -> bool:
    value = json.loads(text)
    try:
        canonical(value)
    except ValueError:
        return True
    return number_fault(value) is not None


def _record(at: int, each: tuple[str, str, int, dict[str, Any]]) -> dict[str, Any]:
    name, kind, rev, state = each
    body = record_body(made_id(at), kind, rev, state)
    return {
        "name": name,
        "record": made_id(at),
        "kind": kind,
        "rev": rev,
        "state": state,
        "body": body.decode(),
        "hash": record_hash(body),
    }


def _mutation() -> dict[str, Any]:
    value = {
        "n": 41,
        "record": made_id(10),
        "kind": "household",
        "base": 7,
        "clock": clock_at(RECEIVED_MS),
        "set": {"contact_phone": "555-0138"},
        "add": {"languages": ["yue"]},
    }
    body = decode_mutation(value).body
    return {"name": "what a phone stores and sends", "value": value, "body": body.decode()}


def digest_vectors() -> dict[str, Any]:
    """Return hashes with the digest of a bucket that holds records with them."""
    hashes = [str(each["hash"]) for each in canonical_vectors()["records"]]
    cases: tuple[tuple[str, list[str]], ...] = (
        ("an empty bucket", []),
        ("one record", hashes[:1]),
        ("two records", hashes[:2]),
        ("three records", hashes),
        ("three records in another order", hashes[::-1]),
        ("the second record left: its hash is put in once more", [*hashes, hashes[1]]),
    )
    return {
        "about": "XOR of the first 8 bytes of each hash, 16 hexadecimal digits.",
        "cases": [
            {"name": name, "hashes": given, "digest": digest_of(given)} for name, given in cases
        ],
    }


def _reading(ago_ms: int, *, wrong_ms: int = 0, boot: str = "boot-2") -> dict[str, Any]:
    """The clocks `ago_ms` before sending, with a wall clock that is wrong by `wrong_ms`."""
    up_since = RECEIVED_MS - (DAY_MS if boot == "boot-2" else 9 * DAY_MS)
    now_ms = RECEIVED_MS - ago_ms
    return {
        "wall": format_wall(now_ms + wrong_ms),
        "uptime_ms": now_ms - up_since,
        "boot": boot,
    }


def _times() -> Iterable[tuple[str, dict[str, Any] | None, dict[str, Any] | None, int]]:
    hour_ago = RECEIVED_MS - HOUR_MS
    yield "the office: its time is the server's", None, None, 0
    yield "same boot", _reading(20 * MINUTE_MS), _reading(0), hour_ago
    yield (
        "same boot, wall clock two hours fast: it does not matter",
        _reading(20 * MINUTE_MS, wrong_ms=2 * HOUR_MS),
        _reading(0),
        hour_ago,
    )
    yield (
        "the phone restarted, its wall clock is right",
        _reading(20 * MINUTE_MS, boot="boot-1"),
        _reading(0),
        hour_ago,
    )
    yield (
        "the phone restarted, its wall clock is two hours fast at both ends",
        _reading(20 * MINUTE_MS, wrong_ms=2 * HOUR_MS, boot="boot-1"),
        _reading(0, wrong_ms=2 * HOUR_MS),
        hour_ago,
    )
    yield (
        "the phone restarted and its wall clock fell to 1970 in between",
        _reading(20 * MINUTE_MS, boot="boot-1"),
        _reading(0, wrong_ms=-RECEIVED_MS),
        hour_ago,
    )
    yield "before the floor", _reading(3 * HOUR_MS), _reading(0), hour_ago
    yield (
        "uptime later than at sending is not believed; the wall clock is used",
        _reading(-5 * MINUTE_MS),
        _reading(0),
        hour_ago,
    )


def time_vectors() -> dict[str, Any]:
    """Return readings with the corrected time, and texts with the milliseconds they mean."""
    return {
        "about": "`clock` is read at the act, `send` just before sending. `floor_ms` is the "
        "earliest possible time.",
        "cases": [_time(*each) for each in _times()],
        "wall": [
            {"text": text, "ms": parse_wall(text)}
            for text in (
                "1970-01-01T00:00:00Z",
                "2026-11-23T08:00:00.000+08:00",
                "2026-11-23t00:00:00.1z",
                "2026-11-23T00:00:00.123999Z",
                "2026-11-22T18:30:00-05:30",
                "2026-12-31T23:59:60Z",
            )
        ],
        "refused_wall": [
            "2026-11-23T08:00:00",
            "2026-11-23 08:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-23T24:00:00Z",
        ],
    }


def _time(
    name: str, clock: dict[str, Any] | None, send: dict[str, Any] | None, floor_ms: int
) -> dict[str, Any]:
    reading = None if clock is None else read_clock(Members(clock))
    sent = None if send is None else read_clock(Members(send))
    offset_ms = None if sent is None else offset_of(sent, RECEIVED_MS)
    found = correct(
        reading, sent, received_ms=RECEIVED_MS, offset_ms=offset_ms, floor_ms=floor_ms
    )
    return {
        "name": name,
        "clock": None if reading is None else clock_object(reading),
        "send": None if sent is None else clock_object(sent),
        "received_ms": RECEIVED_MS,
        "floor_ms": floor_ms,
        "at_ms": found.at_ms,
        "quality": found.quality.value,
    }


VECTORS: Mapping[str, Callable[[], dict[str, Any]]] = MappingProxyType(
    {
        f"{FOLDER}/canonical.json": canonical_vectors,
        f"{FOLDER}/digest.json": digest_vectors,
        f"{FOLDER}/time.json": time_vectors,
        f"{FOLDER}/merge.json": merge_vectors,
        f"{FOLDER}/merged.json": merged_vectors,
        f"{FOLDER}/outcomes.json": outcome_vectors,
    }
)


def vector_text(path: str) -> str:
    """Return what the file of vectors at `path` must hold."""
    made = {"protocol": PROTOCOL, **VECTORS[path]()}
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def page_texts() -> dict[str, str]:
    """Return every page of the protocol that has tables made from the code, as it must be."""
    found = {name: make() for name, make in VECTORS.items()}
    vectors = {Path(name).stem: each for name, each in found.items()}
    pages = sorted((ROOT / "docs/protocol").glob("*.md"))
    texts = {
        each.relative_to(ROOT).as_posix(): each.read_text(encoding="utf-8") for each in pages
    }
    return filled_pages(texts, vectors)


def main() -> None:
    """Write every file of vectors and fill the tables of the pages."""
    (ROOT / FOLDER).mkdir(exist_ok=True)
    for path in VECTORS:
        (ROOT / path).write_text(vector_text(path), encoding="utf-8")
    for path, text in page_texts().items():
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
