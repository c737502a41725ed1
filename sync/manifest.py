"""Comparing a bucket by its ids and hashes, so that only what differs is fetched (section 6).

A bucket is compared in 256 parts: a record belongs to the part named by the last two digits of
its id, which are random in every id that is made. The digest of a part is the bucket's rule for
that part alone, and all of them together give the bucket's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.canonical import EMPTY_DIGEST
from sync.errors import ProtocolError
from sync.exchange import Item
from sync.members import Members
from sync.wire import BUCKET_ID_CHARS_MAX, read_item

PARTS = 256
_DIGITS = 16
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketState:
    """Where a bucket stood when it was listed, with the digests of its parts, in order."""

    epoch: int
    seq: int
    digest: str
    count: int
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a replica must `drop` and `fetch` to hold what was listed, each sorted."""

    drop: tuple[str, ...]
    fetch: tuple[str, ...]


def part_of(record: str) -> str:
    """Return the part a record belongs to: two hexadecimal digits."""
    return record[-2:]


def part_digests(hashes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the digest of each part, in order of the parts, from pairs of id and hash.

    Raises:
        ValueError: if an id does not end in two hexadecimal digits.
    """
    totals = [0] * PARTS
    for record, each in hashes:
        totals[int(part_of(record), 16)] ^= int(each[:_DIGITS], 16)
    return tuple(f"{total:016x}" if total else EMPTY_DIGEST for total in totals)


def differing_parts(mine: Sequence[str], theirs: Sequence[str]) -> tuple[str, ...]:
    """Return the parts whose digests differ, in order."""
    return tuple(
        f"{number:02x}"
        for number, (one, other) in enumerate(zip(mine, theirs, strict=True))
        if one != other
    )


def difference(held: Mapping[str, str], listed: Mapping[str, str]) -> Difference:
    """Compare id to hash as held with id to hash as listed, of the same parts."""
    return Difference(
        drop=tuple(sorted(held.keys() - listed.keys())),
        fetch=tuple(
            sorted(record for record, each in listed.items() if held.get(record) != each)
        ),
    )


def read_parts(value: Any) -> BucketState:
    """Return the answer of `GET /v1/sync/manifests/{bucket}/parts`.

    Raises:
        ProtocolError: if it is of another form.
    """
    members = Members(value)
    parts = members.texts("parts", max_chars=_DIGITS)
    if len(parts) != PARTS:
        raise ProtocolError(members.at("parts"), f"must have {PARTS} items")
    return BucketState(
        epoch=members.integer("epoch", low=1),
        seq=members.integer("seq"),
        digest=members.text("digest", max_chars=_DIGITS, min_chars=_DIGITS),
        count=members.integer("count"),
        parts=parts,
    )


def read_manifest(value: Any) -> dict[str, str]:
    """Return id to hash from the answer of `GET /v1/sync/manifests/{bucket}`.

    Raises:
        ProtocolError: if it is of another form.
    """
    listed = {}
    for at, pair in enumerate(Members(value).array("records")):
        named = zip(("id", "hash"), pair if isinstance(pair, list) else (), strict=False)
        members = Members(dict(named), f"/records/{at}")
        record = members.matching("id", _ID, "must be a UUID in lower case")
        listed[record] = members.text("hash", max_chars=BUCKET_ID_CHARS_MAX)
    return listed


def read_records(value: Any) -> tuple[Item, ...]:
    """Return the items in the answer of `POST /v1/sync/records`.

    Raises:
        ProtocolError: if it is of another form.
    """
    return tuple(
        read_item(Members(each, f"/records/{at}"))
        for at, each in enumerate(Members(value).array("records"))
    )
