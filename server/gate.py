"""The gate in front of every request: identity of the request, its body, and the last resort.

A body is read whole, within a deadline and a size, unpacked, and parsed once by the strict
parser before any endpoint sees it. The parsed value is `request.state.json`; endpoints that let
FastAPI parse read the same bytes again, except those in `PARSED_PATHS`, which take the value.
The bodies of uploads are not JSON and not read here: they stream through, at a pace.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPMethod
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.admission import Admission, Rank
from server.clock import new_id, now_ms, ticks_s
from server.db import failpoints
from server.headers import add_security_headers
from server.inflate import Inflater
from server.problem_answers import problem_of_fault
from server.problems import (
    BodyTimeout,
    BodyTooLarge,
    MalformedBody,
    Problem,
    ServiceUnavailable,
    Unauthenticated,
    UnsupportedMedia,
)
from server.punctual import Pace, punctual
from server.quotas import Quotas
from server.settings import Limits
from server.strict_json import parse

WITH_BODY = frozenset({HTTPMethod.POST, HTTPMethod.PUT, HTTPMethod.PATCH})
MEDIA_TYPES = frozenset(
    {"application/json", "application/geo+json", "application/merge-patch+json"}
)
THREAD_FROM_BYTES = 128 * 1024
SYNC_PATH = "/v1/sync"
UPLOADS_PATH = "/v1/uploads"
GRID_FILES_PATH = "/v1/grids:upload"
UNCOUNTED_PATHS = frozenset({"/livez", "/readyz", "/v1/sync/wait"})  # cheap, or only waiting
BULK_PATHS = frozenset({"/v1/geojson:validate", "/v1/grids:import"})
BULK_PREFIX = ("/v1/layers/", "/v1/boundary-changes")
CHANGES_PATH = "/v1/boundary-changes"
LOCATE_PATH = "/v1/locate"
PARSED_PATHS = frozenset({SYNC_PATH}) | BULK_PATHS
_STEPS = {"http.response.start": "answer-started", "http.response.body": "answered"}
_CHARSET = re.compile(r'\s*charset\s*=\s*"?utf-?8"?\s*', re.IGNORECASE)


class AnswerAborted(Exception):  # noqa: N818 - not an error of its own
    """An answer broke off half-way; the connection must be closed, there is nothing to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRule:
    """How large a body may be (unpacked) and how long it may take to arrive."""

    limit_bytes: int
    deadline_s: float


def body_rule(path: str, limits: Limits) -> BodyRule:
    """Return the rule for bodies sent to `path`."""
    if path == SYNC_PATH:
        return BodyRule(limit_bytes=limits.sync_bytes, deadline_s=limits.bulk_deadline_s)
    if path in BULK_PATHS or path.startswith(CHANGES_PATH):
        return BodyRule(limit_bytes=limits.geojson_bytes, deadline_s=limits.bulk_deadline_s)
    if path == LOCATE_PATH:
        return BodyRule(limit_bytes=limits.locate_bytes, deadline_s=limits.bulk_deadline_s)
    return BodyRule(limit_bytes=limits.json_bytes, deadline_s=limits.body_deadline_s)


def is_upload(path: str) -> bool:
    """Say whether bodies sent to `path` are pieces of a photo."""
    return path == UPLOADS_PATH or path.startswith(f"{UPLOADS_PATH}/")


def is_bulk(path: str, method: str) -> bool:
    """Say whether a request waits for a place among the large ones."""
    if path == LOCATE_PATH:
        return method in WITH_BODY  # a batch; a single position is quick
    return path in BULK_PATHS or path.startswith(BULK_PREFIX)


def is_streamed(path: str) -> bool:
    """Say whether bodies sent to `path` go to their endpoint unread."""
    return is_upload(path) or path == GRID_FILES_PATH


