"""Who may do what where: accounts, tokens, devices, the area tree, assignments."""

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint

from server.db.tables.columns import StoredRow, big, check, flag, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source


class Incarnation(StoredRow, table=True):
    """One life of this store; the newest row counts. A restore from backup adds one."""

    __tablename__ = "incarnation"
    __held__ = held("id created_ms", Purpose.SYNC, retention=Retention.STORE)

    id: str = ident(key=True)
    created_ms: int = big()


class Area(StoredRow, table=True):
    """A node of the area tree. Its subtree is every area whose `lo` lies in `[lo, hi]`."""

    __tablename__ = "area"
    __held__ = held(
        "id code name level parent_id lo hi",
        Purpose.BOUNDARIES,
        retention=Retention.STORE,
        source=Source.OFFICE,
    )
    __table_args__ = (
        UniqueConstraint("code"),
        UniqueConstraint("lo"),
        ForeignKeyConstraint(["parent_id"], ["area.id"]),
        Index(None, "parent_id"),
        check("level", "level BETWEEN 1 AND 5"),
        check("interval", "lo <= hi"),
    )

    id: str = ident(key=True)
    code: str = string()
    name: str = string()
    level: int = big()
    parent_id: str | None = ident(null=True)
    lo: int = big()
    hi: int = big()


class Account(StoredRow, table=True):
    """A person or program that may sign in; `area_id` is the top of what it may see."""

    __tablename__ = "account"
    __held__ = held(
        "role area_id active created_ms",
        Purpose.ACCESS,
        Purpose.ACCOUNTABILITY,
        p1="id login",
        retention=Retention.ACCOUNT,
        source=Source.OFFICE,
    )
    __table_args__ = (
        UniqueConstraint("login"),
        ForeignKeyConstraint(["area_id"], ["area.id"]),
        one_of("role", "worker", "dispatcher", "analyst", "admin"),
    )

    id: str = ident(key=True)
    login: str = string()
    role: str = string()
    area_id: str | None = ident(null=True)
    active: bool = flag()
    created_ms: int = big()


class Device(StoredRow, table=True):
    """An enrolled phone, or the console (`console`) through which an account writes by API.

    Its mutations are settled without a gap up to `settled_through`; `last_n` is the highest n
    the phone ever allocated. `lease` is the token of its last reply. `lost_at_ms` is since when
    a revoked phone was not in its worker's hands. `said` is what it last said of its replica
    (`server.replication.said`), `invalid` how many of its mutations were.
    """

    __tablename__ = "device"
    __held__ = held(
        "id console status settled_through last_n last_at_ms offset_ms lease lease_previous "
        "app_version created_ms lost_at_ms invalid",
        Purpose.ACCESS,
        Purpose.SYNC,
        p1="account_id name last_contact_ms said",
        retention=Retention.ACCOUNT,
        source=Source.PHONE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["account.id"]),
        Index(None, "account_id"),
        one_of("status", "active", "revoked", "flagged"),
        check("settled", "settled_through >= 0 AND last_n >= 0"),
    )

    id: str = ident(key=True)
    account_id: str = ident()
    console: bool = flag()
    name: str = string()
    status: str = string()
    settled_through: int = big()
    last_n: int = big()
    last_at_ms: int = big()
    last_contact_ms: int | None = big(null=True)
    offset_ms: int | None = big(null=True)
    lease: str | None = string(null=True)
    lease_previous: str | None = string(null=True)
    app_version: str | None = string(null=True)
    created_ms: int = big()
    lost_at_ms: int | None = big(null=True)
    said: str | None = string(null=True)
    invalid: int = big()


class Token(StoredRow, table=True):
    """A bearer token, known only by the hexadecimal SHA-256 of its text."""

    __tablename__ = "token"
    __held__ = held(
        "hash device_id created_ms expires_ms revoked_ms",
        Purpose.ACCESS,
        p1="account_id",
        retention=Retention.ACCOUNT,
    )
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["account.id"]),
        ForeignKeyConstraint(["device_id"], ["device.id"]),
        Index(None, "account_id"),
        Index(None, "device_id"),
        check("hash", "length(hash) = 64"),
    )

    hash: str = string(key=True)
    account_id: str = ident()
    device_id: str | None = ident(null=True)
    created_ms: int = big()
    expires_ms: int | None = big(null=True)
    revoked_ms: int | None = big(null=True)


class Assignment(StoredRow, table=True):
    """An area held by an account for a time. Append-only: an end is set once, never moved."""

    __tablename__ = "assignment"
    __held__ = held(
        "id area_id valid_from_ms valid_to_ms",
        Purpose.ACCESS,
        Purpose.ACCOUNTABILITY,
        p1="account_id",
        retention=Retention.ACCOUNT,
        source=Source.OFFICE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["account.id"]),
        ForeignKeyConstraint(["area_id"], ["area.id"]),
        Index(None, "account_id", "valid_from_ms"),
        Index(None, "area_id"),
        check("valid", "valid_to_ms IS NULL OR valid_to_ms >= valid_from_ms"),
    )

    id: str = ident(key=True)
    account_id: str = ident()
    area_id: str = ident()
    valid_from_ms: int = big()
    valid_to_ms: int | None = big(null=True)
