"""What waits for a person, and which workers may act on a phone beside its own."""

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy import text as sql

from server.db.tables.columns import StoredRow, big, check, ident, one_of, string
from server.db.tables.held import held
from sync.holding import Purpose, Retention, Source

_AWAITED = sql("status = 'open' AND awaits IS NOT NULL")


class HeldRow(StoredRow, table=True):
    """A mutation that had no effect when it was settled, until somebody rules on it.

    `device_id` and `n` name the mutation, whose body stays in the log. `code` says what stands
    in the way now, `rev` the record's revision when that was found and `base` the base that
    counts. `awaits` is a record that did not exist then. `area_no` is that of the record or of
    what it would belong to, else of its author. `version` rises with every change.
    """

    __tablename__ = "held"
    __held__ = held(
        "device_id n record_id kind area_no outcome code field base rev awaits at_ms held_ms "
        "status version decided_ms why became became_code",
        Purpose.ACCOUNTABILITY,
        Purpose.SYNC,
        p1="account_id actor decided_by note",
        retention=Retention.SETTLED,
    )
    __table_args__ = (
        ForeignKeyConstraint(["device_id"], ["device.id"]),
        Index(None, "status", "area_no"),
        Index(None, "record_id"),
        Index("ix_held_awaits", "awaits", postgresql_where=_AWAITED, sqlite_where=_AWAITED),
        one_of("status", "open", "released", "refused"),
        one_of("outcome", "held", "quarantined"),
        check("version", "version >= 1"),
        check("decided", "(status = 'open') = (decided_ms IS NULL)"),
    )

    device_id: str = ident(key=True)
    n: int = big(key=True)
    record_id: str | None = ident(null=True)
    kind: str | None = string(null=True)
    account_id: str = ident()
    actor: str | None = ident(null=True)
    area_no: int = big()
    outcome: str = string()
    code: str = string()
    field: str | None = string(null=True)
    base: int = big()
    rev: int = big()
    awaits: str | None = ident(null=True)
    at_ms: int = big()
    held_ms: int = big()
    status: str = string()
    version: int = big()
    decided_ms: int | None = big(null=True)
    decided_by: str | None = ident(null=True)
    why: str | None = string(null=True)
    note: str | None = string(null=True)
    became: str | None = string(null=True)
    became_code: str | None = string(null=True)


class DeviceActor(StoredRow, table=True):
    """A worker who may act on a phone beside the one it belongs to, from acceptance to end."""

    __tablename__ = "device_actor"
    __held__ = held(
        "device_id accepted_ms ended_ms",
        Purpose.ACCESS,
        p1="account_id accepted_by",
        retention=Retention.ACCOUNT,
        source=Source.OFFICE,
    )
    __table_args__ = (
        ForeignKeyConstraint(["device_id"], ["device.id"]),
        ForeignKeyConstraint(["account_id"], ["account.id"]),
        Index(None, "account_id"),
        check("ended", "ended_ms IS NULL OR ended_ms >= accepted_ms"),
    )

    device_id: str = ident(key=True)
    account_id: str = ident(key=True)
    accepted_ms: int = big()
    accepted_by: str = ident()
    ended_ms: int | None = big(null=True)
