"""What the two ends of `POST /v1/sync` say to each other, as frozen values (section 3).

`sync.wire` writes them as JSON and reads them back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sync.canonical import EMPTY_DIGEST
from sync.mutation import ClockReading, Malformed, Mutation
from sync.outcome import Outcome

PROTOCOL = 1
MUTATIONS_MAX = 200
BUCKETS_MAX = 224
AREAS_MAX = 24  # that announce something
GRIDS_MAX = BUCKETS_MAX - AREAS_MAX - 2  # beside `config` and the worker's own bucket
REQUEST_BYTES_MAX = 1_048_576
TAKES_MAX = 10


class Take(StrEnum):
    """What a device can take instead of pages from the start (section 6).

    MANIFEST: a bucket it holds is to be compared, not sent again. SNAPSHOT: a bucket it holds
    nothing of may be offered as one file.
    """

    MANIFEST = "manifest"
    SNAPSHOT = "snapshot"


class Why(StrEnum):
    """Why a record left a bucket."""

    MOVED = "moved"
    ARCHIVED = "archived"
    ERASED = "erased"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketCursor:
    """How far a device has followed a bucket, and the digest of what it stores of it.

    A device that holds nothing of the bucket yet says epoch 0, seq 0 and the empty digest.
    """

    id: str
    epoch: int = 0
    seq: int = 0
    digest: str = EMPTY_DIGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """One request: what the device did since, and how far it has followed each bucket.

    `app_schema` is the version of the record schema that the app writes; each mutation names
    its own. `last_n` is the highest n ever allocated on the device, `max_bytes` the size of
    reply it can take now (None: the server's choice), `takes` words of `Take`, and ones of
    newer phones.
    """

    app_version: str
    app_schema: int
    clock: ClockReading
    last_n: int
    mutations: tuple[Mutation | Malformed, ...] = ()
    buckets: tuple[BucketCursor, ...] = ()
    lease: str | None = None
    max_bytes: int | None = None
    takes: tuple[str, ...] = ()
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOutcome:
    """What became of one mutation of the request; one that is not listed was `applied`.

    `became` is, for one that waited and is sent again, what a person made of it since: an
    outcome, or `refused`. `record` is the one it had its effect on, which is not the one it
    named when that had been merged; `rev` is of the same.
    """

    n: int
    outcome: Outcome
    record: str | None = None
    rev: int | None = None
    code: str | None = None
    detail: str | None = None
    replayed: bool = False
    became: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A record as a phone may hold it. `hash` is over the canonical JSON of the rest."""

    record: str
    kind: str
    rev: int
    hash: str
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A record that left the bucket; `to` is the bucket it moved to.

    `merged_into` is the record that stands for it, when it left because the two are one.
    """

    record: str
    why: str
    to: str | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The snapshot of a bucket that a device may fetch instead of pages from the start."""

    epoch: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPage:
    """What happened in one bucket after `from_seq`, up to `seq`.

    `digest` and `count` are of the whole bucket in the snapshot the reply was read from, so
    they can be compared once `more` is false. `reset` says that the device must start again:
    whatever it holds of the bucket and does not see again before `more` is false is not in it.
    `snapshot` is only on a page without items that starts a bucket.
    """

    id: str
    epoch: int
    from_seq: int
    seq: int
    digest: str
    count: int
    put: tuple[Item, ...] = ()
    gone: tuple[Gone, ...] = ()
    reset: bool = False
    more: bool = False
    snapshot: Offer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """A `BucketPage` whose items are already encoded, as the server stores them."""

    id: str
    epoch: int
    from_seq: int
    seq: int
    digest: str
    count: int
    items: Sequence[bytes] = ()
    gone: Sequence[Gone] = ()
    reset: bool = False
    more: bool = False
    snapshot: Offer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may carry."""

    mutations: int = MUTATIONS_MAX
    bytes: int = REQUEST_BYTES_MAX
    buckets: int = BUCKETS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRange:
    """Which versions of the record schema the server reads, both included."""

    least: int
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReply:
    """One reply: what became of the mutations, and what changed in the device's buckets.

    `purge_after_s` is how long after this reply the device may keep what it holds if it hears
    nothing more; None is for ever. `schema` is there when the app of the request has another
    version than the server's newest.
    """

    server_time_ms: int
    incarnation: str
    lease: str
    settled_through: int
    outcomes: tuple[WireOutcome, ...] = ()
    enter: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    buckets: tuple[BucketPage, ...] = ()
    media_wanted: tuple[str, ...] = ()
    next_sync_s: int = 900
    limits: Limits = field(default_factory=Limits)
    schema: SchemaRange | None = None
    purge_after_s: int | None = None
