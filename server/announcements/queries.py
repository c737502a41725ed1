"""Questions about announcements. Every one starts from a scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, false, or_, select

from server.areas.scope import Scope, within
from server.db.tables import Announcement, Area
from sync.fields import is_id

AnnouncementRow = Row[*tuple[Any, ...]]
_announcement = Announcement.__table__.c
_area = Area.__table__.c


def _concerns(scope: Scope) -> ColumnElement[bool]:
    """The announcement's area lies in `scope`, or above something of it."""
    if not scope:
        return false()
    return or_(*((_area.lo <= span.hi) & (_area.hi >= span.lo) for span in scope))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is listed: what holds at `now_ms` or what is `over`, of all areas or one."""

    now_ms: int
    over: bool
    area: str | None


def announcements_for(
    db: Connection, scope: Scope, wanted: Wanted, *, after_id: str | None, limit: int
) -> Sequence[AnnouncementRow]:
    """The wanted announcements that concern `scope`, by id."""
    holds = ~_announcement.archived & (_announcement.valid_until_ms > wanted.now_ms)
    statement = _announcements().where(_concerns(scope), ~holds if wanted.over else holds)
    if wanted.area is not None:
        named = _area.id if is_id(wanted.area) else _area.code
        statement = statement.where(named == wanted.area)
    if after_id is not None:
        statement = statement.where(_announcement.id > after_id)
    return db.execute(statement.order_by(_announcement.id).limit(limit)).all()


def announcement_for(
    db: Connection, scope: Scope, announcement_id: str
) -> AnnouncementRow | None:
    """One announcement that concerns `scope`, or None."""
    statement = _announcements().where(_concerns(scope), _announcement.id == announcement_id)
    return db.execute(statement).one_or_none()


def area_in(db: Connection, scope: Scope, area_id: str) -> bool:
    """Say whether an area lies inside `scope`."""
    statement = select(_area.id).where(within(_area.lo, scope), _area.id == area_id)
    return db.execute(statement).first() is not None


def _announcements() -> Select[Any]:
    return (
        select(*_announcement, _area.code.label("area_code"))
        .select_from(Announcement.__table__)
        .join(Area.__table__, _area.id == _announcement.area_id)
    )
