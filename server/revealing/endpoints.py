"""Show names and telephone numbers that are masked everywhere else."""

from typing import Annotated

from fastapi import APIRouter, Path

from server.inbox.access import may_read_values
from server.problems import (
    Forbidden,
    InvalidBody,
    NotFound,
    RecordMerged,
    TooManyRequests,
    problems,
)
from server.recordids import PathId
from server.revealing import reading
from server.revealing.access import DeskDep
from server.revealing.schemas import FieldsReveal, RevealedFields, RevealedWork, Why
from sync.fields import INT_LIMIT

router = APIRouter(prefix="/v1", tags=["reveal"])
Number = Annotated[int, Path(ge=1, le=INT_LIMIT, description="The mutation's number.")]
_LOOKING = problems(Forbidden, NotFound, InvalidBody, TooManyRequests)


@router.post("/records/{record_id}/reveal", responses={**_LOOKING, **problems(RecordMerged)})
async def reveal_record(
    *, record_id: PathId, body: FieldsReveal, desk: DeskDep
) -> RevealedFields:
    """Show masked fields of a household or a resident of your area, whole.

    Who looked, at what, for which purpose and why is in the access log before the answer is
    given, and whom it is about may ask for it. An account may look so many times in a minute
    and in a day; then the answer is `429`.
    """
    return await desk.store.write(lambda db: reading.revealed_fields(db, desk, record_id, body))


@router.post("/held/{device}/{n}/reveal", responses=_LOOKING)
async def reveal_held(*, device: PathId, n: Number, body: Why, desk: DeskDep) -> RevealedWork:
    """Show what waiting work says, whole: to correct it every member has to be sent again."""
    if not may_read_values(desk.asking.principal):
        raise Forbidden("Only a dispatcher reads and corrects what work says.")
    return await desk.store.write(lambda db: reading.revealed_work(db, desk, (device, n), body))
