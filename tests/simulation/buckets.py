"""The feeds of the model server."""

from dataclasses import dataclass, field

from sync.canonical import digest_of, feed_item


@dataclass
class Row:
    """One record in a bucket's feed."""

    seq: int
    hash: str
    body: bytes


@dataclass
class Bucket:
    """One feed. `exits` is record to (seq, the bucket it went to or the record it became)."""

    seq: int = 0
    rows: dict[str, Row] = field(default_factory=dict)
    exits: dict[str, tuple[int, str]] = field(default_factory=dict)

    def digest(self) -> str:
        return digest_of(row.hash for row in self.rows.values())


def items_after(bucket: Bucket, start: int, room: int) -> tuple[list[bytes], int]:
    items: list[bytes] = []
    reached = start
    if room <= 0:
        return items, reached
    for row in sorted(bucket.rows.values(), key=lambda each: each.seq):
        if row.seq <= start:
            continue
        item = feed_item(row.body, row.hash)
        if items and len(item) > room:
            return items, reached
        room -= len(item)
        items.append(item)
        reached = row.seq
    return items, bucket.seq
