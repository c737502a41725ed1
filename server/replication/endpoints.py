"""`/v1/sync`: one contact, waiting for news, and repair of a replica."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from server.clock import chance
from server.db import failpoints
from server.deps import JsonBody, Load, Now, StoreDep, WakeupsDep, settings_of
from server.identity.access import DevicePrincipal
from server.identity.principal import DeviceStatus
from server.problems import (
    DeviceRevoked,
    InvalidBody,
    MalformedBody,
    NotFound,
    StaleLease,
    UpgradeRequired,
    problems,
)
from server.replication import feed_queries
from server.replication import pull as feed
from server.replication.coding import packed
from server.replication.push import BATCH_MUTATIONS_MAX, Contact, Phone, push
from server.replication.quiet import look, quiet_call
from server.replication.schemas import (
    ManifestOut,
    PartsOut,
    RecordsIn,
    RecordsOut,
    SyncIn,
    SyncOut,
    WaitOut,
)
from sync.canonical import feed_item
from sync.errors import ProtocolError, UnsupportedProtocol
from sync.manifest import PARTS
from sync.outcome import Code, Outcome
from sync.pacing import next_sync_s, takes_one_batch
from sync.push import Settled
from sync.versions import SCHEMAS
from sync.wire import (
    MUTATIONS_MAX,
    Limits,
    SyncReply,
    SyncRequest,
    WireOutcome,
    assemble_reply,
    decode_request,
    reply_head,
)

router = APIRouter(prefix="/v1/sync", tags=["sync"])
WAIT_S_MAX = 55
DAY_S = 86_400


def _body_of(model: type[SyncIn]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
    }


def _decoded(value: Any) -> SyncRequest:
    try:
        return decode_request(value)
    except UnsupportedProtocol as fault:
        raise UpgradeRequired(pointer=fault.pointer) from fault
    except ProtocolError as fault:
        raise MalformedBody(
            "The request does not follow the sync protocol.",
            errors=[{"pointer": fault.pointer, "reason": fault.reason}],
        ) from fault


def _wire_outcome(settled: Settled) -> WireOutcome:
    return WireOutcome(
        n=settled.n,
        outcome=settled.outcome,
        record=settled.ended_at or settled.record,
        rev=settled.rev,
        code=None if settled.code is None else settled.code.value,
        detail=settled.field,
        replayed=settled.replayed,
        became=settled.became,
    )


def _outcomes(contact: Contact) -> tuple[WireOutcome, ...]:
    """Outcomes worth a line: whatever is not a plain first-time `applied`."""
    settled = tuple(
        _wire_outcome(each)
        for each in contact.answers
        if each.outcome is not Outcome.APPLIED or each.replayed
    )
    return settled + tuple(
        WireOutcome(n=n, outcome=Outcome.RETRY, code=Code.BATCH_LIMIT.value)
        for n in contact.postponed
    )


@router.post(
    "",
    operation_id="sync",
    response_class=Response,
    openapi_extra=_body_of(SyncIn),
    responses={
        200: {"model": SyncOut, "description": "Whatever became of single mutations"},
        **problems(MalformedBody, StaleLease, UpgradeRequired),
    },
)
async def sync_once(
    *,
    request: Request,
    value: JsonBody,
    store: StoreDep,
    principal: DevicePrincipal,
    now: Now,
    load: Load,
) -> Response:
    """Hand in what the device did, learn what became of it, and receive what changed.

    Safe to repeat: a mutation is applied at most once, and a repeated one gets its first
    outcome.
    The outcome of a single mutation is never an HTTP error.
    """
    asked = _decoded(value)
    phone = Phone(
        device=principal.device or "", account=principal.account, role=principal.role.value
    )
    busy = takes_one_batch(load)
    quiet = None if asked.mutations else await quiet_call(store, phone, asked, now_ms=now)
    if quiet is None:
        contact = await push(store, phone, asked, received_ms=now, one_batch=busy)
        revoked = contact.revoked
        seen = await store.read(lambda db: look(db, phone, asked, now_ms=now, revoked=revoked))
    else:
        contact, seen = quiet
    pulled = seen.pulled
    head = reply_head(
        SyncReply(
            server_time_ms=now,
            incarnation=seen.incarnation,
            lease=contact.lease,
            settled_through=contact.settled_through,
            outcomes=_outcomes(contact),
            enter=pulled.enter,
            leave=pulled.leave,
            media_wanted=seen.wanted,
            next_sync_s=next_sync_s(load, chance()),
            limits=Limits(mutations=BATCH_MUTATIONS_MAX if busy else MUTATIONS_MAX),
            purge_after_s=settings_of(request).offline_days * DAY_S,
            schema=SCHEMAS.told_to(asked.app_schema),
        )
    )
    body = assemble_reply(head, pulled.pages)
    failpoints.reach("answering")
    return packed(body, request.headers.get("accept-encoding", ""))


@router.get("/wait", operation_id="wait_for_news")
async def wait_for_news(
    *,
    store: StoreDep,
    wakeups: WakeupsDep,
    principal: DevicePrincipal,
    now: Now,
    timeout_s: Annotated[int, Query(ge=1, le=WAIT_S_MAX)] = 30,
) -> WaitOut:
    """Wait until something changes in the device's buckets, at most `timeout_s` seconds.

    It says only that something changed; the change itself comes with the next sync. A missed
    wake-up costs nothing but time.
    """
    _refuse_revoked(principal.device_status)
    allowed = await store.read(lambda db: feed.allowed_buckets(db, principal.account, now))
    return WaitOut(changed=await wakeups.wait(allowed, timeout_s))


def _refuse_revoked(status: DeviceStatus | None) -> None:
    if status is DeviceStatus.REVOKED:
        raise DeviceRevoked


@router.get(
    "/manifests/{bucket}",
    operation_id="read_manifest",
    response_class=Response,
    responses={200: {"model": ManifestOut}, **problems(NotFound, DeviceRevoked)},
)
async def read_manifest(
    *,
    request: Request,
    bucket: Annotated[str, Path(max_length=80)],
    store: StoreDep,
    principal: DevicePrincipal,
    now: Now,
    part: Annotated[
        list[Annotated[str, Field(pattern="^[0-9a-f]{2}$")]],
        Query(max_length=PARTS, description="only ids that end in one of these"),
    ] = [],  # noqa: B006 - read only, and how FastAPI says "none"
) -> Response:
    """List ids and hashes of a bucket, or of some parts of it, to find what a replica lacks."""
    _refuse_revoked(principal.device_status)
    account, parts = principal.account, frozenset(part)
    listed = await store.read(
        lambda db: feed.manifest(db, _allowed(db, account, bucket, now), parts)
    )
    return _packed_json(listed, request)


@router.get(
    "/manifests/{bucket}/parts",
    operation_id="read_manifest_parts",
    response_class=Response,
    responses={200: {"model": PartsOut}, **problems(NotFound, DeviceRevoked)},
)
async def read_manifest_parts(
    *,
    request: Request,
    bucket: Annotated[str, Path(max_length=80)],
    store: StoreDep,
    principal: DevicePrincipal,
    now: Now,
) -> Response:
    """Give the digest of each of the 256 parts of a bucket, to find which of them differ."""
    _refuse_revoked(principal.device_status)
    account = principal.account
    listed = await store.read(
        lambda db: feed.manifest_parts(db, _allowed(db, account, bucket, now))
    )
    return _packed_json(listed, request)


def _allowed(db: Any, account: str, bucket: str, now: int) -> str:
    """Return the bucket if the account may hold it now; else it does not exist."""
    if not feed.may_hold(db, account, bucket, now):
        raise NotFound
    return bucket


def _packed_json(value: Any, request: Request) -> Response:
    body = json.dumps(value, separators=(",", ":")).encode()
    return packed(body, request.headers.get("accept-encoding", ""))


@router.post(
    "/records",
    operation_id="read_records",
    response_class=Response,
    responses={200: {"model": RecordsOut}, **problems(InvalidBody, DeviceRevoked)},
)
async def read_records(
    *,
    request: Request,
    asked: RecordsIn,
    store: StoreDep,
    principal: DevicePrincipal,
    now: Now,
) -> Response:
    """Send the asked records again; those the device may not hold are left out."""
    _refuse_revoked(principal.device_status)

    def read(db: Any) -> list[bytes]:
        allowed = feed.allowed_buckets(db, principal.account, now)
        rows = feed_queries.bodies_in(db, allowed, asked.records)
        return [feed_item(row.body, row.hash) for row in rows]

    items = await store.read(read)
    body = b'{"records":[%s]}' % b",".join(items)
    return packed(body, request.headers.get("accept-encoding", ""))
