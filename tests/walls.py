"""Tests look behind both walls: they compare, damage and search rows of anybody."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from server.db.reach import everywhere

T = TypeVar("T")


def beyond(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return `work` as something that may touch every row of people's tables."""

    def done(db: Connection) -> T:
        everywhere(db)
        return work(db)

    return done
