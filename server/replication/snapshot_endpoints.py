"""`/v1/sync/snapshots`: a whole bucket as one packed file, in pieces as the link needs."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from sqlalchemy import Connection

from server.deps import Now, StoreDep
from server.identity.access import DevicePrincipal
from server.identity.principal import DeviceStatus
from server.problems import (
    DeviceRevoked,
    NotAcceptable,
    NotFound,
    RangeNotSatisfiable,
    problems,
)
from server.replication import pull as feed
from server.replication import snapshot_queries, snapshots
from server.replication.coding import coding_of
from server.replication.ranges import Unsatisfiable, wanted_range
from server.replication.snapshot_queries import Kept, Key

router = APIRouter(prefix="/v1/sync/snapshots", tags=["sync"])
_KEEP = "private, max-age=31536000, immutable"
_NUMBER_MAX = 2**53

Bucket = Annotated[str, Path(max_length=80)]
Number = Annotated[int, Path(ge=1, le=_NUMBER_MAX)]
Text = Annotated[str | None, Header(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The headers that say which part of a file is wanted, and whether it is known already."""

    range: str | None
    if_range: str | None
    if_none_match: str | None


def _the_lock(request: Request) -> asyncio.Lock:
    """The lock that lets one file at a time be packed in this process."""
    state = request.app.state
    if not hasattr(state, "packing"):
        state.packing = asyncio.Lock()
    lock: asyncio.Lock = state.packing
    return lock


def _coding(request: Request) -> str:
    accepted = request.headers.get("accept-encoding")
    coding = "gzip" if accepted is None else coding_of(accepted)
    if coding is None:
        raise NotAcceptable("A snapshot is packed: accept gzip or zstd.")
    return coding


@router.get(
    "/{bucket}/{epoch}/{seq}",
    operation_id="read_snapshot",
    response_class=Response,
    responses={
        200: {"description": "The whole file", "content": {"application/json": {}}},
        206: {"description": "The part that `Range` asks for"},
        304: {"description": "The caller has it already"},
        307: {"description": "It is no longer kept; `Location` names the newest"},
        **problems(NotFound, NotAcceptable, DeviceRevoked, RangeNotSatisfiable),
    },
)
async def read_snapshot(  # noqa: PLR0913, PLR0917 - a request's members, read by name
    request: Request,
    bucket: Bucket,
    epoch: Number,
    seq: Number,
    store: StoreDep,
    principal: DevicePrincipal,
    now: Now,
    range_: Annotated[str | None, Header(alias="range", max_length=200)] = None,
    if_range: Text = None,
    if_none_match: Text = None,
) -> Response:
    """Send a bucket as it was at `seq`: what a reply offered as `snapshot` of a page.

    The file never changes, so it may be fetched in pieces and over days. Whether the device may
    still hold the bucket is asked each time.
    """
    if principal.device_status is DeviceStatus.REVOKED:
        raise DeviceRevoked
    key = Key(bucket=bucket, epoch=epoch, seq=seq, coding=_coding(request))
    asked = Asked(range=range_, if_range=if_range, if_none_match=if_none_match)

    def look(db: Connection) -> Response | None:
        if not feed.may_hold(db, principal.account, bucket, now):
            raise NotFound
        return _answer(db, key, asked)

    found = await store.ask(look)
    if found is not None:
        return found
    async with _the_lock(request):
        found = await store.read(look)
        made = None if found else await snapshots.make(store, bucket, key.coding, now_ms=now)
    if found is None and made is None:
        raise NotFound
    if made is None or made == key:
        return found or await store.read(look) or _elsewhere(key)
    return _elsewhere(made)


def _elsewhere(key: Key) -> Response:
    place = f"{router.prefix}/{key.bucket}/{key.epoch}/{key.seq}"
    return Response(status_code=307, headers={"location": place, "cache-control": "no-store"})


def _answer(db: Connection, key: Key, asked: Asked) -> Response | None:
    """Answer with what is stored under `key`, or None if nothing is."""
    kept = snapshot_queries.kept(db, key, content=asked.range is None)
    if kept is None:
        return None
    headers = {
        "etag": kept.etag,
        "cache-control": _KEEP,
        "accept-ranges": "bytes",
        "vary": "accept-encoding",
    }
    if asked.if_none_match is not None and kept.etag in asked.if_none_match:
        return Response(status_code=304, headers=headers)
    first, last, status = _part(asked, kept)
    if status == 206:
        headers["content-range"] = f"bytes {first}-{last}/{kept.size}"
    content = kept.content or snapshot_queries.span(
        db, key, first=first, length=last - first + 1
    )
    if content is None:
        return None
    headers["content-encoding"] = key.coding
    return Response(content, status, headers, media_type="application/json")


def _part(asked: Asked, kept: Kept) -> tuple[int, int, int]:
    """First and last byte and the status; a range of another version is answered whole."""
    wanted = None
    if asked.if_range in {None, kept.etag}:
        try:
            wanted = wanted_range(asked.range, kept.size)
        except Unsatisfiable as fault:
            raise RangeNotSatisfiable(size=kept.size) from fault
    return (0, kept.size - 1, 200) if wanted is None else (*wanted, 206)
