"""End rows whose time is over, or only count them."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select


def end_rows(db: Connection, table: Any, over: ColumnElement[bool], *, dry_run: bool) -> int:
    """Delete the rows of a table that are over, in a dry run none; return how many they are."""
    if dry_run:
        counted = select(func.count()).select_from(table).where(over)
        return int(db.execute(counted).scalar_one())
    return db.execute(delete(table).where(over)).rowcount
