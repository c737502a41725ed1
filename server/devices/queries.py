"""Questions about phones and what they last said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from server.db.bulk import among
from server.db.tables import Account, Area, Device, HeldRow, MutationRow
from server.identity.principal import AreaSpan
from sync.outcome import Outcome

DeviceRow = Row[*tuple[Any, ...]]
_device = Device.__table__.c
_held = HeldRow.__table__.c
_area = Area.__table__.c
_account = Account.__table__.c
_log = MutationRow.__table__.c
LATEST_MAX = 1_000
"""How many of a device's mutations are looked through for what was invalid."""
_LAST_SEEN: ColumnElement[Any] = func.coalesce(_device.last_contact_ms, _device.created_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The phones one may see: of one account, or (None) of the accounts inside an area."""

    area: AreaSpan
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Filters; all that are not None must hold.

    `silent_since_ms`: no contact after it. `failing`: something waits for a person or was
    invalid after `failing_since_ms`. `offset_above_ms`: the clock was off by more, to either
    side.
    """

    silent_since_ms: int | None = None
    failing: bool | None = None
    failing_since_ms: int = 0
    offset_above_ms: int | None = None


ALL = Wanted()


def _phones(whose: Whose) -> Select[*tuple[Any, ...]]:
    statement = (
        select(
            _device.id,
            _device.account_id,
            _account.login,
            _device.name,
            _device.status,
            _device.settled_through,
            _device.last_n,
            _device.last_contact_ms,
            _device.offset_ms,
            _device.app_version,
            _device.created_ms,
            _device.lost_at_ms,
            _device.invalid,
            _device.said,
        )
        .join(Account.__table__, _account.id == _device.account_id)
        .outerjoin(Area.__table__, _area.id == _account.area_id)
        .where(_device.console.is_(False))
    )
    if whose.account is not None:
        return statement.where(_device.account_id == whose.account)
    span = whose.area
    return statement.where(func.coalesce(_area.lo, 0).between(span.lo, span.hi))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.silent_since_ms is not None:
        conditions.append(wanted.silent_since_ms >= _LAST_SEEN)
    if wanted.failing is not None:
        waits = select(_held.n).where(_held.device_id == _device.id, _held.status == "open")
        failing = or_(waits.exists(), _invalid_since(wanted.failing_since_ms))
        conditions.append(failing if wanted.failing else ~failing)
    if wanted.offset_above_ms is not None:
        conditions.append(func.abs(_device.offset_ms) > wanted.offset_above_ms)
    return conditions


def _invalid_since(since_ms: int) -> ColumnElement[bool]:
    """Whether a device said something invalid lately, which few ever did."""
    latest = _log.n > _device.settled_through - LATEST_MAX
    said = select(_log.n).where(
        _log.device_id == _device.id,
        latest,
        _log.outcome == Outcome.INVALID.value,
        _log.received_ms >= since_ms,
    )
    return (_device.invalid > 0) & said.exists()


def phone_rows(
    db: Connection,
    whose: Whose,
    wanted: Wanted = ALL,
    *,
    after: tuple[int, str] | None = None,
    limit: int,
) -> Sequence[DeviceRow]:
    """The wanted phones of those, the newest first."""
    statement = _phones(whose).where(*_conditions(wanted))
    if after is not None:
        created_ms, device = after
        statement = statement.where(
            or_(
                _device.created_ms < created_ms,
                (_device.created_ms == created_ms) & (_device.id < device),
            )
        )
    newest = (_device.created_ms.desc(), _device.id.desc())
    return db.execute(statement.order_by(*newest).limit(limit)).all()


def phone_row(db: Connection, whose: Whose, device: str) -> DeviceRow | None:
    """One phone, if it is among those."""
    return db.execute(_phones(whose).where(_device.id == device)).one_or_none()


def areas_elsewhere(db: Connection, span: AreaSpan, area_ids: Sequence[str]) -> set[str]:
    """Those of some areas that neither lie in `span` nor above any of it."""
    statement = select(_area.id).where(
        among(db, _area.id, list(area_ids)), (_area.hi < span.lo) | (_area.lo > span.hi)
    )
    return set(db.execute(statement).scalars())


def waiting_counts(db: Connection, devices: Sequence[str]) -> dict[tuple[str, str], int]:
    """How much of each device waits for a person, by device and outcome."""
    statement = (
        select(_held.device_id, _held.outcome, func.count())
        .where(among(db, _held.device_id, devices), _held.status == "open")
        .group_by(_held.device_id, _held.outcome)
    )
    return {(device, outcome): n for device, outcome, n in db.execute(statement)}
