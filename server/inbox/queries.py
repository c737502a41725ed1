"""Questions about what waits for a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from server.areas.scope import Scope, within
from server.db.bulk import among
from server.db.tables import Account, Area, Device, HeldRow, MutationRow, RecordRow

InboxRow = Row[*tuple[Any, ...]]
_held = HeldRow.__table__.c
_log = MutationRow.__table__.c
_device = Device.__table__.c
_record = RecordRow.__table__.c
_owner = Account.__table__.alias("owner")
_actor = Account.__table__.alias("actor")
_decider = Account.__table__.alias("decider")
_awaited = RecordRow.__table__.alias("awaited")
_area = Area.__table__.c
COPIES_MAX = 500
_EFFECTIVE = ("applied", "merged", "unchanged", "conflict", "recorded")
_AREA_NO: ColumnElement[Any] = func.coalesce(_record.area_no, _held.area_no)
"""A record's area moves with it; what has none keeps the area it was put into."""


def _waiting(scope: Scope) -> Select[*tuple[Any, ...]]:
    """Everything in `scope` that waits or waited, with what a reader needs beside it."""
    joined = (
        HeldRow.__table__.join(
            MutationRow.__table__, (_log.device_id == _held.device_id) & (_log.n == _held.n)
        )
        .join(Device.__table__, _device.id == _held.device_id)
        .join(_owner, _owner.c.id == _held.account_id)
        .outerjoin(RecordRow.__table__, _record.id == _held.record_id)
        .outerjoin(_actor, _actor.c.id == _held.actor)
        .outerjoin(_decider, _decider.c.id == _held.decided_by)
        .outerjoin(_awaited, _awaited.c.id == _held.awaits)
        .outerjoin(Area.__table__, _area.lo == _AREA_NO)
    )
    return (
        select(
            *_held,
            _log.body,
            _log.quality,
            _device.lost_at_ms,
            _owner.c.login.label("owner_login"),
            _actor.c.login.label("actor_login"),
            _decider.c.login.label("decided_by_login"),
            _awaited.c.id.is_not(None).label("arrived"),
            _area.code.label("area_code"),
        )
        .select_from(joined)
        .where(within(_AREA_NO, scope), _record.restricted.is_(None))
    )


def inbox_rows(
    db: Connection,
    scope: Scope,
    *,
    equal: Mapping[str, Any],
    account: str | None = None,
    after: tuple[int, str, int] | None = None,
    limit: int,
) -> Sequence[InboxRow]:
    """What waits in `scope` with these columns and of this account, the newest first."""
    statement = _waiting(scope)
    for name, value in equal.items():
        statement = statement.where(_held[name] == value)
    if account is not None:
        statement = statement.where(or_(_held.account_id == account, _held.actor == account))
    if after is not None:
        held_ms, device, n = after
        same_time = _held.held_ms == held_ms
        same_device = same_time & (_held.device_id == device)
        statement = statement.where(
            or_(
                _held.held_ms < held_ms,
                same_time & (_held.device_id < device),
                same_device & (_held.n < n),
            )
        )
    newest = (_held.held_ms.desc(), _held.device_id.desc(), _held.n.desc())
    return db.execute(statement.order_by(*newest).limit(limit)).all()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The open work of a device done in `[from_ms, before_ms)`; None = without that limit."""

    device: str
    code: str | None
    from_ms: int | None
    before_ms: int | None


def selected_rows(
    db: Connection, scope: Scope, wanted: Wanted, *, limit: int
) -> Sequence[InboxRow]:
    """What is wanted of the open work in `scope`, by n."""
    statement = _waiting(scope).where(_held.device_id == wanted.device, _held.status == "open")
    if wanted.code is not None:
        statement = statement.where(_held.code == wanted.code)
    if wanted.from_ms is not None:
        statement = statement.where(_held.at_ms >= wanted.from_ms)
    if wanted.before_ms is not None:
        statement = statement.where(_held.at_ms < wanted.before_ms)
    return db.execute(statement.order_by(_held.n).limit(limit)).all()


def taken_rows(
    db: Connection, account: str, device: str, records: Collection[str]
) -> Sequence[InboxRow]:
    """`(device_id, n, record_id, body)` of what other devices of an account had taken.

    Only about `records`; the newest first, at most `COPIES_MAX`.
    """
    statement = (
        select(_log.device_id, _log.n, _log.record_id, _log.body)
        .join(Device.__table__, _device.id == _log.device_id)
        .where(
            among(db, _log.record_id, records),
            _device.account_id == account,
            _device.console.is_(False),
            _log.device_id != device,
            _log.outcome.in_(_EFFECTIVE),
        )
        .order_by(_log.received_ms.desc(), _log.device_id, _log.n)
        .limit(COPIES_MAX)
    )
    return db.execute(statement).all()


def lost_at(db: Connection, device: str) -> int | None:
    """When a device was lost, if that was reported."""
    found = db.execute(select(_device.lost_at_ms).where(_device.id == device)).scalar()
    return None if found is None else int(found)


def worker_row(db: Connection, named: str, *, by_id: bool) -> InboxRow | None:
    """`(id, login, role, active, area_no)` of the account with this id or login."""
    account = Account.__table__.c
    statement = (
        select(
            account.id,
            account.login,
            account.role,
            account.active,
            func.coalesce(_area.lo, 0).label("area_no"),
        )
        .outerjoin(Area.__table__, _area.id == account.area_id)
        .where((account.id if by_id else account.login) == named)
    )
    return db.execute(statement).one_or_none()
