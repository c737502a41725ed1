"""Leave out what nobody may use because somebody asked for that, whatever kind it is of."""

from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select, union_all

from server.db.tables import Household, Note, Resident, Visit

_TABLES: Final = tuple(each.__table__ for each in (Household, Resident, Visit, Note))


def unrestricted(record_id: Any) -> ColumnElement[bool]:
    """Return the condition that the column `record_id` names nothing restricted, or nothing."""
    hidden = union_all(
        *(select(each.c.id).where(each.c.restricted.is_not(None)) for each in _TABLES)
    )
    return or_(record_id.is_(None), record_id.not_in(hidden))
