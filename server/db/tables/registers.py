"""Registers: what was taken out of the registry, by whom and what for; never the content."""

from sqlalchemy import Index

from server.db.tables.columns import StoredRow, big, check, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source


class HouseholdRegister(StoredRow, table=True):
    """One register; `columns` is a JSON list, `rows` how many there were when it was made."""

    __tablename__ = "household_register"
    __held__ = held(
        "id purpose columns area_id rows made_ms expires_ms",
        Purpose.ACCOUNTABILITY,
        p1="account_id",
        retention=Retention.EXPIRY,
        source=Source.OFFICE,
    )
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "expires_ms"),
        one_of("purpose", "visits", "registry", "service"),
        check("expires", "expires_ms > made_ms"),
    )

    id: str = ident(key=True)
    account_id: str = ident()
    purpose: str = string()
    columns: str = string()
    area_id: str | None = ident(null=True)
    rows: int = big()
    made_ms: int = big()
    expires_ms: int = big()
