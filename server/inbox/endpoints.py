"""The inbox: list what waits for a person, read it, release it, refuse it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection

from server.accesslog.access import ReadingDep
from server.areas.queries import narrowed, scope_of
from server.consolewrites import Asking, tagged
from server.db.store import Store
from server.deps import Now, StoreDep
from server.inbox import commands
from server.inbox.access import AskingDep, InboxPrincipal
from server.inbox.commands import Rehearsed, Word
from server.inbox.queries import inbox_rows
from server.inbox.reading import summaries_of, the_held
from server.inbox.schemas import (
    BulkRefusal,
    BulkRelease,
    BulkResult,
    HeldBody,
    HeldParameters,
    HeldSummary,
    Refusal,
    Release,
    Selection,
)
from server.paging import Id, Page, decode_cursor, paged
from server.preconditions import IfMatch
from server.problems import (
    Forbidden,
    InvalidBody,
    InvalidParameter,
    NeedsPerson,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    TransitionRefused,
    problems,
)
from server.recordids import PathId
from sync.fields import INT_LIMIT
from sync.release import REFUSE, RELEASE

router = APIRouter(prefix="/v1/held", tags=["inbox"])
_RULING = problems(
    Forbidden,
    NotFound,
    TransitionRefused,
    NeedsPerson,
    PreconditionFailed,
    InvalidBody,
    PreconditionRequired,
)


Number = Annotated[int, Path(ge=1, le=INT_LIMIT, description="The mutation's number.")]


@router.get("", responses=problems(InvalidParameter, Forbidden))
async def list_held(
    *,
    parameters: Annotated[HeldParameters, Query()],
    principal: InboxPrincipal,
    store: StoreDep,
    now: Now,
) -> Page[HeldSummary]:
    """List what waits or waited for a person in your area, the newest first, without values."""
    key = decode_cursor(parameters.cursor, int, Id, int)
    named = {
        "status": parameters.status,
        "device_id": parameters.device,
        "code": parameters.code,
        "outcome": parameters.outcome,
    }

    def read(db: Connection) -> Page[HeldSummary]:
        found = inbox_rows(
            db,
            narrowed(db, scope_of(db, principal, now), parameters.area),
            equal={name: value for name, value in named.items() if value is not None},
            account=parameters.account,
            after=key,
            limit=parameters.limit + 1,
        )
        page, following = paged(
            found, parameters.limit, lambda row: (row.held_ms, row.device_id, row.n)
        )
        return Page(items=summaries_of(db, page, now), next=following)

    return await store.read(read)


@router.get("/{device}/{n}", response_model=HeldBody, responses=problems(Forbidden, NotFound))
async def read_held(
    *, device: PathId, n: Number, asking: AskingDep, store: StoreDep, reading: ReadingDep
) -> Response:
    """Return one mutation with what it says; the `ETag` is its version."""
    found = await store.read(
        lambda db: the_held(
            db, scope_of(db, asking.principal, asking.now_ms), asking, (device, n)
        )
    )
    if found.body is not None and found.record is not None:
        await reading.note("read", "held", (found.record,))
    return tagged(found, found.version)


async def _rule(
    store: Store, asking: Asking, key: tuple[str, int], word: Word, *, version: int
) -> Response:
    """Rule, commit, and only then say that it still cannot be applied."""
    found, code = await store.write(
        lambda db: commands.rule(db, asking, key, word, version=version)
    )
    if code is not None:
        raise NeedsPerson("It still waits; `code` says what stands in the way now.", code=code)
    return tagged(found, found.version)


@router.post("/{device}/{n}/release", response_model=HeldBody, responses=_RULING)
async def release_held(
    *,
    device: PathId,
    n: Number,
    body: Release,
    version: IfMatch,
    asking: AskingDep,
    store: StoreDep,
) -> Response:
    """Let it count, as sent or corrected: with its own author, base and time.

    Whoever releases it vouches for it, so authority that was missing counts as given. If it
    still cannot be applied it stays open with the new code. Needs `If-Match` with its version.
    """
    word = Word(act=RELEASE, text=body.text, correction=body.correction)
    return await _rule(store, asking, (device, n), word, version=version)


@router.post("/{device}/{n}/refuse", response_model=HeldBody, responses=_RULING)
async def refuse_held(
    *,
    device: PathId,
    n: Number,
    body: Refusal,
    version: IfMatch,
    asking: AskingDep,
    store: StoreDep,
) -> Response:
    """Let it not count, with the reason. It stays in the log; nothing is deleted."""
    return await _rule(
        store, asking, (device, n), Word(act=REFUSE, text=body.text), version=version
    )


async def _rule_on_all(
    store: Store, asking: Asking, selection: Selection, word: Word
) -> BulkResult:
    try:
        return await store.write(lambda db: commands.rule_on_all(db, asking, selection, word))
    except Rehearsed as rehearsed:
        return rehearsed.result


@router.post("/release", responses=problems(Forbidden, InvalidBody))
async def release_many(*, body: BulkRelease, asking: AskingDep, store: StoreDep) -> BulkResult:
    """Let one device's waiting work count, in its order; what still cannot stays open.

    With `dry_run` the same work is done and taken back, so the answer is what would happen.
    """
    return await _rule_on_all(store, asking, body, Word(act=RELEASE, text=body.text))


@router.post("/refuse", responses=problems(Forbidden, InvalidBody))
async def refuse_many(*, body: BulkRefusal, asking: AskingDep, store: StoreDep) -> BulkResult:
    """Let one device's waiting work not count."""
    return await _rule_on_all(store, asking, body, Word(act=REFUSE, text=body.text))
