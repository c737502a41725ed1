"""Calls about the holder of a token and about devices."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy import Connection

from server.clock import new_id
from server.deps import Now, StoreDep
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal
from server.identity.queries import (
    NewDevice,
    device_with_id,
    enrol_device,
    revoke,
)
from server.identity.rules import ENROLLING, may_revoke
from server.identity.schemas import (
    DeviceEnrolled,
    DeviceEnrolment,
    Revocation,
    Uuid,
    Whoami,
)
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    NotFound,
    Unauthenticated,
    problems,
)

router = APIRouter(prefix="/v1", tags=["identity"])
Enroller = Annotated[Principal, Depends(require(*ENROLLING))]
DeviceId = Annotated[Uuid, Path(description="the device's id")]


@router.get("/me", responses=problems(Unauthenticated, Forbidden))
async def who_am_i(principal: CurrentPrincipal) -> Whoami:
    """Tell the holder of an account token who they are and for which area they act."""
    return Whoami(
        account=principal.account,
        login=principal.login,
        role=principal.role,
        area=principal.area.id,
    )


@router.post(
    "/devices",
    status_code=201,
    responses=problems(Unauthenticated, Forbidden, AlreadyExists, InvalidBody),
)
async def enrol(
    enrolment: DeviceEnrolment, store: StoreDep, principal: Enroller, now: Now
) -> DeviceEnrolled:
    """Enrol a phone of the token's holder and hand out the token it syncs with.

    Safe to repeat with the same `id`: the device stays the same, earlier tokens of it stop.
    """
    new = NewDevice(
        id=enrolment.id or new_id(),
        account=principal.account,
        name=enrolment.name,
        app_version=enrolment.app_version,
    )

    def work(db: Connection) -> DeviceEnrolled:
        token = enrol_device(db, new, now_ms=now)
        row = device_with_id(db, new.id)
        settled = 0 if row is None else row["settled_through"]
        return DeviceEnrolled(
            id=new.id, token=token, account=new.account, settled_through=settled
        )

    return await store.write(work)


@router.post(
    "/devices/{device}/revoke",
    status_code=204,
    responses=problems(Unauthenticated, NotFound, InvalidBody),
)
async def revoke_device(
    *,
    device: DeviceId,
    store: StoreDep,
    principal: CurrentPrincipal,
    now: Now,
    revocation: Revocation | None = None,
) -> Response:
    """Revoke a device, for example a lost phone. Repeating it changes nothing.

    The phone learns it on its next sync and is told to drop every bucket; the work it still
    sends is kept apart for a person. `lost_at_ms` says which of it was done before the loss.
    """
    lost_at_ms = None if revocation is None else revocation.lost_at_ms
    if lost_at_ms is not None and lost_at_ms > now:
        reason = "must not lie in the future"
        raise InvalidBody.at("/lost_at_ms", reason)

    def work(db: Connection) -> None:
        row = device_with_id(db, device)
        if row is None or row["console"]:
            raise NotFound
        if not may_revoke(principal, owner=row["account_id"], area_no=row["area_no"]):
            raise NotFound
        revoke(db, device=device, lost_at_ms=lost_at_ms)

    await store.write(work)
    return Response(status_code=204)
