"""The replication log: mutations, records, the feed of each bucket, conflicts, counters."""

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql

from server.db.tables.columns import (
    StoredRow,
    big,
    check,
    ident,
    octets,
    one_of,
    row_number,
    string,
)
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source

OUTCOMES = (
    "applied",
    "merged",
    "unchanged",
    "conflict",
    "recorded",
    "held",
    "quarantined",
    "invalid",
)
REASONS = ("person_asked", "no_longer_needed", "entered_wrongly", "law")
_OPEN = sql("status = 'open'")
FED_FOR_A_TIME = sql("seq > 0 AND kind IN ('announcement', 'incident', 'task', 'visit')")
"""Records on phones that leave by date. A question must say it in these words to be quick."""


class MutationRow(StoredRow, table=True):
    """One settled mutation, kept for ever: what was asked, when, and what became of it.

    `record_id` and `kind` are NULL when a malformed body did not name them readably. `pos` is
    given out under the locks of the touched buckets: of two mutations that could have met, the
    later one has the greater `pos`. `place` is where the position lay when it was judged
    (`sync.known.Located` as JSON). `ended_at` is the record it had its effect on, and `rev` is
    of, when the one it named had been merged into that.
    """

    __tablename__ = "mutation"
    __held__ = held(
        "pos device_id n record_id kind base at_ms quality received_ms place body_hash outcome "
        "code field rev ended_at",
        Purpose.ACCOUNTABILITY,
        Purpose.SYNC,
        p1="actor body",
        retention=Retention.LOG,
        source=Source.AUTHOR,
    )
    __table_args__ = (
        UniqueConstraint("device_id", "n"),
        Index(None, "record_id"),
        one_of("outcome", *OUTCOMES),
        one_of("quality", "exact", "estimated", "clamped"),
        check("n", "n >= 1"),
        check("base", "base >= 0"),
        check("rev", "rev >= 0"),
        {"sqlite_autoincrement": True},
    )

    pos: int = row_number("pos")
    device_id: str = ident()
    n: int = big()
    record_id: str | None = ident(null=True)
    kind: str | None = string(null=True)
    base: int = big()
    at_ms: int = big()
    quality: str = string()
    received_ms: int = big()
    actor: str | None = ident(null=True)
    place: str | None = string(null=True)
    body: bytes = octets()
    body_hash: str = string()
    outcome: str = string()
    code: str | None = string(null=True)
    field: str | None = string(null=True)
    rev: int = big()
    ended_at: str | None = ident(null=True)


class RecordRow(StoredRow, table=True):
    """The merged truth of one synced thing, and the exact bytes a phone may hold of it.

    `restricted` names the requests for which nobody may use it (`sync.restricting`).
    """

    __tablename__ = "record"
    __held__ = held(
        "id kind bucket area_no rev seq hash restricted",
        Purpose.SYNC,
        p1="truth body",
        retention=Retention.RECORD,
        source=Source.RULES,
    )
    __table_args__ = (
        Index(None, "bucket", "seq"),
        Index(
            "ix_record_fed_for_a_time",
            "kind",
            "bucket",
            "id",
            postgresql_where=FED_FOR_A_TIME,
            sqlite_where=FED_FOR_A_TIME,
        ),
        check("rev", "rev >= 0"),
        check("seq", "seq >= 0"),
    )

    id: str = ident(key=True)
    kind: str = string()
    bucket: str = string()
    area_no: int = big()
    rev: int = big()
    seq: int = big()
    truth: str = string()
    body: bytes = octets()
    hash: str = string()
    restricted: str | None = string(null=True)


class Bucket(StoredRow, table=True):
    """The head of one bucket's feed; its row lock orders all writers of the bucket.

    `epoch` is the one that a phone starts in now; seq has been counted without a break since
    `first_epoch`. What left at or before `tombstone_floor` is forgotten, see
    docs/decisions/0027-floors-and-epochs.md.
    """

    __tablename__ = "bucket"
    __held__ = held(
        "epoch seq digest count tombstone_floor first_epoch",
        Purpose.SYNC,
        p1="id",
        retention=Retention.STORE,
        source=Source.RULES,
    )
    __table_args__ = (
        check("epoch", "epoch >= 1"),
        check("seq", "seq >= 0 AND tombstone_floor >= 0 AND tombstone_floor <= seq"),
        check("count", "count >= 0"),
        check("digest", "length(digest) = 16"),
    )

    id: str = string(key=True)
    epoch: int = big()
    seq: int = big()
    digest: str = string()
    count: int = big()
    tombstone_floor: int = big()
    first_epoch: int = big()


