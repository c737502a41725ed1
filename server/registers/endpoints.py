"""Make registers, list one's own, fetch their files, destroy them."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.accesslog.access import Reading
from server.consolewrites import Asking
from server.deps import Now, StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.paging import Id, Page, PageParameters, decode_cursor, paged
from server.problems import Forbidden, InvalidBody, InvalidParameter, NotFound, problems
from server.recordids import PathId
from server.registers import queries
from server.registers.files import CSV, XLSX, csv_of, xlsx_of
from server.registers.making import content_of, make_register, register_body, the_register
from server.registers.schemas import FileForm, RegisterBody, RegisterCreate

router = APIRouter(prefix="/v1/registers", tags=["registers"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORMS = {FileForm.CSV: (CSV, csv_of), FileForm.XLSX: (XLSX, xlsx_of)}


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_registers(
    *,
    parameters: Annotated[PageParameters, Query()],
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Page[RegisterBody]:
    """List your registers that have not expired, the oldest first."""
    key = decode_cursor(parameters.cursor, Id)
    rows = await store.read(
        lambda db: queries.registers_of(
            db,
            principal.account,
            now_ms=now,
            after_id=None if key is None else key[0],
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.id,))
    return Page(items=[register_body(row) for row in page], next=following)


@router.post("", status_code=201, responses=problems(Forbidden, InvalidBody, InvalidParameter))
async def create_register(
    *,
    body: RegisterCreate,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
    response: Response,
) -> RegisterBody:
    """Make a register: households or residents of your area, with the columns of a purpose."""
    asking = Asking(principal=principal, now_ms=now)
    made = await store.write(lambda db: make_register(db, asking, body))
    response.headers["location"] = f"/v1/registers/{made.id}"
    return made


@router.get("/{register_id}", responses=problems(Forbidden, NotFound))
async def read_register(
    *, register_id: PathId, principal: Dispatcher, store: StoreDep, now: Now
) -> RegisterBody:
    """Return what one of your registers is, without its content."""
    asking = Asking(principal=principal, now_ms=now)
    return register_body(await store.read(lambda db: the_register(db, asking, register_id)))


@router.get(
    "/{register_id}/file",
    response_class=Response,
    responses=problems(Forbidden, NotFound, InvalidParameter)
    | {200: {"content": {CSV.partition(";")[0]: _BINARY, XLSX: _BINARY}}},
)
async def fetch_register(
    *,
    register_id: PathId,
    form: Annotated[FileForm, Query(alias="format")] = FileForm.CSV,
    principal: Dispatcher,
    store: StoreDep,
    now: Now,
) -> Response:
    """Return the file of one of your registers, made now from what you may see now.

    Who took it, when and what for stands on every page and in every row, and in the access log
    with the ids of all records in it.
    """
    asking = Asking(principal=principal, now_ms=now)
    content = await store.read(lambda db: content_of(db, asking, register_id))
    media_type, made_by = _FORMS[form]
    file = await asyncio.to_thread(made_by, content.columns, content.rows, content.mark)
    reading = Reading(store, principal.account, now, content.purpose)
    await reading.note("list", "register", content.records)
    headers = {
        "content-disposition": f'attachment; filename="register-{register_id}.{form}"',
        "cache-control": "no-store",
    }
    return Response(file, media_type=media_type, headers=headers)


@router.delete("/{register_id}", status_code=204, responses=problems(Forbidden, NotFound))
async def destroy_register(
    *, register_id: PathId, principal: Dispatcher, store: StoreDep
) -> None:
    """Destroy one of your registers before it expires. Files that were taken are not here."""
    if not await store.write(lambda db: queries.drop(db, principal.account, register_id)):
        raise NotFound
