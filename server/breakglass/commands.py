"""Break the glass and review it. The work of one transaction: it raises to roll back."""

from sqlalchemy import Connection

from geo.areas import LEVEL_STREET, Span, level_of
from server.breakglass import queries
from server.breakglass.queries import GlassRow
from server.breakglass.schemas import BreakGlassRequest, GlassBody, Review
from server.clock import new_id
from server.consolewrites import Asking
from server.identity.principal import EVERYWHERE, AreaSpan, Principal, Role
from server.problems import InvalidBody, NotFound, TransitionRefused

MINUTE_MS = 60_000
OPEN_MAX = 5
_KINDS = frozenset({"household", "resident"})


def body_of(row: GlassRow, now_ms: int) -> GlassBody:
    """One broken glass as it is at `now_ms`."""
    return GlassBody(
        id=row.id,
        account=row.account_id,
        login=row.login,
        area=row.area_id,
        record=row.record_id,
        reason=row.reason,
        at_ms=row.at_ms,
        until_ms=row.until_ms,
        open=row.reviewed_ms is None and row.at_ms <= now_ms < row.until_ms,
        reviewed_ms=row.reviewed_ms,
        reviewed_by=row.reviewer,
        verdict=row.verdict,
        note=row.note,
    )


def break_glass(db: Connection, asking: Asking, body: BreakGlassRequest) -> GlassBody:
    """Open an area or a record to the caller's reading.

    Raises:
        InvalidBody: if there is no such area or record, or it is too large or the caller's own.
        TransitionRefused: if the caller has too many open.
    """
    now, account = asking.now_ms, asking.principal.account
    if queries.count_open(db, account, now) >= OPEN_MAX:
        raise TransitionRefused(f"You have {OPEN_MAX} open; wait until one of them ends.")
    if body.area is not None:
        target = {"area_id": _area(db, asking.principal, body.area)}
    else:
        target = {"record_id": _record(db, asking.principal, body.record or "")}
    glass_id = new_id()
    row = {
        "id": glass_id,
        "account_id": account,
        **target,
        "reason": body.reason,
        "at_ms": now,
        "until_ms": now + body.minutes * MINUTE_MS,
    }
    queries.add(db, row)
    return the_glass(db, asking, glass_id)


def _area(db: Connection, principal: Principal, name: str) -> str:
    row = queries.area_named(db, name)
    if row is None:
        raise InvalidBody.at("/area", "is no area")
    if level_of(Span(row.lo, row.hi)) < LEVEL_STREET:
        raise InvalidBody.at("/area", "must be a street, a community or a grid")
    if principal.area.covers(row.lo):
        raise InvalidBody.at("/area", "is in your own area")
    return str(row.id)


def _record(db: Connection, principal: Principal, record_id: str) -> str:
    row = queries.record_named(db, record_id)
    if row is None or row.kind not in _KINDS or row.area_no is None:
        raise InvalidBody.at("/record", "must be a household or a resident")
    if principal.area.covers(row.area_no):
        raise InvalidBody.at("/record", "is in your own area")
    return str(row.id)


def seen_by(principal: Principal) -> tuple[AreaSpan, dict[str, str]]:
    """Whose broken glass somebody sees: an officer that of the area, others their own."""
    if principal.role is Role.ADMIN:
        return principal.area, {}
    return EVERYWHERE, {"account_id": principal.account}


def the_glass(db: Connection, asking: Asking, glass_id: str) -> GlassBody:
    """One broken glass that the caller may see.

    Raises:
        NotFound: if there is none.
    """
    readers, equal = seen_by(asking.principal)
    rows = queries.glasses(db, readers, equal={**equal, "id": glass_id}, limit=1)
    if not rows:
        raise NotFound
    return body_of(rows[0], asking.now_ms)


def review(db: Connection, asking: Asking, glass_id: str, body: Review) -> GlassBody:
    """Say what is thought of it; one that is open ends with that.

    Raises:
        NotFound: if there is none of the officer's area, or it is the officer's own.
        TransitionRefused: if it is reviewed already.
    """
    found = the_glass(db, asking, glass_id)
    if found.account == asking.principal.account:
        raise NotFound
    reviewed = {
        "reviewed_ms": asking.now_ms,
        "reviewed_by": asking.principal.account,
        "verdict": body.verdict,
        "note": body.text,
    }
    if not queries.review(db, glass_id, reviewed):
        raise TransitionRefused("It is reviewed already.")
    return the_glass(db, asking, glass_id)
