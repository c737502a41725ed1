"""Derive everything that is derived once more, and compare it with what is stored.

A record's body, its hash, its projection and its bucket's digest all follow from
`record.truth`; its seq is one that its bucket has given out. A difference means a bug or a hand
in the database; `jingwei doctor --reproject` lists them and `--rebuild` removes them.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from server.replication import queries, rebuild_queries
from server.replication.differences import Difference
from server.replication.examining import CHUNK_ROWS, examine
from server.replication.projections import PROJECTIONS


def compare(db: Connection) -> Iterator[Difference]:
    """Yield every difference, bucket by bucket, and then typed rows that belong to no record.

    Reads the whole store once.
    """
    for bucket in rebuild_queries.all_buckets(db):
        head = queries.bucket_heads(db, [bucket]).get(bucket)
        yield from examine(db, bucket, head).differences()
    yield from without_record(db)


def without_record(db: Connection) -> Iterator[Difference]:
    """Yield every typed row that belongs to no record of its kind, by kind and id."""
    for kind, (table, _) in PROJECTIONS.items():
        for ids in rebuild_queries.typed_rows_without_record(
            db, table, kind, chunk_rows=CHUNK_ROWS
        ):
            for each in ids:
                yield Difference(record=each, kind=kind, what="projection without record")
