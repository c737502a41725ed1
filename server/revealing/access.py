"""Who may look at what is masked, and how often."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from server.accesslog.chain import Noted
from server.accesslog.looking import write_look
from server.clock import new_id
from server.consolewrites import Asking
from server.db.store import Store
from server.deps import Now
from server.households.access import RegistryPrincipal
from server.revealing.schemas import Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One call that looks at something: who asks, and how often they may in a day."""

    store: Store
    asking: Asking
    a_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is looked at: fields of a record, or of what was said about it.

    `grant` is the broken glass without which it could not be.
    """

    kind: str
    record: str | None
    fields: tuple[str, ...]
    grant: str | None = None


async def the_desk(request: Request, principal: RegistryPrincipal, now: Now) -> Desk:
    """Return the desk of somebody who uses the registry; the call counts, whatever it finds.

    Raises:
        TooManyRequests: if the account looked too often within a minute.
    """
    state = request.app.state
    state.reveal_quotas.take(principal.account, now)
    asking = Asking(principal=principal, now_ms=now)
    return Desk(store=state.store, asking=asking, a_day=state.settings.limits.contact_reveals)


DeskDep = Annotated[Desk, Depends(the_desk)]


def note_seen(db: Connection, desk: Desk, seen: Seen, why: Why) -> None:
    """Note that something is about to be shown.

    Raises:
        TooManyRequests: if the account looked too often in a day.
    """
    look = Noted(
        id=new_id(),
        account=desk.asking.principal.account,
        at_ms=desk.asking.now_ms,
        act="reveal",
        kind=seen.kind,
        records=() if seen.record is None else (seen.record,),
        fields=seen.fields,
        purpose=why.purpose.value,
        reason=why.reason,
        grant=seen.grant,
    )
    write_look(db, look, a_day=desk.a_day)
