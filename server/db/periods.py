"""Rows that hold from `valid_from_ms` until before `valid_to_ms`, or until further notice."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement
from sqlalchemy.sql.base import ReadOnlyColumnCollection


def holds_at(
    columns: ReadOnlyColumnCollection[str, Any], at_ms: int | BindParameter[Any]
) -> ColumnElement[bool]:
    """The condition that a row of a table with these columns holds at `at_ms`."""
    from_ms: ColumnElement[int] = columns["valid_from_ms"]
    to_ms: ColumnElement[int | None] = columns["valid_to_ms"]
    return (from_ms <= at_ms) & (to_ms.is_(None) | (to_ms > at_ms))
