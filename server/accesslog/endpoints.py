"""Show who read which personal data."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from server.accesslog import queries
from server.accesslog.schemas import AccessEntryBody, AccessParameters
from server.deps import StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, decode_cursor, paged
from server.problems import Forbidden, InvalidParameter, problems

router = APIRouter(prefix="/v1/access-log", tags=["access log"])
Officer = Annotated[Principal, Depends(require(Role.ADMIN))]


def _body(row: queries.EntryRow) -> AccessEntryBody:
    return AccessEntryBody(
        id=row.id,
        at_ms=row.at_ms,
        account=row.account_id,
        login=row.login,
        act=row.act,
        kind=row.kind,
        records=json.loads(row.records),
        purpose=row.purpose,
        fields=json.loads(row.fields or "[]"),
        reason=row.reason,
        grant=row.grant_id,
        seq=row.seq,
    )


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_accesses(
    *,
    parameters: Annotated[AccessParameters, Query()],
    principal: Officer,
    store: StoreDep,
) -> Page[AccessEntryBody]:
    """List who was given which personal data, the newest first, for readers of your area.

    With `record` it is the copy that somebody may ask for about themselves; only an account
    without an area is shown all of it.
    """
    key = decode_cursor(parameters.cursor, Id)
    named = {"account_id": parameters.account, "grant_id": parameters.grant}
    rows = await store.read(
        lambda db: queries.entries_about(
            db,
            principal.area,
            record=parameters.record,
            equal={name: value for name, value in named.items() if value is not None},
            before_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    return Page(items=[_body(row) for row in page], next=following)
