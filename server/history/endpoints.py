"""What happened to one record."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from server.accesslog.access import ReadingDep
from server.archive.queries import record_in
from server.breakglass.sight import Broken, sight_of
from server.deps import Now, StoreDep
from server.history.reading import Line, history_lines
from server.history.schemas import HistoryItem, HistoryParameters
from server.households.problems import RecordRestricted
from server.inbox.access import InboxPrincipal, may_read_values
from server.paging import Page, decode_cursor, paged
from server.problems import (
    Forbidden,
    InvalidParameter,
    NotFound,
    problems,
)
from server.recordids import PathId
from sync.codec import decode_record
from sync.state import restricted_for

router = APIRouter(prefix="/v1/records", tags=["history"])


def _is_restricted(row: Any) -> bool:
    record = decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
    return bool(restricted_for(record))


@router.get("/{record_id}/history", responses=problems(Forbidden, NotFound, InvalidParameter))
async def read_history(
    *,
    record_id: PathId,
    parameters: Annotated[HistoryParameters, Query()],
    principal: InboxPrincipal,
    store: StoreDep,
    now: Now,
    reading: ReadingDep,
) -> Page[HistoryItem]:
    """Tell who asked for what about a record, in the order in which it took effect.

    Fields are named; what was said comes with `values`. Reasons are there without it. Neither
    is for administrators, and whoever is given them is noted in the access log.
    """
    if parameters.values and not may_read_values(principal):
        raise Forbidden("An administrator reads no values.")
    key = decode_cursor(parameters.cursor, int)

    def read(db: Connection) -> tuple[list[Line], Broken | None]:
        sight = sight_of(db, principal, now, about=(record_id,))
        record = record_in(db, sight.scope, record_id)
        if record is None:
            raise NotFound
        if parameters.values and _is_restricted(record):
            raise RecordRestricted
        after = -1 if key is None else key[0]
        lines = list(
            history_lines(
                db,
                record_id,
                after=after,
                limit=parameters.limit + 1,
                values=parameters.values,
                reasons=may_read_values(principal),
            )
        )
        return lines, sight.glass((record.area_no,))

    found, glass = await store.read(read)
    page, following = paged(found, parameters.limit, lambda each: (each[0],))
    if parameters.values or any(item.why is not None for _, item in page):
        await reading.note("history", "record", (record_id,), glass=glass)
    return Page(items=[item for _, item in page], next=following)
