"""Who may send photos, and who may see which."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import ColumnElement, Connection

from server.areas.queries import scope_of
from server.identity.access import identify
from server.identity.principal import DeviceStatus, Principal, Role
from server.media import queries
from server.problems import DeviceRevoked, Forbidden

WITH_MEDIA = frozenset({Role.WORKER, Role.DISPATCHER})


async def identify_witness(principal: Annotated[Principal, Depends(identify)]) -> Principal:
    """Return who sends or looks at photos: a worker or a dispatcher, by phone or by console.

    Analysts and administrators see none.
    """
    if principal.role not in WITH_MEDIA:
        raise Forbidden("Photos are for workers and dispatchers.")
    if principal.device_status is DeviceStatus.REVOKED:
        raise DeviceRevoked
    return principal


MediaPrincipal = Annotated[Principal, Depends(identify_witness)]


def records_shown(db: Connection, principal: Principal, now_ms: int) -> ColumnElement[bool]:
    """The condition on a record through which its photos are shown to `principal`.

    A dispatcher sees those of the area, a worker those of their own tasks and incidents.
    """
    if principal.role is Role.DISPATCHER:
        return queries.in_scope(scope_of(db, principal, now_ms))
    return queries.of_their_work(principal.account)
