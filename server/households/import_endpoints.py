"""Import tables of the registry over HTTP: as many rows as one request may wait for."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from server.deps import StoreDep
from server.identity.access import require
from server.identity.principal import Principal, Role
from server.imports.cells import FileFault
from server.imports.headings import COLUMNS, UNMAPPED, read_mapping
from server.imports.registry import import_rows
from server.imports.report import Code, ImportReport
from server.imports.tables import Table, read_table
from server.imports.writing import Options
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    UnsupportedMedia,
    problems,
)
from server.replication.submit import Console

router = APIRouter(prefix="/v1", tags=["households"])
Dispatcher = Annotated[Principal, Depends(require(Role.DISPATCHER))]
MEDIA_TYPES = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/csv",
)
ROWS_MAX = 10_000
LISTED_MAX = 1_000
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES
        },
    }
}


class TableKind(StrEnum):
    """What a table holds."""

    DWELLINGS = "dwellings"
    HOUSEHOLDS = "households"
    RESIDENTS = "residents"


class TableParameters(BaseModel):
    """What is imported, and how the columns are to be read."""

    kind: TableKind = Field(description="What the rows are.")
    mapping: str | None = Field(
        None,
        max_length=4_000,
        description="JSON with `columns` (heading to column), `ignore` (headings), `sheet`.",
    )
    dry_run: bool = Field(default=False, description="True: read and compare, write nothing.")


class RefusedRow(BaseModel):
    """One cell or row that is refused: where and why, never what it says."""

    row: int
    column: str
    reason: str
    proposal: str
    code: Code
    cells: str = Field(description="The range of merged cells.")


class TableReport(BaseModel):
    """What was done with a table."""

    kind: TableKind
    dry_run: bool
    ok: bool = Field(description="Whether every row went in, or would.")
    rows: int
    created: int
    changed: int
    unchanged: int
    refused_rows: int
    refused_count: int
    refused: list[RefusedRow] = Field(description="By row, the first 1,000.")


def _table(body: bytes, parameters: TableParameters) -> Table:
    mapped = UNMAPPED
    if parameters.mapping is not None:
        try:
            mapped = read_mapping(parameters.mapping.encode(), toml=False)
        except FileFault as fault:
            raise InvalidParameter(f"mapping: {fault.reason}", parameter="mapping") from None
    try:
        table = read_table(body, COLUMNS[parameters.kind], mapped)
    except FileFault as fault:
        reason = f"{fault.reason} ({fault.proposal})" if fault.proposal else fault.reason
        raise InvalidBody.at("", reason) from None
    if table.total > ROWS_MAX:
        reason = f"has more than {ROWS_MAX} rows; import it in parts or with jingwei import"
        raise InvalidBody.at("", reason)
    return table


@router.post(
    "/registry:import",
    responses=problems(Forbidden, InvalidBody, InvalidParameter, UnsupportedMedia),
    openapi_extra=_FILE,
)
async def import_table(
    *,
    parameters: Annotated[TableParameters, Query()],
    request: Request,
    principal: Dispatcher,
    store: StoreDep,
) -> TableReport:
    """Import a table of dwellings, households or residents inside your area, CSV or XLSX.

    Good rows go in, bad ones are reported. The file is not kept: to go on after an interruption
    or a correction send it again, what is there already is left alone.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() not in MEDIA_TYPES:
        raise UnsupportedMedia("Send text/csv or an XLSX file with its media type.")
    body = await request.body()
    table = await asyncio.to_thread(_table, body, parameters)
    report = ImportReport(kind=parameters.kind.value, dry_run=parameters.dry_run)
    options = Options(
        console=Console(account=principal.account, role=principal.role.value),
        dry_run=parameters.dry_run,
        span=(principal.area.lo, principal.area.hi),
    )
    await import_rows(store, table, options, report)
    return TableReport.model_validate(report.as_json(LISTED_MAX))
