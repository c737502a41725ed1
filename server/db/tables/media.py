"""Photos and recordings: what was declared, what is being sent, what is stored, who has it."""

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy import text as sql

from server.db.tables.columns import StoredRow, big, check, flag, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source

_WAITING = sql("waiting")
_UNATTACHED = sql("NOT attached")
_TO_DROP = sql("drop_ms IS NOT NULL")


class MediaBlob(StoredRow, table=True):
    """The bytes of one content hash, or the reason why there are none.

    `hash` and `size` are those of the bytes the phone has, `served_hash` and `served_size` of
    what is kept and given out: the same picture without metadata, under the key `blob` of the
    media store. `attached` says that a record was seen to declare it, `drop_ms` since when it
    is to be dropped; while it is `dropping` nobody reads or restores it.
    """

    __tablename__ = "media"
    __held__ = held(
        "hash state code media_type size served_hash served_size blob attached stored_ms "
        "drop_ms",
        Purpose.CASEWORK,
        retention=Retention.RECORD,
    )
    __table_args__ = (
        Index(
            "ix_media_unattached",
            "stored_ms",
            postgresql_where=_UNATTACHED,
            sqlite_where=_UNATTACHED,
        ),
        Index("ix_media_to_drop", "drop_ms", postgresql_where=_TO_DROP, sqlite_where=_TO_DROP),
        one_of("state", "stored", "dropping", "refused", "erased"),
        check("served", "state <> 'stored' OR (blob IS NOT NULL AND served_hash IS NOT NULL)"),
    )

    hash: str = string(key=True)
    state: str = string()
    code: str | None = string(null=True)
    media_type: str | None = string(null=True)
    size: int = big()
    served_hash: str | None = string(null=True)
    served_size: int | None = big(null=True)
    blob: str | None = ident(null=True)
    attached: bool = flag()
    stored_ms: int = big()
    drop_ms: int | None = big(null=True)


class MediaCopy(StoredRow, table=True):
    """An account that showed that it has the bytes of a hash, by uploading them."""

    __tablename__ = "media_copy"
    __held__ = held(
        "hash uploaded_ms",
        Purpose.ACCESS,
        p1="account_id",
        retention=Retention.RECORD,
    )
    __table_args__ = (ForeignKeyConstraint(["account_id"], ["account.id"]),)

    hash: str = string(key=True)
    account_id: str = ident(key=True)
    uploaded_ms: int = big()


class MediaDeclaration(StoredRow, table=True):
    """A hash that a mutation of a device named for a record; `waiting` until bytes came."""

    __tablename__ = "media_declaration"
    __held__ = held(
        "hash record_id device_id declared_ms waiting",
        Purpose.CASEWORK,
        p1="account_id",
        retention=Retention.RECORD,
        source=Source.AUTHOR,
    )
    __table_args__ = (
        ForeignKeyConstraint(["device_id"], ["device.id"]),
        Index(
            "ix_media_declaration_waiting",
            "device_id",
            "declared_ms",
            postgresql_where=_WAITING,
            sqlite_where=_WAITING,
        ),
        Index(None, "record_id"),
    )

    hash: str = string(key=True)
    record_id: str = ident(key=True)
    device_id: str = ident(key=True)
    account_id: str = ident()
    declared_ms: int = big()
    waiting: bool = flag()


class MediaUpload(StoredRow, table=True):
    """One upload: who sends what. How far it came is the size of its file and nothing else."""

    __tablename__ = "media_upload"
    __held__ = held(
        "id hash device_id size media_type created_ms finished_ms",
        Purpose.SYNC,
        p1="account_id",
        retention=Retention.UPLOAD,
        source=Source.PHONE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["account.id"]),
        ForeignKeyConstraint(["device_id"], ["device.id"]),
        Index(None, "account_id", "created_ms"),
        Index(None, "created_ms"),
        Index(None, "hash"),
        check("size", "size >= 1"),
    )

    id: str = ident(key=True)
    hash: str = string()
    account_id: str = ident()
    device_id: str | None = ident(null=True)
    size: int = big()
    media_type: str = string()
    created_ms: int = big()
    finished_ms: int | None = big(null=True)
