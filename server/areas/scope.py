"""The part of the place tree a request may see, as intervals of area numbers."""

from typing import Any

from sqlalchemy import ColumnElement, false, or_

from server.identity.principal import AreaSpan

Scope = tuple[AreaSpan, ...]


def within(area_no: Any, scope: Scope) -> ColumnElement[bool]:
    """Return the condition that the column `area_no` is inside `scope`; empty sees nothing."""
    if not scope:
        return false()
    return or_(*(area_no.between(span.lo, span.hi) for span in scope))
