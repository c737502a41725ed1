"""What a phone last said of its replica: how far it follows each bucket, and its digest of it.

Kept as JSON text in the device's row, which every contact writes anyway.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from server.replication.queries import BucketHead
from sync.exchange import BucketCursor


class DigestState(StrEnum):
    """How a replica of one bucket compares with the server's.

    BEHIND: it follows, and there is news it has not had. DIFFERS: it says it has everything and
    holds something else. UNKNOWN: nobody can tell, for it follows another numbering or says a
    place that the feed has not reached.
    """

    EQUAL = "equal"
    BEHIND = "behind"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One bucket as a phone described it; `since_ms` is when it first said exactly this."""

    bucket: str
    epoch: int
    seq: int
    digest: str
    since_ms: int


def decode_said(text: str | None) -> tuple[Said, ...]:
    """Return what `encode_said` wrote, in its order; nothing for None.

    Raises:
        ValueError: if it was written by anything else.
    """
    return tuple(
        Said(bucket=bucket, epoch=epoch, seq=seq, digest=digest, since_ms=since_ms)
        for bucket, epoch, seq, digest, since_ms in json.loads(text or "[]")
    )


def encode_said(said: Iterable[Said]) -> str:
    """Return the JSON text of what a phone said."""
    rows = [[each.bucket, each.epoch, each.seq, each.digest, each.since_ms] for each in said]
    return json.dumps(rows, separators=(",", ":"))


def said_after(text: str | None, cursors: Iterable[BucketCursor], now_ms: int) -> str:
    """Return the text to keep after a contact that listed `cursors`.

    What is said again keeps its time, so a contact without news gives the same text.
    """
    before = {each.bucket: each for each in decode_said(text)}
    return encode_said(_aged(before.get(each.id), each, now_ms) for each in cursors)


def _aged(before: Said | None, cursor: BucketCursor, now_ms: int) -> Said:
    position = (cursor.epoch, cursor.seq, cursor.digest)
    if before is not None and (before.epoch, before.seq, before.digest) == position:
        return before
    return Said(
        bucket=cursor.id,
        epoch=cursor.epoch,
        seq=cursor.seq,
        digest=cursor.digest,
        since_ms=now_ms,
    )


def digest_state(said: Said, head: BucketHead) -> DigestState:
    """Compare what a phone said with the head of the bucket as it is now."""
    if said.epoch == 0:
        return DigestState.BEHIND
    counted_alike = head.first_epoch <= said.epoch <= head.epoch
    if not counted_alike or said.seq > head.seq:
        return DigestState.UNKNOWN
    if said.seq < head.seq:
        return DigestState.BEHIND
    return DigestState.EQUAL if said.digest == head.digest else DigestState.DIFFERS