class BucketExit(StoredRow, table=True):
    """A record that left a bucket: what its phones must drop, at which `seq`, and why.

    `merged_into` is the record that stood for it when it left because it was merged.
    """

    __tablename__ = "bucket_exit"
    __held__ = held(
        "record_id seq why left_ms merged_into",
        Purpose.SYNC,
        p1="bucket to_bucket",
        retention=Retention.MAINTAINED,
        source=Source.RULES,
    )
    __table_args__ = (
        Index(None, "bucket", "seq"),
        Index(None, "left_ms"),
        one_of("why", "moved", "archived", "erased", "hidden"),
        check("seq", "seq >= 1"),
    )

    bucket: str = string(key=True)
    record_id: str = ident(key=True)
    seq: int = big()
    why: str = string()
    to_bucket: str | None = string(null=True)
    left_ms: int = big()
    merged_into: str | None = ident(null=True)


class Alias(StoredRow, table=True):
    """A record that was merged, and the one that stands for it; chains are kept short.

    It follows from the record (`sync.state.merged_into`) and is here to be found by `into_id`.
    """

    __tablename__ = "alias"
    __held__ = held(
        "record_id kind into_id merged_ms",
        Purpose.SYNC,
        retention=Retention.RECORD,
        source=Source.OFFICE,
    )
    __table_args__ = (
        Index(None, "into_id"),
        check("into", "into_id <> record_id"),
        check("merged", "merged_ms >= 0"),
    )

    record_id: str = ident(key=True)
    kind: str = string()
    into_id: str = ident()
    merged_ms: int = big()


class Snapshot(StoredRow, table=True):
    """A whole bucket as it was at one seq, packed once and given out as it is."""

    __tablename__ = "snapshot"
    __held__ = held(
        "epoch seq coding etag size made_ms",
        Purpose.SYNC,
        p1="bucket body",
        retention=Retention.MAINTAINED,
        source=Source.RECORD,
    )
    __table_args__ = (
        Index(None, "made_ms"),
        one_of("coding", "gzip", "zstd"),
        check("seq", "epoch >= 1 AND seq >= 1"),
        check("size", "size >= 1"),
    )

    bucket: str = string(key=True)
    epoch: int = big(key=True)
    seq: int = big(key=True)
    coding: str = string(key=True)
    etag: str = string()
    size: int = big()
    made_ms: int = big()
    body: bytes = octets()


class Conflict(StoredRow, table=True):
    """Values of one field that no person has compared yet; at most one open per field.

    `owner` is the account that looks after it, `note` why it was settled as it was.
    """

    __tablename__ = "conflict"
    __held__ = held(
        "id record_id kind field area_no status opened_ms closed_ms",
        Purpose.ACCOUNTABILITY,
        p1="choices live closed_by chosen owner note",
        retention=Retention.SETTLED,
        source=Source.AUTHOR,
    )
    __table_args__ = (
        Index(
            "uq_conflict_open",
            "record_id",
            "field",
            unique=True,
            postgresql_where=_OPEN,
            sqlite_where=_OPEN,
        ),
        Index(None, "status", "area_no"),
        one_of("status", "open", "resolved", "settled"),
        check("closed", "(status = 'open') = (closed_ms IS NULL)"),
    )

    id: str = ident(key=True)
    record_id: str = ident()
    kind: str = string()
    field: str = string()
    area_no: int = big()
    choices: str = string()
    live: str = string()
    status: str = string()
    opened_ms: int = big()
    closed_ms: int | None = big(null=True)
    closed_by: str | None = ident(null=True)
    chosen: str | None = string(null=True)
    owner: str | None = ident(null=True)
    note: str | None = string(null=True)


class Erasure(StoredRow, table=True):
    """A record that was erased for good, so that it is erased again after a restore.

    `grid_id` is where it lived, None if in no grid. Nothing of the record itself is here.
    """

    __tablename__ = "erasure"
    __held__ = held(
        "record_id kind grid_id reason erased_ms",
        Purpose.ERASURE,
        retention=Retention.TOMBSTONE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        one_of("reason", *REASONS),
        check("erased", "erased_ms >= 0"),
    )

    record_id: str = ident(key=True)
    kind: str = string()
    grid_id: str | None = ident(null=True)
    reason: str = string()
    erased_ms: int = big()


class Counter(StoredRow, table=True):
    """A named number that only grows: case numbers, the version of the grid index."""

    __tablename__ = "counter"
    __held__ = held("name value", Purpose.SYNC, retention=Retention.REPLACED)

    name: str = string(key=True)
    value: int = big()
