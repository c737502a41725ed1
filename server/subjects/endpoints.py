"""Requests of people about their own data: take in, list, work on, answer."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed, scope_of
from server.consolewrites import Asking, tagged
from server.db.store import Store
from server.deps import Now, SettingsDep, StoreDep
from server.identifiers.destroying import DestroyingDep
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    AlreadyExists,
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NeedsPerson,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RecordMerged,
    TooManyDependants,
    TransitionRefused,
    problems,
)
from server.recordids import PathId
from server.subjects import answering, commands, queries, restricting
from server.subjects.access import Handling, Taker, Viewer
from server.subjects.queries import DbRow
from server.subjects.reading import own_only, request_body, request_detail, the_request
from server.subjects.schemas import (
    Correction,
    ErasedForBody,
    ErasingBody,
    SubjectBody,
    SubjectCreate,
    SubjectDetail,
    SubjectParameters,
    SubjectRefusal,
)

router = APIRouter(prefix="/v1/subject-requests", tags=["subject requests"])
WORK_MS = 60_000
_STEP = (Forbidden, NotFound, TransitionRefused, PreconditionFailed, PreconditionRequired)
_STEPPING = problems(*_STEP)


@router.get("", responses=problems(Forbidden, InvalidParameter))
async def list_subject_requests(
    *,
    parameters: Annotated[SubjectParameters, Query()],
    principal: Viewer,
    store: StoreDep,
    now: Now,
) -> Page[SubjectBody]:
    """List requests about people of your area, the next due first; a worker's own ones only."""
    key = decode_cursor(parameters.cursor, int, Id)
    named = {
        "state": parameters.state,
        "asked": parameters.asked,
        "record_id": parameters.record,
    }
    equal = {name: value for name, value in named.items() if value is not None}
    rows = await store.read(
        lambda db: queries.requests_in(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal=equal | own_only(principal),
            overdue=parameters.overdue,
            now_ms=now,
            after=key,
            limit=parameters.limit + 1,
        )
    )
    page, following = paged(rows, parameters.limit, lambda row: (row.due_ms, row.id))
    return Page(items=[request_body(row, now) for row in page], next=following)


@router.post(
    "",
    status_code=201,
    response_model=SubjectDetail,
    responses=problems(Forbidden, AlreadyExists, RecordMerged, InvalidBody),
)
async def receive_subject_request(
    *,
    body: SubjectCreate,
    principal: Taker,
    store: StoreDep,
    now: Now,
    settings: SettingsDep,
) -> Response:
    """Take in what somebody asks about their own data. A repeat with the same `id` answers 200.

    It is due after `JINGWEI_REQUEST_DAYS` days of the calendar.
    """
    asking = Asking(principal=principal, now_ms=now)

    def work(db: Connection) -> tuple[SubjectDetail, bool]:
        row, fresh = commands.receive(db, asking, body, days=settings.request_days)
        return request_detail(db, row, now), fresh

    made, fresh = await store.write(work)
    address = f"/v1/subject-requests/{made.id}" if fresh else None
    return tagged(made, made.rev, made_at=address)


@router.get(
    "/{request_id}", response_model=SubjectDetail, responses=problems(Forbidden, NotFound)
)
async def read_subject_request(
    *, request_id: PathId, principal: Viewer, store: StoreDep, now: Now
) -> Response:
    """Return one request with everything that was done for it."""

    def read(db: Connection) -> SubjectDetail:
        row = the_request(db, scope_of(db, principal, now), principal, request_id)
        return request_detail(db, row, now)

    found = await store.read(read)
    return tagged(found, found.rev)


@router.post("/{request_id}/begin", response_model=SubjectDetail, responses=_STEPPING)
async def begin_subject_request(
    *, request_id: PathId, rev: IfMatch, asking: Handling, store: StoreDep
) -> Response:
    """Begin to work on a request, or take it over from somebody. Needs `If-Match`."""
    return await _stepped(
        store, asking, lambda db: commands.take_on(db, asking, request_id, rev=rev)
    )


@router.post("/{request_id}/answer", response_model=SubjectDetail, responses=_STEPPING)
async def answer_subject_request(
    *, request_id: PathId, rev: IfMatch, asking: Handling, store: StoreDep
) -> Response:
    """Say that a request was answered; what it asks for has to be done. Needs `If-Match`."""
    return await _stepped(
        store, asking, lambda db: commands.answer(db, asking, request_id, rev=rev)
    )


@router.post(
    "/{request_id}/refuse",
    response_model=SubjectDetail,
    responses=problems(*_STEP, InvalidBody),
)
async def refuse_subject_request(
    *, request_id: PathId, body: SubjectRefusal, rev: IfMatch, asking: Handling, store: StoreDep
) -> Response:
    """Refuse a request, with the legal reason. Needs `If-Match`."""
    return await _stepped(
        store,
        asking,
        lambda db: commands.refuse(db, asking, request_id, reason=body.reason, rev=rev),
    )


