"""Who read outside their area in an emergency, why, until when, and what was thought of it."""

from sqlalchemy import Index
from sqlalchemy import text as sql

from server.db.tables.columns import StoredRow, big, check, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention

VERDICTS = ("justified", "unjustified")
_UNREVIEWED = sql("reviewed_ms IS NULL")


class BreakGlass(StoredRow, table=True):
    """One time somebody broke the glass for an area or one record, for three hours at most."""

    __tablename__ = "break_glass"
    __held__ = held(
        "id area_id record_id at_ms until_ms reviewed_ms verdict",
        Purpose.ACCOUNTABILITY,
        p1="account_id reason reviewed_by note",
        retention=Retention.MAINTAINED,
    )
    __table_args__ = (
        Index(None, "account_id", "until_ms"),
        Index(
            "ix_break_glass_unreviewed",
            "until_ms",
            postgresql_where=_UNREVIEWED,
            sqlite_where=_UNREVIEWED,
        ),
        check("named", "(area_id IS NULL) <> (record_id IS NULL)"),
        check("until", "at_ms < until_ms AND until_ms <= at_ms + 10800000"),
        check("reviewed", "(reviewed_ms IS NULL) = (reviewed_by IS NULL)"),
        check("other", "reviewed_by IS NULL OR reviewed_by <> account_id"),
        one_of("verdict", *VERDICTS),
    )

    id: str = ident(key=True)
    account_id: str = ident()
    area_id: str | None = ident(null=True)
    record_id: str | None = ident(null=True)
    reason: str = string()
    at_ms: int = big()
    until_ms: int = big()
    reviewed_ms: int | None = big(null=True)
    reviewed_by: str | None = ident(null=True)
    verdict: str | None = string(null=True)
    note: str | None = string(null=True)
