"""Who may keep, see and look for identity numbers, and that an installation keeps any."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy import Connection

from server.accesslog.chain import Noted
from server.accesslog.looking import write_look
from server.accesslog.queries import NUMBER
from server.clock import new_id
from server.consolewrites import Asking
from server.db.store import Store
from server.deps import Now
from server.identifiers import key_queries
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.problems import InvalidBody, NotHere
from server.quotas import Quotas
from server.sealed.sealing import Keys, Sealing

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the settings allow: purposes, days, and how often an account may look in a day."""

    purposes: frozenset[str]
    days: int
    looks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One call about identity numbers: who asks, what is allowed, and what it works with."""

    store: Store
    sealing: Sealing
    asking: Asking
    allowed: Allowed
    quotas: Quotas

    def take(self) -> None:
        """Count a look, whether anything is found or not.

        Raises:
            TooManyRequests: if the account looked too often within a minute.
        """
        self.quotas.take(self.asking.principal.account, self.asking.now_ms)

    async def keys(self) -> Keys:
        """Return the district keys in use, checked."""
        return await keys_of(self.store, self.sealing)


async def keys_of(store: Store, sealing: Sealing) -> Keys:
    """Return the district keys a store uses.

    Raises:
        SealingUnavailable: if one is missing or wrong.
    """
    in_use = await store.read(key_queries.in_use)
    return await asyncio.to_thread(sealing.keys, in_use)


async def the_desk(
    request: Request,
    principal: Annotated[Principal, Depends(require(Role.DISPATCHER))],
    now: Now,
) -> Desk:
    """Return the desk of a dispatcher.

    Raises:
        NotHere: if this installation keeps no identity numbers.
    """
    state = request.app.state
    sealing = cast("Sealing | None", state.sealing)
    if sealing is None:
        raise NotHere("This installation keeps no identity numbers.")
    settings = state.settings
    allowed = Allowed(
        purposes=frozenset(settings.sealed_purposes.split(",")),
        days=settings.sealed_days,
        looks=settings.limits.reveals,
    )
    asking = Asking(principal=principal, now_ms=now)
    return Desk(
        store=state.store,
        sealing=sealing,
        asking=asking,
        allowed=allowed,
        quotas=state.reveal_quotas,
    )


DeskDep = Annotated[Desk, Depends(the_desk)]


def require_purpose(allowed: Allowed, purpose: str) -> None:
    """Raise `InvalidBody` unless numbers are kept for `purpose` here."""
    if purpose not in allowed.purposes:
        reason = "must be a purpose this installation keeps numbers for"
        raise InvalidBody.at("/purpose", reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody does with a number: what is written down of it, before it happens."""

    act: str
    kind: str
    resident: str | None = None
    purpose: str | None = None


def write_down(db: Connection, desk: Desk, done: Act) -> None:
    """Write down an act, in the transaction that does it or comes before it.

    Raises:
        TooManyRequests: if the account looked at too many numbers in a day.
    """
    look = Noted(
        id=new_id(),
        account=desk.asking.principal.account,
        at_ms=desk.asking.now_ms,
        act=done.act,
        kind=NUMBER,
        records=() if done.resident is None else (done.resident,),
        fields=(done.kind,),
        purpose=done.purpose,
    )
    write_look(db, look, a_day=desk.allowed.looks)
