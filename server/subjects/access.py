"""Who takes in, sees and works on requests about one's own data."""

from typing import Annotated

from fastapi import Depends

from server.consolewrites import Asking
from server.deps import Now
from server.identity.access import require
from server.identity.principal import Principal, Role

Taker = Annotated[Principal, Depends(require(Role.WORKER, Role.DISPATCHER))]
"""At the door or at the desk."""
Viewer = Annotated[Principal, Depends(require(Role.WORKER, Role.DISPATCHER, Role.ADMIN))]
"""Also who answers for the deadlines: a request holds ids, times and words only."""


async def _handling(
    principal: Annotated[Principal, Depends(require(Role.DISPATCHER))], now: Now
) -> Asking:
    return Asking(principal=principal, now_ms=now)


Handling = Annotated[Asking, Depends(_handling)]
"""A dispatcher of the area, who sees the registry anyway."""
