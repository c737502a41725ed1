"""A whole bucket as one immutable value, for the first sync (section 6).

It is JSON: `{"id", "epoch", "seq", "digest", "count", "records": [body, …]}`. The bodies carry
no hash, because hashes do not pack: a phone computes them from the bodies, as it does anyway,
and the digest says whether all of them are right.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sync.canonical import digest_of, record_body, record_hash
from sync.errors import ProtocolError
from sync.exchange import BucketPage
from sync.fields import INT_LIMIT
from sync.members import Members
from sync.replica import Followed, Held, PageEffect
from sync.wire import BUCKET_ID_CHARS_MAX

SNAPSHOT_BYTES_MAX = 128 * 1024 * 1024
"""Unpacked; a phone refuses more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot as the one page it stands for, and what that page changes."""

    page: BucketPage
    effect: PageEffect


def assemble_snapshot(page: BucketPage, bodies: Iterable[bytes]) -> bytes:
    """Return the JSON of a snapshot; `page` says which bucket it is, at which seq."""
    head = {
        "id": page.id,
        "epoch": page.epoch,
        "seq": page.seq,
        "digest": page.digest,
        "count": page.count,
    }
    written = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return b'%s,"records":[%s]}' % (written[:-1], b",".join(bodies))


def read_snapshot(value: Any, bucket: str) -> Snapshot:
    """Return the snapshot of `bucket` in a parsed JSON value.

    Raises:
        ProtocolError: if it is of another form or bucket, or its bodies do not give its digest.
    """
    members = Members(value)
    page = BucketPage(
        id=members.text("id", max_chars=BUCKET_ID_CHARS_MAX),
        epoch=members.integer("epoch", low=1),
        from_seq=0,
        seq=members.integer("seq", low=1),
        digest=members.text("digest", max_chars=16),
        count=members.integer("count"),
        reset=True,
    )
    put = tuple(
        _held(Members(each, f"/records/{at}"), bucket)
        for at, each in enumerate(members.array("records"))
    )
    if page.id != bucket:
        raise ProtocolError("/id", "is not the bucket that was asked for")
    if digest_of(each.hash for each in put) != page.digest or len(put) != page.count:
        raise ProtocolError("/digest", "is not that of the records")
    effect = PageEffect(
        followed=Followed(id=bucket, epoch=page.epoch, seq=page.seq),
        restart=True,
        put=put,
        gone=(),
        damaged=(),
        finish=True,
    )
    return Snapshot(page=page, effect=effect)


def _held(members: Members, bucket: str) -> Held:
    record = members.text("record", max_chars=40)
    kind = members.text("kind", max_chars=40)
    rev = members.integer("rev", low=1, high=INT_LIMIT)
    try:
        body = record_body(record, kind, rev, members.object("state"))
    except ValueError as error:
        raise ProtocolError(members.at("state"), "has no canonical form") from error
    return Held(
        record=record, bucket=bucket, kind=kind, rev=rev, hash=record_hash(body), body=body
    )
