"""What folding again and explaining ask of the mutation log."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, func, select

from server.replication.alias_queries import ALIAS
from server.replication.queries import ACCOUNT, DEVICE, MUTATION, DbRow

_M, _D, _A, _ALIAS = MUTATION.c, DEVICE.c, ACCOUNT.c, ALIAS.c
_LOG = (
    select(
        _M.pos,
        _M.device_id,
        _M.n,
        _M.record_id,
        _M.kind,
        _M.at_ms,
        _M.quality,
        _M.actor,
        _M.place,
        _M.body,
        _M.body_hash,
        _M.outcome,
        _M.code,
        _M.rev,
        _D.account_id,
        _D.console,
        _A.role,
    )
    .join(DEVICE, _D.id == _M.device_id)
    .join(ACCOUNT, _A.id == _D.account_id)
    .where(_M.pos > bindparam("after"))
    .order_by(_M.pos)
    .limit(bindparam("limit"))
)


def log_chunks(db: Connection, *, chunk_rows: int) -> Iterator[Sequence[DbRow]]:
    """Every stored mutation with its device's owner, in the order in which they took effect."""
    after = -1
    while rows := db.execute(_LOG, {"after": after, "limit": chunk_rows}).all():
        yield rows
        after = rows[-1].pos


_STORED = (
    select(_M.device_id, func.count().label("stored"), func.max(_M.n).label("last"))
    .group_by(_M.device_id)
    .subquery()
)
_GAPS = (
    select(_D.id, _D.settled_through, func.coalesce(_STORED.c.stored, 0).label("stored"))
    .outerjoin(_STORED, _STORED.c.device_id == _D.id)
    .where(
        (func.coalesce(_STORED.c.stored, 0) != _D.settled_through)
        | (func.coalesce(_STORED.c.last, 0) != _D.settled_through)
    )
    .order_by(_D.id)
)


def devices_with_gaps(db: Connection) -> Sequence[DbRow]:
    """`(id, settled_through, stored)` of devices whose log is not dense up to that number."""
    return db.execute(_GAPS).all()


def history_of(db: Connection, record: str, *, after: int, limit: int) -> Sequence[DbRow]:
    """What was asked about one record, in the order in which it took effect.

    Also about the records that were merged into it: what was said of them stands here.
    """
    actor = ACCOUNT.alias("actor")
    statement = (
        select(
            _M.pos,
            _M.device_id,
            _M.n,
            _M.record_id,
            _M.ended_at,
            _M.kind,
            _M.base,
            _M.rev,
            _M.at_ms,
            _M.quality,
            _M.received_ms,
            _M.body,
            _M.outcome,
            _M.code,
            _M.field,
            _D.console,
            _D.name.label("device_name"),
            func.coalesce(actor.c.login, _A.login).label("login"),
        )
        .join(DEVICE, _D.id == _M.device_id)
        .join(ACCOUNT, _A.id == _D.account_id)
        .outerjoin(actor, actor.c.id == _M.actor)
        .where(
            (_M.record_id == record)
            | _M.record_id.in_(select(_ALIAS.record_id).where(_ALIAS.into_id == record)),
            _M.pos > after,
        )
        .order_by(_M.pos)
        .limit(limit)
    )
    return db.execute(statement).all()
