"""Which record stands for one that was merged: the table of aliases."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from server.db import tables
from server.db.bulk import Upsert, among
from server.replication.queries import Rows

ALIAS = tables.Alias.__table__


def aliases_replaced(rows: Rows) -> Upsert:
    """Say which record stands for each merged one; when it was merged stays as it was."""
    return Upsert(table=ALIAS, rows=rows, key=("record_id",), update=("into_id",))


def drop_aliases(db: Connection, record_ids: Sequence[str]) -> None:
    """Forget that anything stands for some records."""
    if record_ids:
        db.execute(ALIAS.delete().where(among(db, ALIAS.c.record_id, list(record_ids))))


def alias_of(db: Connection, record_id: str) -> str | None:
    """The id of the record that stands for one that was merged, None if it was not."""
    columns = ALIAS.c
    found = db.execute(select(columns.into_id).where(columns.record_id == record_id))
    return found.scalar_one_or_none()


def aliases_among(db: Connection, record_ids: Sequence[str]) -> dict[str, str]:
    """Record id to the id of what stands for it, for those of some records that were merged."""
    columns = ALIAS.c
    statement = select(columns.record_id, columns.into_id).where(
        among(db, columns.record_id, list(record_ids))
    )
    return {row.record_id: row.into_id for row in db.execute(statement)}
