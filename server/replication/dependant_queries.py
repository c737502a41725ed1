"""Which records belong to others, asked of the typed tables, which have the indexes for it."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, union_all

from server.db import tables
from server.db.bulk import among
from server.db.reach import everywhere

_BELOW = (
    (tables.Household.__table__, "dwelling_id"),
    (tables.Resident.__table__, "household_id"),
    (tables.Visit.__table__, "household_id"),
    (tables.Task.__table__, "incident_id"),
    (tables.Report.__table__, "incident_id"),
    (tables.Note.__table__, "parent_id"),
    (tables.Claim.__table__, "parent_id"),
)
_ALIAS = tables.Alias.__table__.c


def ids_under(db: Connection, leaders: Sequence[str], *, limit: int) -> set[str]:
    """Ids of the records that belong directly to one of `leaders`, at most `limit`.

    What was merged into one of them belongs to it, too.
    """
    everywhere(db)
    parts = [
        select(table.c.id).where(among(db, table.c[name], list(leaders)))
        for table, name in _BELOW
    ]
    parts.append(select(_ALIAS.record_id).where(among(db, _ALIAS.into_id, list(leaders))))
    return set(db.execute(union_all(*parts).limit(limit)).scalars())
