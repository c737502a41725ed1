"""Suggest records that may be the same, and remember that two are not."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed, scope_of
from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.duplicates import commands, finding, queries
from server.duplicates.schemas import (
    Distinction,
    DistinctionBody,
    Duplicate,
    DuplicateParameters,
)
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, decode_cursor, encode_cursor, paged
from server.problems import Forbidden, InvalidBody, InvalidParameter, problems

router = APIRouter(prefix="/v1/duplicates", tags=["duplicates"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_duplicates(
    *,
    parameters: Annotated[DuplicateParameters, Query()],
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[Duplicate]:
    """Suggest pairs of households or residents that may be the same, in the order of their ids.

    Nothing is merged by itself. A page may be short, or empty, and still have a `next`.
    """
    key = decode_cursor(parameters.cursor, Id, Id)
    found = await store.read(
        lambda db: finding.suggested(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            parameters.kind,
            after=None if key is None else (key[0], key[1]),
            limit=parameters.limit,
        )
    )
    ids = dict.fromkeys(each for item in found.items for each in (item.first, item.second))
    await reading.note("list", parameters.kind, ids)
    return Page(
        items=[
            Duplicate(
                kind=parameters.kind,
                first=each.first,
                second=each.second,
                likeness=each.likeness.score,
                reasons=list(each.likeness.reasons),
            )
            for each in found.items
        ],
        next=None if found.after is None else encode_cursor(found.after),
    )


@router.post("/distinct", status_code=204, responses=problems(Forbidden, InvalidBody))
async def distinguish(
    *, body: Distinction, principal: Dispatcher, store: StoreDep, now: Now
) -> None:
    """Say that two records are not the same: they are not suggested again."""
    asking = Asking(principal=principal, now_ms=now)
    await store.write(lambda db: commands.distinguish(db, asking, body))


@router.get("/distinct", responses=problems(InvalidParameter, Forbidden))
async def list_distinctions(
    *,
    parameters: Annotated[DuplicateParameters, Query()],
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Page[DistinctionBody]:
    """List which records were said not to be the same, by whom and when."""
    key = decode_cursor(parameters.cursor, Id, Id)
    rows = await store.read(
        lambda db: queries.rulings_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            parameters.kind,
            after=None if key is None else (key[0], key[1]),
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.first_id, row.second_id))
    items = [
        DistinctionBody(
            kind=row.kind,
            first=row.first_id,
            second=row.second_id,
            by=row.login,
            at_ms=row.at_ms,
        )
        for row in page
    ]
    return Page(items=items, next=following)
