"""Notices as they were published, and who was shown one or agreed to something: append-only."""

from sqlalchemy import ForeignKeyConstraint, Index

from server.db.tables.columns import StoredRow, big, check, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source


class Notice(StoredRow, table=True):
    """One version of what people are told about their data; never changed."""

    __tablename__ = "notice"
    __held__ = held(
        "version title text published_ms",
        Purpose.RIGHTS,
        p1="published_by",
        retention=Retention.STORE,
        source=Source.OFFICE,
    )

    version: str = string(key=True)
    title: str = string()
    text: str = string()
    published_ms: int = big()
    published_by: str = ident()


class ConsentEntry(StoredRow, table=True):
    """Somebody was shown a notice, agreed to something, or takes that back.

    `field` is an optional field of the record that the consent is about; None: the purpose as
    a whole.
    """

    __tablename__ = "consent_entry"
    __held__ = held(
        "id record_id about act purpose field notice how at_ms",
        Purpose.RIGHTS,
        Purpose.ACCOUNTABILITY,
        p1="account_id",
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["notice"], ["notice.version"]),
        Index(None, "record_id", "id"),
        Index(None, "act", "at_ms"),
        one_of("about", "household", "resident"),
        one_of("act", "shown", "given", "withdrawn"),
        one_of("purpose", "registry", "visits", "service"),
        one_of("how", "in_person", "on_paper", "by_phone", "online"),
        check("notice", "act = 'withdrawn' OR notice IS NOT NULL"),
        check("shown", "act <> 'shown' OR field IS NULL"),
    )

    id: str = ident(key=True)
    record_id: str = ident()
    about: str = string()
    act: str = string()
    purpose: str = string()
    field: str | None = string(null=True)
    notice: str | None = string(null=True)
    how: str = string()
    at_ms: int = big()
    account_id: str = ident()
