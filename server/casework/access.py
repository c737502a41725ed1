"""Who may see casework and who takes its decisions."""

from typing import Annotated

from fastapi import Depends

from server.identity.access import require
from server.identity.principal import Principal, Role

CaseworkPrincipal = Annotated[Principal, Depends(require(Role.WORKER, Role.DISPATCHER))]
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
