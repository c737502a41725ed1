"""The part of the place tree a request may see, as intervals of area numbers."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, false, or_

from server.identity.principal import AreaSpan

Scope = tuple[AreaSpan, ...]


def within(area_no: Any, scope: Scope) -> ColumnElement[bool]:
    """Return the condition that the column `area_no` is inside `scope`; empty sees nothing."""
    if not scope:
        return false()
    return or_(*(area_no.between(span.lo, span.hi) for span in scope))


def within_spans(area_no: Any, spans: int) -> ColumnElement[bool]:
    """Like `within` for a statement that is built once for scopes of so many spans.

    They are given to it each time as `spans_named(scope)`.
    """
    if not spans:
        return false()
    return or_(
        *(area_no.between(bindparam(f"lo{at}"), bindparam(f"hi{at}")) for at in range(spans))
    )


def spans_named(scope: Scope) -> dict[str, int]:
    """Return the parameters of a `within_spans` condition."""
    lows = {f"lo{at}": span.lo for at, span in enumerate(scope)}
    return lows | {f"hi{at}": span.hi for at, span in enumerate(scope)}
