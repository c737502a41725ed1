"""Read how phones are doing."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.deps import Now, StoreDep
from server.devices.queries import Whose
from server.devices.reading import phone_page, the_phone
from server.devices.rules import wanted_of
from server.devices.schemas import DeviceDetail, DeviceParameters, DeviceView
from server.identity.access import CurrentPrincipal
from server.identity.principal import Principal
from server.identity.rules import SUPERVISING
from server.paging import Id, Page, decode_cursor, paged
from server.problems import InvalidParameter, NotFound, problems
from server.recordids import PathId

router = APIRouter(prefix="/v1/devices", tags=["identity"])


def _whose(principal: Principal) -> Whose:
    own = None if principal.role in SUPERVISING else principal.account
    return Whose(area=principal.area, account=own)


@router.get("", responses=problems(InvalidParameter))
async def list_devices(
    *,
    parameters: Annotated[DeviceParameters, Query()],
    principal: CurrentPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[DeviceView]:
    """List devices, the newest first: a supervisor's area, anybody else's own."""
    key = decode_cursor(parameters.cursor, int, Id)
    wanted = wanted_of(
        parameters.silent_days,
        parameters.offset_above_s,
        failing=parameters.failing,
        now_ms=now,
    )
    found = await store.read(
        lambda db: phone_page(
            db, _whose(principal), wanted, after=key, limit=parameters.limit + 1
        )
    )
    page, following = paged(found, parameters.limit, lambda each: (each.created_ms, each.id))
    plain = [DeviceView(**each.model_dump(exclude={"buckets"})) for each in page]
    return Page(items=plain, next=following)


@router.get("/{device}", responses=problems(NotFound))
async def read_device(
    *, device: PathId, principal: CurrentPrincipal, store: StoreDep
) -> DeviceDetail:
    """Return one device and, for each bucket it follows, whether its replica is equal.

    A supervisor is not told of buckets of an area elsewhere, to which a worker may be lent.
    """
    return await store.read(lambda db: the_phone(db, _whose(principal), device))
