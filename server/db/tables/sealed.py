"""Sealed identity numbers, which keys they need, and who looked at them. No key is in here."""

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy import text as sql

from server.db.tables.columns import StoredRow, big, check, flag, ident, octets, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source

_LIVE = sql("doomed_ms IS NULL")
_DOOMED = sql("doomed_ms IS NOT NULL")
_SEALS = sql("seals")


class DistrictKeyRow(StoredRow, table=True):
    """A district key that is in use: its name and a check value that opens nothing.

    One of them `seals`: it wraps new data keys and makes new indexes.
    """

    __tablename__ = "district_key"
    __held__ = held("id check_value seals noted_ms", Purpose.ACCESS, retention=Retention.STORE)
    __table_args__ = (
        Index(
            "uq_district_key_seals",
            "seals",
            unique=True,
            postgresql_where=_SEALS,
            sqlite_where=_SEALS,
        ),
    )

    id: str = string(key=True)
    check_value: bytes = octets()
    seals: bool = flag()
    noted_ms: int = big()


class DataKeyRow(StoredRow, table=True):
    """That a household has a data key in the vault; `doomed_ms`: since when it has to go.

    A doomed key seals nothing any more. It is destroyed once nothing needs it.
    """

    __tablename__ = "data_key"
    __held__ = held(
        "id household_id made_ms doomed_ms", Purpose.ACCESS, retention=Retention.MAINTAINED
    )
    __table_args__ = (
        Index(
            "uq_data_key_live",
            "household_id",
            unique=True,
            postgresql_where=_LIVE,
            sqlite_where=_LIVE,
        ),
        Index(
            "ix_data_key_doomed", "doomed_ms", postgresql_where=_DOOMED, sqlite_where=_DOOMED
        ),
    )

    id: str = ident(key=True)
    household_id: str = ident()
    made_ms: int = big()
    doomed_ms: int | None = big(null=True)


class ResidentIdentifier(StoredRow, table=True):
    """One identity number of a resident, sealed, with the purpose it is kept for.

    `blind_index` finds equal numbers of one kind and is made by the district key `index_key`.
    """

    __tablename__ = "resident_identifier"
    __held__ = held(
        "resident_id index_key data_key purpose expires_ms set_ms",
        Purpose.SERVICE,
        p1="kind set_by",
        p2="sealed blind_index",
        retention=Retention.MAINTAINED,
        source=Source.OFFICE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["data_key"], ["data_key.id"]),
        Index(None, "blind_index"),
        Index(None, "data_key"),
        Index(None, "index_key"),
        Index(None, "expires_ms"),
        one_of("kind", "id_card", "passport", "permit"),
        check("expires", "expires_ms > set_ms"),
    )

    resident_id: str = ident(key=True)
    kind: str = string(key=True)
    sealed: bytes = octets()
    blind_index: bytes = octets()
    index_key: str = string()
    data_key: str = ident()
    purpose: str = string()
    expires_ms: int = big()
    set_ms: int = big()
    set_by: str = ident()
