"""Questions about mutations that wait for a ruling."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Select, false, func, literal, select

from server.db import tables
from server.db.bulk import Upsert, among, among_listed, listed
from server.replication.queries import DbRow, Rows

HELD = tables.HeldRow.__table__
_MUTATION = tables.MutationRow.__table__
_ACCOUNT = tables.Account.__table__
_RECORD = tables.RecordRow.__table__
LATER_MAX = 2_000
_RULED = (
    "code",
    "field",
    "base",
    "rev",
    "awaits",
    "status",
    "version",
    "decided_ms",
    "decided_by",
    "why",
    "note",
    "became",
    "became_code",
)
_EFFECTIVE = ("applied", "merged", "unchanged", "conflict", "recorded")


def cited_rows(db: Connection, device: str, numbers: Collection[int]) -> Sequence[DbRow]:
    """What waits of a device among `numbers`, locked, with its body; in order of n."""
    held, log = HELD.c, _MUTATION.c
    statement = (
        select(HELD, log.body, log.quality)
        .join(_MUTATION, (log.device_id == held.device_id) & (log.n == held.n))
        .where(held.device_id == device, among(db, held.n, numbers))
        .order_by(held.n)
    )
    if db.dialect.name == "postgresql":
        statement = statement.with_for_update(of=HELD)
    return db.execute(statement).all()


def later_rows(
    db: Connection, device: str, records: Collection[str], after_n: int
) -> Sequence[DbRow]:
    """`(n, record_id, body)` of what a device said about `records` after `after_n`.

    Only what was taken, at once or by a release; the newest `LATER_MAX`, in order of n.
    """
    held, log = HELD.c, _MUTATION.c
    statement = (
        select(log.n, log.record_id, log.body)
        .outerjoin(HELD, (held.device_id == log.device_id) & (held.n == log.n))
        .where(
            log.device_id == device,
            log.n > after_n,
            among(db, log.record_id, records),
            log.outcome.in_(_EFFECTIVE) | (held.status == "released"),
        )
        .order_by(log.n.desc())
        .limit(LATER_MAX)
    )
    return db.execute(statement).all()[::-1]


def account_rows(db: Connection, accounts: Collection[str]) -> dict[str, DbRow]:
    """Account id to `(id, role, active)`, for those that exist."""
    columns = _ACCOUNT.c
    statement = select(columns.id, columns.role, columns.active).where(
        among(db, columns.id, accounts)
    )
    return {row.id: row for row in db.execute(statement)}


def awaited(db: Connection, records: Collection[str]) -> set[str]:
    """Which of `records` something waits for."""
    columns = HELD.c
    dialect = db.dialect.name
    statement = select(columns.awaits).where(
        columns.status == "open", among_listed(dialect, columns.awaits, "ids")
    )
    return set(db.execute(statement, {"ids": listed(db, sorted(records))}).scalars())


def role_of(db: Connection, account: str) -> str:
    """The role of an account that exists."""
    return str(db.execute(select(_ACCOUNT.c.role).where(_ACCOUNT.c.id == account)).scalar_one())


@cache
def _revs_and_awaited() -> CompoundSelect[Any]:
    record, held = _RECORD.c, HELD.c
    found = select(record.id, record.rev, record.bucket, (record.seq > 0).label("fed")).where(
        among_listed("postgresql", record.id, "ids")
    )
    waited = select(held.awaits, literal(-1), literal(""), false()).where(
        held.status == "open", among_listed("postgresql", held.awaits, "ids")
    )
    return found.union_all(waited)


def revs_and_awaited(
    db: Connection, records: Collection[str]
) -> tuple[dict[str, tuple[int, str, bool]], set[str]]:
    """What `awaited` says of `records`, and by id how they stand, in one question.

    `(rev, bucket, fed)` of those that exist; `fed` says whether the bucket's feed has it.
    """
    revs: dict[str, tuple[int, str, bool]] = {}
    waited: set[str] = set()
    for row in db.execute(_revs_and_awaited(), {"ids": listed(db, sorted(records))}):
        if row.rev < 0:
            waited.add(row.id)
        else:
            revs[row.id] = (row.rev, row.bucket, row.fed)
    return revs, waited


def _open_rows() -> Select[Any]:
    """Open rows of the queue with what was sent."""
    held, log = HELD.c, _MUTATION.c
    return (
        select(HELD, log.body)
        .join(_MUTATION, (log.device_id == held.device_id) & (log.n == held.n))
        .where(held.status == "open")
        .order_by(held.device_id, held.n)
    )


def arrived_rows(db: Connection, *, limit: int) -> Sequence[DbRow]:
    """What waits for a record that exists by now, by device and n; at most `limit` rows."""
    held = HELD.c
    statement = (
        _open_rows()
        .join(_RECORD, _RECORD.c.id == held.awaits)
        .where(held.awaits.is_not(None))
        .limit(limit)
    )
    return db.execute(statement).all()


def near_rows(
    db: Connection, device: str, first_n: int, last_n: int, *, limit: int
) -> Sequence[DbRow]:
    """What waits of a device from `first_n` to `last_n`, by n."""
    held = HELD.c
    statement = _open_rows().where(held.device_id == device, held.n.between(first_n, last_n))
    return db.execute(statement.limit(limit)).all()


def of_actor(db: Connection, device: str, account: str, *, limit: int) -> Sequence[DbRow]:
    """What waits of a device only because `account` was not accepted on it, by n."""
    held = HELD.c
    statement = _open_rows().where(
        held.device_id == device,
        held.actor == account,
        held.code == "unknown-actor",
        held.outcome == "held",
    )
    return db.execute(statement.limit(limit)).all()


def newer_rows(db: Connection, after: tuple[str, int], *, limit: int) -> Sequence[DbRow]:
    """What waits for a server that knows its version, behind `(device, n)`, in order."""
    held, (device, n) = HELD.c, after
    statement = _open_rows().where(
        held.code == "newer-schema",
        held.outcome == "held",
        (held.device_id > device) | ((held.device_id == device) & (held.n > n)),
    )
    return db.execute(statement.limit(limit)).all()


def open_of_actor(db: Connection, device: str, account: str) -> int:
    """How much of an actor's work on a device waits, for whatever reason."""
    held = HELD.c
    statement = select(func.count()).where(
        held.device_id == device, held.actor == account, held.status == "open"
    )
    return int(db.execute(statement).scalar_one())


def waiting_replaced(rows: Rows) -> Upsert:
    """Add what begins to wait; replace what was ruled on."""
    return Upsert(table=HELD, rows=rows, key=("device_id", "n"), update=_RULED)


def columns_of(row: DbRow) -> dict[str, Any]:
    """The columns of the table alone, of a row that may have more."""
    return {name: getattr(row, name) for name in HELD.c.keys()}  # noqa: SIM118 - not a dict
