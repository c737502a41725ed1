"""Vectors of two records that are one: a field of each, before and after the merge."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sync.carrying import carried_cells
from sync.kinds import KINDS
from sync.merge import RULES, Stamp, accept, contested_values, shown
from sync.record import Cell, Head, Record
from sync.state import rules_of

KIND: Final = "household"
GONE, STANDS = "merged", "survivor"


@dataclass(frozen=True, kw_only=True)
class Word:
    """What one device says of one of the two records, or (no `device`) that they are merged."""

    of: str = GONE
    device: str = ""
    base: int = 1
    value: Any = None
    at_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What is said of a field of two records that turn out to be one."""

    name: str
    lesson: str
    field: str
    words: tuple[Word, ...]


_MERGE = Word()
_BOTH = (
    Word(of=GONE, device="anna", value="1", at_ms=10),
    Word(of=STANDS, device="bo", value="2", at_ms=20),
)
_EDIT = Word(of=GONE, device="anna", base=2, value="3", at_ms=30)
TWINS: Final = (
    Twin(
        name="values-stand-side-by-side",
        lesson="Each record had its own value: a conflict, the later one is shown.",
        field="contact_phone",
        words=(*_BOTH, _MERGE),
    ),
    Twin(
        name="what-only-one-has-comes",
        lesson="The survivor had no value.",
        field="contact_phone",
        words=(_BOTH[0], _MERGE),
    ),
    Twin(
        name="heard-before-the-merge",
        lesson="Anna corrects her value of the merged record.",
        field="contact_phone",
        words=(*_BOTH, _EDIT, _MERGE),
    ),
    Twin(
        name="heard-after-the-merge",
        lesson="The same, heard later: the base is of the merged record, and what it replaces "
        "there goes here. The values that stand are the same.",
        field="contact_phone",
        words=(*_BOTH, _MERGE, _EDIT),
    ),
    Twin(
        name="the-merged-value-is-kept-like-any-other",
        lesson="Chen was shown the `2` of the survivor and replaces it. The `1`, which nobody "
        "has looked at, is kept.",
        field="contact_phone",
        words=(
            *_BOTH,
            _MERGE,
            Word(of=STANDS, device="chen", base=3, value="4", at_ms=5),
        ),
    ),
    Twin(
        name="own-value-of-the-other-record",
        lesson="Anna has not seen the survivor since. That she wrote the `1` herself does not "
        "count, because she wrote it about the other record: it stays.",
        field="contact_phone",
        words=(
            *_BOTH,
            _MERGE,
            Word(of=STANDS, device="anna", base=2, value="4", at_ms=40),
        ),
    ),
    Twin(
        name="reviewed-fields",
        lesson="The earliest stays shown until a person decides, of whichever record it was.",
        field="status",
        words=(
            Word(of=GONE, device="anna", value="vacant", at_ms=10),
            Word(of=STANDS, device="bo", value="moved_out", at_ms=20),
            _MERGE,
        ),
    ),
)


def merged_vectors() -> dict[str, Any]:
    """Return every story with what stands in both records after each step."""
    return {
        "about": "Both records are households at revision 1 whose field was never written. A "
        "step without `device` merges `merged` into `survivor`. A head that is `carried` came "
        "from the merged record.",
        "cases": [
            {
                "name": twin.name,
                "lesson": twin.lesson,
                "field": twin.field,
                "policy": KINDS[KIND].fields[twin.field].policy.value,
                "steps": list(_steps(twin)),
            }
            for twin in TWINS
        ],
    }


def _empty(record_id: str) -> Record:
    return Record(id=record_id, kind=KIND, bucket="", rev=1)


def _steps(twin: Twin) -> Iterator[dict[str, Any]]:
    gone, stands = _empty(GONE), _empty(STANDS)
    merged = False
    numbers: dict[str, int] = {}
    for word in twin.words:
        numbers[word.device] = n = numbers.get(word.device, 0) + 1
        if not word.device:
            merged = True
            stands = _with(stands, carried_cells(stands, {}, gone.fields))
            gone = _with(gone, {})
        elif word.of == STANDS:
            stands = _with(stands, _said(stands, twin.field, word, n))
        else:
            cells = _said(gone, twin.field, word, n)
            if merged:
                # Its own revision stays: nobody will see a later one.
                stands = _with(stands, carried_cells(stands, gone.fields, cells))
                gone = replace(gone, fields={**gone.fields, **cells})
            else:
                gone = _with(gone, cells)
        yield _step(twin.field, word, {GONE: gone, STANDS: stands})


def _said(record: Record, name: str, word: Word, n: int) -> dict[str, Cell]:
    stamp = Stamp(
        rev=record.rev + 1,
        base=word.base,
        device=word.device,
        n=n,
        at_ms=word.at_ms,
        console=False,
        decisive=False,
    )
    cell = accept(record.fields.get(name), word.value, stamp, rules_of(KIND)[name])
    return {} if cell is None else {name: cell}


def _with(record: Record, cells: Mapping[str, Cell]) -> Record:
    return replace(record, rev=record.rev + 1, fields={**record.fields, **cells})


def _step(name: str, word: Word, both: Mapping[str, Record]) -> dict[str, Any]:
    said = {"of": word.of, "device": word.device, "base": word.base}
    said |= {"value": word.value, "at_ms": word.at_ms}
    return {
        **(said if word.device else {}),
        **{key: _stands(name, record) for key, record in both.items()},
    }


def _stands(name: str, record: Record) -> dict[str, Any]:
    rule = RULES[KINDS[KIND].fields[name].policy]
    cell = record.fields.get(name, Cell())
    values = contested_values(cell, rule) if cell.heads else frozenset()
    return {
        "rev": record.rev,
        "shown": shown(cell, rule) if cell.heads else rule.blank,
        "heads": [_head(each) for each in cell.heads],
        "kept": [_head(each) for each in cell.kept],
        "conflict": sorted(values),
    }


def _head(head: Head) -> dict[str, Any]:
    return {"value": head.value, "rev": head.rev, "carried": head.carried}
