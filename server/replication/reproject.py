"""Derive everything that is derived once more, and compare it with what is stored.

A record's body, its hash, its projection and its bucket's digest all follow from
`record.truth`.
A difference means a bug or a hand in the database; `jingwei doctor --reproject` lists them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.replication import feed_queries
from server.replication.projections import PROJECTIONS, project
from server.replication.queries import DbRow
from sync.canonical import EMPTY_DIGEST, digest_toggle, record_body, record_hash
from sync.codec import decode_record
from sync.state import is_archived, is_tombstone, state_of

CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something stored that does not follow from the truth. Holds names, never values."""

    record: str
    kind: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Derived:
    """What a stored row should have brought about."""

    row: DbRow
    body: bytes
    columns: Mapping[str, Any]


def compare(db: Connection) -> Iterator[Difference]:
    """Yield every difference, records by id and then buckets; reads the whole store once."""
    digests: dict[str, tuple[str, int]] = {}
    for rows in feed_queries.record_chunks(db, chunk_rows=CHUNK_ROWS):
        derived: list[_Derived] = []
        for row in rows:
            digest, count = digests.get(row.bucket, (EMPTY_DIGEST, 0))
            if row.seq > 0:
                digests[row.bucket] = (digest_toggle(digest, row.hash), count + 1)
            try:
                derived.append(_derive(row))
            except (AttributeError, LookupError, TypeError, ValueError):
                yield Difference(record=row.id, kind=row.kind, what="truth")
        for each in derived:
            yield from _compare_record(each)
        yield from _compare_projections(db, derived)
    for head in feed_queries.all_bucket_heads(db):
        if digests.get(head.id, (EMPTY_DIGEST, 0)) != (head.digest, head.count):
            yield Difference(record=head.id, kind="bucket", what="digest")


def _derive(row: DbRow) -> _Derived:
    record = decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
    state = state_of(record)
    return _Derived(
        row=row,
        body=record_body(row.id, row.kind, row.rev, state),
        columns={}
        if is_tombstone(record)
        else project(row.kind, state)
        | {"rev": row.rev, "area_no": row.area_no, "archived": is_archived(record)},
    )


def _compare_record(derived: _Derived) -> Iterator[Difference]:
    row = derived.row
    if derived.body != bytes(row.body):
        yield Difference(record=row.id, kind=row.kind, what="body")
    if record_hash(derived.body) != row.hash:
        yield Difference(record=row.id, kind=row.kind, what="hash")


def _compare_projections(db: Connection, derived: list[_Derived]) -> Iterator[Difference]:
    by_kind: dict[str, list[_Derived]] = {}
    for each in derived:
        by_kind.setdefault(each.row.kind, []).append(each)
    for kind, of_kind in by_kind.items():
        stored = {
            found["id"]: found
            for found in feed_queries.projection_rows(
                db, PROJECTIONS[kind][0], [each.row.id for each in of_kind]
            )
        }
        for each in of_kind:
            found = stored.get(each.row.id)
            for what in _wrong_columns(each.columns, found):
                yield Difference(record=each.row.id, kind=kind, what=f"projection {what}")


def _wrong_columns(
    expected: Mapping[str, Any], found: Mapping[Any, Any] | None
) -> Iterator[str]:
    """What is wrong with a typed row; of an erased record there must be none."""
    if found is None:
        if expected:
            yield "missing"
        return
    if not expected:
        yield "left over"
    for name, value in expected.items():
        if found[name] != value:
            yield name