@router.post(
    "/{request_id}/correct",
    response_model=SubjectDetail,
    responses=problems(*_STEP, InvalidBody, NeedsPerson),
)
async def correct_for_request(
    *, request_id: PathId, body: Correction, rev: IfMatch, asking: Handling, store: StoreDep
) -> Response:
    """Correct what is wrong of somebody who asked for it. Needs `If-Match` of the request.

    The record's own revision stands in the body; its history shows the change like any other.
    """
    return await _stepped(
        store, asking, lambda db: commands.correct(db, asking, request_id, body, rev=rev)
    )


@router.post(
    "/{request_id}/erase",
    response_model=ErasedForBody,
    responses=problems(*_STEP, InvalidBody, TooManyDependants),
)
async def erase_for_request(
    *,
    request_id: PathId,
    body: ErasingBody,
    rev: IfMatch,
    asking: Handling,
    store: StoreDep,
    destroy: DestroyingDep,
) -> Response:
    """Erase somebody who asked for it; first with `dry_run`. Needs `If-Match` of the request.

    What the record takes along has to be counted as it stands now, or it is not erased.
    """

    def work(db: Connection) -> ErasedForBody:
        row, took = commands.erase_for(db, asking, request_id, body, rev=rev)
        return ErasedForBody(request=request_detail(db, row, asking.now_ms), erasure=took)

    done = await store.write(work, timeout_ms=WORK_MS)
    if not body.dry_run:
        await destroy()
        await store.scrub()
    return tagged(done, done.request.rev)


@router.post(
    "/{request_id}/restrict",
    response_model=SubjectDetail,
    responses=problems(*_STEP, TooManyDependants),
)
async def restrict_for_request(
    *, request_id: PathId, rev: IfMatch, asking: Handling, store: StoreDep
) -> Response:
    """Let nobody use what is held about somebody, with all that belongs to it, until lifted.

    Phones drop it, lists, search and counts leave it out, changes wait or are refused. What is
    done for requests goes on. Needs `If-Match`.
    """
    return await _stepped(
        store,
        asking,
        lambda db: restricting.restrict(db, asking, request_id, rev=rev),
        timeout_ms=WORK_MS,
    )


@router.post(
    "/{request_id}/lift",
    response_model=SubjectDetail,
    responses=problems(*_STEP, TooManyDependants),
)
async def lift_for_request(
    *, request_id: PathId, rev: IfMatch, asking: Handling, store: StoreDep
) -> Response:
    """End a restriction, also of a request that was answered long ago. Needs `If-Match`."""
    return await _stepped(
        store,
        asking,
        lambda db: restricting.lift(db, asking, request_id, rev=rev),
        timeout_ms=WORK_MS,
    )


@router.post("/{request_id}/copy", response_model=SubjectDetail, responses=_STEPPING)
async def make_subject_copy(
    *,
    request_id: PathId,
    rev: IfMatch,
    asking: Handling,
    store: StoreDep,
    settings: SettingsDep,
) -> Response:
    """Make the copy of everything that is held about somebody. Needs `If-Match`.

    Who works on the request can fetch it for `JINGWEI_COPY_DAYS` days; then it is destroyed.
    """
    return await _stepped(
        store,
        asking,
        lambda db: answering.make_copy(
            db, asking, request_id, rev=rev, days=settings.copy_days
        ),
        timeout_ms=WORK_MS,
    )


@router.get(
    "/{request_id}/copy",
    responses={
        200: {"content": {"application/json": {}}, "description": "The copy"},
        **problems(Forbidden, NotFound),
    },
    response_class=Response,
)
async def fetch_subject_copy(
    *, request_id: PathId, asking: Handling, store: StoreDep, reading: ReadingDep
) -> Response:
    """Fetch the copy that was made for a request, if you work on it. It is noted."""
    given = await store.read(lambda db: answering.fetch_copy(db, asking, request_id))
    await reading.note("read", "copy", (given.record,))
    headers = {"content-disposition": 'attachment; filename="copy.json"'}
    return Response(given.body, 200, headers, media_type="application/json")


async def _stepped(
    store: Store,
    asking: Asking,
    step: Callable[[Connection], DbRow],
    *,
    timeout_ms: int | None = None,
) -> Response:
    """Do one step of a request in a transaction and answer with how it stands afterwards."""
    done = await store.write(
        lambda db: request_detail(db, step(db), asking.now_ms), timeout_ms=timeout_ms
    )
    return tagged(done, done.rev)
