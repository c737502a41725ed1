"""Who may look into the inbox: those who answer for the area. Who reads what it says: fewer."""

from typing import Annotated

from fastapi import Depends

from server.consolewrites import Asking
from server.deps import Now
from server.identity.access import require
from server.identity.principal import Principal, Role

InboxPrincipal = Annotated[Principal, Depends(require(Role.DISPATCHER, Role.ADMIN))]


def may_read_values(principal: Principal) -> bool:
    """Say whether `principal` may read what work says: an administrator runs, and reads not."""
    return principal.role is Role.DISPATCHER


async def asking(principal: InboxPrincipal, now: Now) -> Asking:
    """Who rules on what waits, and when."""
    return Asking(principal=principal, now_ms=now)


AskingDep = Annotated[Asking, Depends(asking)]
