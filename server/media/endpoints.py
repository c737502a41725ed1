"""`/v1/media`: the photos of a record, and one photo."""

from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from server.deps import Now, StoreDep
from server.media import queries
from server.media.access import MediaPrincipal, records_shown
from server.media.queries import MediaRow
from server.media.ranges import wanted_range
from server.media.schemas import MediaBody, MediaList, MediaParameters
from server.media.store import MediaDep
from server.problems import Forbidden, InvalidParameter, NotFound, ServiceUnavailable, problems
from server.upload_problems import RangeBeyondEnd
from sync.fields import Media
from sync.media import MediaState, waiting_state

router = APIRouter(prefix="/v1/media", tags=["media"])
_ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "audio/wav": "wav",
    "audio/aac": "aac",
}
_BYTES: dict[str, Any] = {
    media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in _ENDINGS
}


@router.get("", responses=problems(Forbidden, InvalidParameter))
async def list_media(
    *,
    parameters: Annotated[MediaParameters, Query()],
    principal: MediaPrincipal,
    store: StoreDep,
    now: Now,
) -> MediaList:
    """List what a report or a task names as its photos, and which of them are there."""

    def read(db: Connection) -> list[MediaRow]:
        allowed = records_shown(db, principal, now) | queries.declared_by(principal.account)
        return list(queries.declarations_of(db, parameters.record, allowed))

    return MediaList(items=_bodies(await store.read(read), now))


def _bodies(rows: Iterable[MediaRow], now_ms: int) -> list[MediaBody]:
    """One body a hash, though several devices may have declared it; a stored one says so."""
    found: dict[str, MediaBody] = {}
    for row in rows:
        body = _body(row, now_ms)
        if row.hash not in found or body.state is MediaState.STORED:
            found[row.hash] = body
    return list(found.values())


def _body(row: MediaRow, now_ms: int) -> MediaBody:
    state = _state(row, now_ms)
    there = state is MediaState.STORED
    return MediaBody(
        hash=row.hash,
        state=state,
        declared_ms=row.declared_ms,
        code=row.code if state is MediaState.REFUSED else None,
        media_type=row.media_type if there else None,
        size=row.served_size if there else None,
    )


def _state(row: MediaRow, now_ms: int) -> MediaState:
    if row.state == "stored" and row.holder is not None:
        return MediaState.STORED
    if row.state in {"refused", "erased"}:
        return MediaState(row.state)
    return waiting_state(declared_ms=row.declared_ms, under_way=row.under_way, now_ms=now_ms)


async def _begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Fetch the first piece: a store that is away shall be a problem, not half an answer."""
    first = await anext(pieces, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_them()


@router.get(
    "/{media_hash}",
    response_class=Response,
    responses={
        200: {"content": _BYTES, "description": "The photo without metadata"},
        206: {"content": _BYTES, "description": "The part of it that `Range` asked for"},
        304: {"description": "It is the one of `If-None-Match`"},
        **problems(Forbidden, NotFound, RangeBeyondEnd, ServiceUnavailable),
    },
)
async def read_media(
    *,
    media_hash: Annotated[str, Path(max_length=80, description="`sha256:` and 64 digits")],
    request: Request,
    principal: MediaPrincipal,
    store: StoreDep,
    media: MediaDep,
    now: Now,
) -> Response:
    """Return a photo or recording, stripped of metadata, if you may see a record that names it.

    The address is the hash of what the phone had; `ETag` is the hash of what is served.
    """
    if Media().fault(media_hash) is not None:
        raise NotFound

    def read(db: Connection) -> MediaRow | None:
        shown = records_shown(db, principal, now)
        return queries.readable_blob(db, media_hash, account=principal.account, through=shown)

    row = await store.read(read)
    if row is None:
        raise NotFound
    headers = {
        "etag": f'"{row.served_hash}"',
        "cache-control": "private, no-cache",
        "accept-ranges": "bytes",
        "content-disposition": f'attachment; filename="photo.{_ENDINGS[row.media_type]}"',
    }
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    try:
        part = wanted_range(request.headers.get("range"), row.served_size)
    except ValueError:
        raise RangeBeyondEnd(row.served_size) from None
    start, length = part or (0, row.served_size)
    headers["content-length"] = str(length)
    if part is not None:
        headers["content-range"] = f"bytes {start}-{start + length - 1}/{row.served_size}"
    pieces = await _begun(media.blobs.read(row.blob, start, length))
    status = 200 if part is None else 206
    return StreamingResponse(pieces, status, headers, media_type=row.media_type)
