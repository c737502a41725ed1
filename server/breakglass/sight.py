"""What somebody sees who may have broken the glass: their own area, and what they named."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.breakglass import queries
from server.identity.principal import AreaSpan, Principal, Role

BREAKING = (Role.DISPATCHER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A broken glass in force: which one, why, and the area numbers it opens."""

    id: str
    reason: str
    span: AreaSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The own scope, and what is open beside it."""

    own: Scope
    broken: tuple[Broken, ...]

    @property
    def scope(self) -> Scope:
        """All that may be read."""
        return (*self.own, *(each.span for each in self.broken))

    def glass(self, area_nos: Iterable[int]) -> Broken | None:
        """Return what had to be broken to see something in these places, None if nothing."""
        foreign = {number for number in area_nos if not _in(self.own, number)}
        for each in self.broken:
            if any(each.span.covers(number) for number in foreign):
                return each
        return None


def _in(scope: Scope, number: int) -> bool:
    return any(span.covers(number) for span in scope)


def sight_of(
    db: Connection, principal: Principal, now_ms: int, *, about: Collection[str] = ()
) -> Sight:
    """What `principal` may read at `now_ms`, never what may be written.

    `about` are the records that the call names: a glass that was broken for one of them opens
    its place for this call. One for an area opens it for every call.
    """
    own = scope_of(db, principal, now_ms)
    if principal.role not in BREAKING:
        return Sight(own=own, broken=())
    rows = queries.in_force(db, principal.account, now_ms, about=about)
    broken = tuple(
        Broken(
            id=row.id,
            reason=row.reason,
            span=AreaSpan(id=row.area_id or "", lo=row.lo, hi=row.hi),
        )
        for row in rows
    )
    return Sight(own=own, broken=broken)
