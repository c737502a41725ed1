"""Who may see the registry: those who visit or coordinate visits, nobody else."""

from typing import Annotated

from fastapi import Depends

from server.identity.access import require
from server.identity.principal import Principal, Role

USING = (Role.WORKER, Role.DISPATCHER)
RegistryPrincipal = Annotated[Principal, Depends(require(*USING))]
