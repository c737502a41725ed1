"""All SQL about workers who may act on a phone beside the one it belongs to."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from server.db.bulk import among, upsert
from server.db.tables import Account, DeviceActor

ACTORS_MAX = 50
_actor = DeviceActor.__table__.c
_account = Account.__table__.c


def actor_rows(db: Connection, device: str, accounts: Collection[str]) -> Sequence[Any]:
    """`(account_id, role, ended_ms)` of the active workers accepted on a device."""
    statement = (
        select(_actor.account_id, _account.role, _actor.ended_ms)
        .join(Account.__table__, _account.id == _actor.account_id)
        .where(
            _actor.device_id == device,
            among(db, _actor.account_id, accounts),
            _account.active,
            _account.role == "worker",
        )
    )
    return db.execute(statement).all()


def actors_of(db: Connection, device: str) -> Sequence[RowMapping]:
    """Everybody ever accepted on a device, the earliest first, with their logins."""
    statement = (
        select(
            _actor.account_id,
            _account.login,
            _actor.accepted_ms,
            _actor.accepted_by,
            _actor.ended_ms,
        )
        .join(Account.__table__, _account.id == _actor.account_id)
        .where(_actor.device_id == device)
        .order_by(_actor.accepted_ms, _actor.account_id)
        .limit(ACTORS_MAX + 1)
    )
    return db.execute(statement).mappings().all()


def accept_actor(db: Connection, device: str, account: str, *, by: str, now_ms: int) -> None:
    """Accept a worker on a device from now on; one who was accepted before is again."""
    row = {
        "device_id": device,
        "account_id": account,
        "accepted_ms": now_ms,
        "accepted_by": by,
        "ended_ms": None,
    }
    key = ("device_id", "account_id")
    upsert(db, DeviceActor.__table__, [row], key=key, update=("ended_ms",))


def end_actor(db: Connection, device: str, account: str, *, now_ms: int) -> bool:
    """End an acceptance; returns whether there was one to end."""
    statement = (
        update(DeviceActor.__table__)
        .where(
            _actor.device_id == device,
            _actor.account_id == account,
            _actor.ended_ms.is_(None),
        )
        .values(ended_ms=now_ms)
    )
    return db.execute(statement).rowcount > 0
