"""Which `area:` buckets a worker may hold: those with announcements that hold now."""

from sqlalchemy import bindparam, exists, literal_column, select

from server.db.periods import holds_at
from server.db.tables import Announcement, Area, Assignment
from sync.exchange import AREAS_MAX

_AREA, _HELD = Area.__table__, Area.__table__.alias("assigned")
_ANNOUNCEMENT = Announcement.__table__
_ASSIGNMENT = Assignment.__table__
_CONCERNED = exists().where(
    _ASSIGNMENT.c.account_id == bindparam("account"),
    holds_at(_ASSIGNMENT.c, bindparam("now")),
    _HELD.c.id == _ASSIGNMENT.c.area_id,
    _AREA.c.lo <= _HELD.c.hi,
    _AREA.c.hi >= _HELD.c.lo,
)
AREAS_ANNOUNCED = (
    select(_AREA.c.id, _AREA.c.lo)
    .join(_ANNOUNCEMENT, _ANNOUNCEMENT.c.area_id == _AREA.c.id)
    .where(
        ~_ANNOUNCEMENT.c.archived,
        _ANNOUNCEMENT.c.valid_until_ms > bindparam("now"),
        _CONCERNED,
    )
    .distinct()
    .order_by(_AREA.c.lo)
    .limit(literal_column(str(AREAS_MAX)))
    .subquery("announced")
)
"""Areas that say something at `now` and lie over or in what `account` is assigned.

The first in tree order, so that what is said to a whole city comes before what is said to a
street.
"""
