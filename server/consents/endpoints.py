"""Publish notices, note and list what people were shown and agreed to."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.accesslog.access import ReadingDep
from server.areas.queries import scope_of
from server.consents import commands, queries
from server.consents.schemas import (
    ConsentBody,
    ConsentCreate,
    ConsentParameters,
    NoticeBody,
    NoticeCreate,
)
from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.households.access import RegistryPrincipal
from server.identity.access import CurrentPrincipal, require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, PageParameters, decode_cursor, paged
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    TransitionRefused,
    problems,
)

router = APIRouter(prefix="/v1", tags=["consents"])
Publisher = Annotated[Principal, Depends(require(Role.ADMIN))]


@router.post(
    "/notices", status_code=201, responses=problems(Forbidden, AlreadyExists, InvalidBody)
)
async def publish_notice(
    *, body: NoticeCreate, principal: Publisher, store: StoreDep, now: Now
) -> NoticeBody:
    """Publish a version of what people are told about their data. It never changes again."""
    asking = Asking(principal=principal, now_ms=now)
    return await store.write(lambda db: commands.publish(db, asking, body))


@router.get("/notices", responses=problems(InvalidParameter))
async def list_notices(
    *, parameters: Annotated[PageParameters, Query()], _: CurrentPrincipal, store: StoreDep
) -> Page[NoticeBody]:
    """List the notices, the newest first: the first one is what is to be shown now."""
    key = decode_cursor(parameters.cursor, int, str)
    rows = await store.read(
        lambda db: queries.notices(db, after=key, limit=parameters.limit + 1)
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.published_ms, row.version))
    return Page(items=[commands.notice_body(row) for row in page], next=following)


@router.post(
    "/consents",
    status_code=201,
    response_model=ConsentBody,
    responses=problems(Forbidden, AlreadyExists, TransitionRefused, InvalidBody),
)
async def note_consent(
    *, body: ConsentCreate, principal: RegistryPrincipal, store: StoreDep, now: Now
) -> Response:
    """Note that somebody was shown a notice, agreed to something, or takes that back.

    An optional field whose consent is taken back is cleared by the next `jingwei maintain`.
    """
    asking = Asking(principal=principal, now_ms=now)
    noted, fresh = await store.write(lambda db: commands.note(db, asking, body))
    return Response(
        noted.model_dump_json(), 201 if fresh else 200, media_type="application/json"
    )


@router.get("/consents", responses=problems(Forbidden, InvalidParameter))
async def list_consents(
    *,
    parameters: Annotated[ConsentParameters, Query()],
    principal: RegistryPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[ConsentBody]:
    """List what a resident or household was shown, agreed to and took back, oldest first."""
    key = decode_cursor(parameters.cursor, Id)
    rows = await store.read(
        lambda db: queries.entries_of(
            db,
            scope_of(db, principal, now),
            parameters.record,
            after_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    await reading.note("list", "consent", {row.record_id for row in page})
    return Page(items=[commands.consent_body(row) for row in page], next=following)
