"""Who read which personal data, when and what for: a chain that shows what was changed."""

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql

from server.db.tables.columns import StoredRow, big, check, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention

ACTS = ("list", "read", "history", "reveal", "search", "set", "remove")
_UNSEALED = sql("seq IS NULL")
_GRANTED = sql("grant_id IS NOT NULL")
_LOOKS = sql("act IN ('reveal', 'search')")


class AccessEntry(StoredRow, table=True):
    """One answer that held personal data: to whom, about which records (a JSON list of ids).

    `purpose` is what the reader stated. `fields` (a JSON list of names) and `reason` are said
    of looks at what is masked or sealed; what is done with identity numbers has the kind
    `identifier`. `grant_id` is the `BreakGlass` without which it would not have been given.
    `seq` and `hash` are given by the sealer, see
    docs/decisions/0060-one-sealer-and-an-anchor-outside.md.
    """

    __tablename__ = "access_entry"
    __held__ = held(
        "id at_ms act kind records purpose fields grant_id seq hash",
        Purpose.ACCOUNTABILITY,
        p1="account_id reason",
        retention=Retention.MAINTAINED,
    )
    __table_args__ = (
        UniqueConstraint("seq"),
        Index(None, "account_id"),
        Index(
            "ix_access_entry_unsealed",
            "id",
            postgresql_where=_UNSEALED,
            sqlite_where=_UNSEALED,
        ),
        Index(
            "ix_access_entry_looks",
            "account_id",
            "at_ms",
            postgresql_where=_LOOKS,
            sqlite_where=_LOOKS,
        ),
        Index(
            "ix_access_entry_granted",
            "grant_id",
            "id",
            postgresql_where=_GRANTED,
            sqlite_where=_GRANTED,
        ),
        one_of("act", *ACTS),
        check("sealed", "(seq IS NULL) = (hash IS NULL)"),
    )

    id: str = ident(key=True)
    at_ms: int = big()
    account_id: str = ident()
    act: str = string()
    kind: str = string()
    records: str = string()
    purpose: str | None = string(null=True)
    fields: str | None = string(null=True)
    reason: str | None = string(null=True)
    grant_id: str | None = ident(null=True)
    seq: int | None = big(null=True)
    hash: str | None = string(null=True)


class AccessRecord(StoredRow, table=True):
    """The way from a record to the entries about it; derived from `AccessEntry.records`."""

    __tablename__ = "access_record"
    __held__ = held(
        "record_id entry_id", Purpose.ACCOUNTABILITY, retention=Retention.MAINTAINED
    )
    __table_args__ = (Index(None, "entry_id"),)

    record_id: str = ident(key=True)
    entry_id: str = ident(key=True)


class AccessHead(StoredRow, table=True):
    """The end of the chain; its one row is there from the beginning, so that it can be locked.

    `base_seq` and `base_hash` are those of the last entry that retention removed.
    """

    __tablename__ = "access_head"
    __held__ = held(
        "name seq hash base_seq base_hash",
        Purpose.ACCOUNTABILITY,
        retention=Retention.STORE,
    )
    __table_args__ = (check("order", "0 <= base_seq AND base_seq <= seq"),)

    name: str = string(key=True)
    seq: int = big()
    hash: str = string()
    base_seq: int = big()
    base_hash: str = string()