def upload_pace(limits: Limits, path: str = UPLOADS_PATH) -> Pace:
    """Return the pace of one request of an upload."""
    file = path == GRID_FILES_PATH
    return Pace(
        limit_bytes=limits.geojson_bytes if file else limits.upload_bytes,
        deadline_s=limits.bulk_deadline_s if file else limits.upload_deadline_s,
        stall_s=limits.upload_stall_s,
        grace_s=limits.body_grace_s,
        rate=limits.body_rate,
    )


def rank_of(path: str) -> Rank:
    """Return how important requests to `path` are while places are short.

    A sync counts as an upload here; one that brings nothing is only a pull.
    """
    if path == SYNC_PATH:
        return Rank.UPLOAD
    if path.startswith(f"{SYNC_PATH}/") or is_upload(path):
        return Rank.PULL
    return Rank.CONSOLE


class Gate:
    """ASGI middleware; the outermost one.

    `request.state.load` tells endpoints how busy the server was when the request came.
    """

    def __init__(
        self, app: ASGIApp, *, limits: Limits, quotas: Quotas | None = None, hsts: bool = False
    ) -> None:
        self._app = app
        self._limits = limits
        self._hsts = hsts
        self._buffered = 0
        self._quotas = quotas or Quotas(
            requests=limits.caller_requests, window_s=limits.caller_window_s
        )
        self._admission = Admission(
            places=limits.requests, waiting=limits.waiting, waiting_s=limits.waiting_s
        )
        self._bulk = Admission(
            places=limits.bulk_requests,
            waiting=limits.waiting,
            waiting_s=limits.bulk_waiting_s,
        )
        # Photos have places of their own, so that records never queue behind them.
        self._uploads = Admission(
            places=limits.uploads, waiting=limits.waiting, waiting_s=limits.waiting_s
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id()
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        answer = _Answer(send, scope, request_id=request_id, hsts=self._hsts)
        try:
            await self._pass(scope, receive, answer)
        except Problem as problem:
            await answer.problem(problem, scope, receive)
        except Exception as error:  # noqa: BLE001 - the last resort; it logs and answers 500
            await answer.problem(problem_of_fault(error, request_id), scope, receive)

    async def _pass(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        path: str = scope["path"]
        self._count(scope)
        if path in UNCOUNTED_PATHS:
            await self._app(scope, receive, answer.send)
            return
        bulk = is_bulk(path, scope["method"])
        admission, rank = self._bulk if bulk else self._admission, rank_of(path)
        scope["state"]["load"] = self._admission.load
        if scope["method"] not in WITH_BODY:
            async with admission.place(rank):
                await self._app(scope, receive, answer.send)
            return
        if is_streamed(path):
            await self._stream(scope, receive, answer)
            return
        failpoints.reach("entry")
        body = await self._read(scope, receive, admission, rank)
        try:
            failpoints.reach("body-read")
            if body:
                scope["state"]["json"] = await _parsed(bytes(body))
            replay = b"" if path in PARSED_PATHS else bytes(body)
            async with admission.place(_rank_with(scope["state"].get("json"), rank)):
                await self._app(scope, _replayed(replay, receive), answer.send)
        finally:
            self._buffered -= len(body)

    def _count(self, scope: Scope) -> None:
        """Count a caller's request; those without a token are refused before they cost much."""
        authorization = Headers(scope=scope).get("authorization")
        if authorization is not None:
            self._quotas.take(authorization, now_ms())

    async def _stream(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Let the body of an upload through at a pace; the endpoint decides what it reads."""
        headers = Headers(scope=scope)
        if "authorization" not in headers:
            raise Unauthenticated
        if headers.get("content-encoding", "identity") != "identity":
            raise UnsupportedMedia("An upload is sent as it is, without a content encoding.")
        pace = upload_pace(self._limits, scope["path"])
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > pace.limit_bytes:
            raise BodyTooLarge(limit_bytes=pace.limit_bytes)
        async with self._uploads.place():
            await self._app(scope, punctual(receive, pace), answer.send)

    async def _read(
        self, scope: Scope, receive: Receive, admission: Admission, rank: Rank
    ) -> bytearray:
        """Return the unpacked body; what it occupies is counted in `_buffered`."""
        headers = Headers(scope=scope)
        if "authorization" not in headers:
            raise Unauthenticated
        admission.check(rank)
        rule = body_rule(scope["path"], self._limits)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > rule.limit_bytes:
            raise BodyTooLarge(limit_bytes=rule.limit_bytes)
        inflater = self._inflater(headers, rule)
        body = bytearray()
        try:
            async for piece in _arriving(receive, rule, self._limits):
                if not body:
                    _check_media_type(headers)
                for unpacked in [piece] if inflater is None else inflater.feed(piece):
                    self._keep(body, unpacked, rule)
            if inflater is not None:
                inflater.finish()
        except BaseException:
            self._buffered -= len(body)
            raise
        return body

    def _inflater(self, headers: Headers, rule: BodyRule) -> Inflater | None:
        encodings = headers.getlist("content-encoding")
        if not encodings or encodings == ["identity"]:
            return None
        if [each.strip().lower() for each in encodings] != ["gzip"]:
            raise UnsupportedMedia("Of the content encodings only gzip, once, is understood.")
        return Inflater(limit_bytes=rule.limit_bytes, ratio=self._limits.gzip_ratio)

    def _keep(self, body: bytearray, piece: bytes, rule: BodyRule) -> None:
        if len(body) + len(piece) > rule.limit_bytes:
            raise BodyTooLarge(limit_bytes=rule.limit_bytes)
        if self._buffered + len(piece) > self._limits.buffered_bytes:
            raise ServiceUnavailable("Too many bodies are arriving at once.")
        body += piece
        self._buffered += len(piece)


class _Answer:
    """Sends the answer with the headers that every answer has."""

    def __init__(self, send: Send, scope: Scope, *, request_id: str, hsts: bool) -> None:
        self._send = send
        self._writes = scope["method"] in WITH_BODY
        self._request_id = request_id
        self._hsts = hsts
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            add_security_headers(headers, hsts=self._hsts)
        await self._send(message)
        if self._writes:
            failpoints.reach(_STEPS.get(message["type"], ""))

    async def problem(self, problem: Problem, scope: Scope, receive: Receive) -> None:
        if self._started:
            raise AnswerAborted from None
        await problem.response(self._request_id)(scope, receive, self.send)


async def _arriving(receive: Receive, rule: BodyRule, limits: Limits) -> AsyncIterator[bytes]:
    """Yield the pieces of a body while it arrives fast enough."""
    begun = ticks_s()
    arrived = 0
    more = True
    while more:
        slow_s = limits.body_grace_s + arrived / limits.body_rate
        left_s = min(rule.deadline_s, slow_s) - (ticks_s() - begun)
        try:
            async with asyncio.timeout(max(left_s, 0)):
                message = await receive()
        except TimeoutError:
            message = None
        if message is None:
            raise BodyTimeout
        if message["type"] == "http.disconnect":
            raise MalformedBody("The connection was closed before the body was complete.")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        arrived += len(piece)
        if piece:
            yield piece


def _rank_with(value: Any, rank: Rank) -> Rank:
    """Return the rank of a request now that its body is known."""
    if rank is Rank.UPLOAD and isinstance(value, dict) and not value.get("mutations"):
        return Rank.PULL
    return rank


def _check_media_type(headers: Mapping[str, str]) -> None:
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    if media_type.strip().lower() not in MEDIA_TYPES:
        raise UnsupportedMedia("Send application/json.")
    if parameters and _CHARSET.fullmatch(parameters) is None:
        raise UnsupportedMedia("JSON is sent in UTF-8.")


async def _parsed(body: bytes) -> Any:
    """Parse here if it is quick, else in a thread, so that other requests go on."""
    if len(body) < THREAD_FROM_BYTES:
        return parse(body)
    return await asyncio.to_thread(parse, body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body once, then what the connection says."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
