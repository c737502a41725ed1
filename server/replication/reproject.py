"""Derive everything that is derived once more, and compare it with what is stored.

A record's body, its hash, its projection and its bucket's digest all follow from
`record.truth`.
A difference means a bug or a hand in the database; `jingwei doctor --reproject` lists them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from server.replication import queries
from server.replication.projections import PROJECTIONS, project
from server.replication.queries import DbRow
from sync.canonical import EMPTY_DIGEST, digest_toggle, record_body, record_hash
from sync.codec import decode_record
from sync.state import state_of

CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something stored that does not follow from the truth. Holds names, never values."""

    record: str
    kind: str
    what: str


def compare(db: Connection) -> Iterator[Difference]:
    """Yield every difference, records by id and then buckets; reads the whole store once."""
    digests: dict[str, tuple[str, int]] = {}
    for rows in queries.record_chunks(db, chunk_rows=CHUNK_ROWS):
        for row in rows:
            yield from _compare_record(row)
            digest, count = digests.get(row.bucket, (EMPTY_DIGEST, 0))
            digests[row.bucket] = (digest_toggle(digest, row.hash), count + 1)
        yield from _compare_projections(db, rows)
    for head in queries.all_bucket_heads(db):
        if digests.get(head.id, (EMPTY_DIGEST, 0)) != (head.digest, head.count):
            yield Difference(record=head.id, kind="bucket", what="digest")


def _compare_record(row: DbRow) -> Iterator[Difference]:
    record = decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
    body = record_body(row.id, row.kind, row.rev, state_of(record))
    if body != bytes(row.body):
        yield Difference(record=row.id, kind=row.kind, what="body")
    if record_hash(body) != row.hash:
        yield Difference(record=row.id, kind=row.kind, what="hash")


def _compare_projections(db: Connection, rows: list[DbRow]) -> Iterator[Difference]:
    by_kind: dict[str, list[DbRow]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    for kind, of_kind in by_kind.items():
        stored = {
            each["id"]: each
            for each in queries.projection_rows(
                db, PROJECTIONS[kind][0], [row.id for row in of_kind]
            )
        }
        for row in of_kind:
            record = decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
            wanted = project(kind, state_of(record)) | {"rev": row.rev, "area_no": row.area_no}
            found = stored.get(row.id)
            if found is None:
                yield Difference(record=row.id, kind=kind, what="projection missing")
                continue
            for name, value in wanted.items():
                if found[name] != value:
                    yield Difference(record=row.id, kind=kind, what=f"projection {name}")
