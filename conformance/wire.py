"""The network between client and server: a proxy that records all and misbehaves on plan.

It listens on the loopback interface and passes each request on to one server. Plans are used up
by the calls of `POST /v1/sync` in order; a call without a plan passes unharmed. `beside`
rewrites the replies of all other calls.
"""

import contextlib
import gzip
import json
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Final

import httpx
import zstandard
from typing_extensions import override

HOST: Final = "127.0.0.1"
SYNC_PATH: Final = "/v1/sync"
PASS_ON_S: Final = 60.0
HOLD_S: Final = 60.0
BODY_BYTES_MAX: Final = 64 * 1024 * 1024
_NOT_PASSED_ON: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
)
Change = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to one sync call.

    `lost`: the request never arrives. `unheard`: the server does the work, nothing comes back.
    `cut`: the reply breaks off after this share of it, from 0 to 1. `twice`: the request
    arrives twice. `says`: this is answered instead of the server's reply. `asks` and `replies`
    rewrite the request and the reply. `held`: the reply waits until this is set.
    """

    lost: bool = False
    unheard: bool = False
    cut: float | None = None
    twice: bool = False
    says: "Reply | None" = None
    asks: Change | None = None
    replies: Change | None = None
    held: Event | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer on its way to the client."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def value(self) -> Any:
        """The parsed body, None if it is not JSON."""
        coding = self.headers.get("content-encoding")
        body = self.body
        if coding == "gzip":
            body = gzip.decompress(body)
        elif coding == "zstd":
            body = zstandard.ZstdDecompressor().decompress(body, BODY_BYTES_MAX)
        try:
            return json.loads(body)
        except ValueError:
            return None


@dataclass(kw_only=True)
class Exchange:
    """One call as the client made it. `heard` is the whole reply it was given, if it was."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    begun: int
    ended: int | None = None
    heard: Reply | None = None

    @property
    def value(self) -> Any:
        """The parsed request, None if it is not JSON."""
        body = self.body
        try:
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            return json.loads(body)
        except (ValueError, OSError, EOFError):
            return None


class Wire:
    """The proxy in front of one server; `url` is what the client is told."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.plans: deque[Plan] = deque()
        self.beside: Change | None = None
        self.arrived = Event()
        self._ticks = 0
        self._lock = Lock()
        self._upstream = ""
        self._http = httpx.Client(timeout=PASS_ON_S)
        wire = self

        class Passage(_Passage):
            wire_of = wire

        self._server = ThreadingHTTPServer((HOST, 0), Passage)
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def lead_to(self, url: str) -> None:
        """Pass on to another server, and forget what passed before."""
        self._upstream = url
        with self._lock:
            self.exchanges.clear()
            self.plans.clear()
            self.arrived.clear()
            self.beside = None

    def plan(self, *plans: Plan) -> None:
        """Say what happens to the next sync calls."""
        self.plans.extend(plans)

    def syncs(self) -> list[Exchange]:
        """Every sync call so far, in the order of their beginning."""
        return [each for each in self.exchanges if each.path == SYNC_PATH]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def begin(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[Exchange, Plan]:
        """Record a call and take the plan for it."""
        with self._lock:
            self._ticks += 1
            exchange = Exchange(
                method=handler.command,
                path=handler.path.partition("?")[0],
                headers={name.lower(): value for name, value in handler.headers.items()},
                body=body,
                begun=self._ticks,
            )
            self.exchanges.append(exchange)
            planned = exchange.path == SYNC_PATH and self.plans
            plan = self.plans.popleft() if planned else Plan()
            if exchange.path != SYNC_PATH:
                plan = Plan(replies=self.beside)
        self.arrived.set()
        return exchange, plan

    def end(self, exchange: Exchange, heard: Reply | None) -> None:
        """Record how a call ended."""
        with self._lock:
            self._ticks += 1
            exchange.ended, exchange.heard = self._ticks, heard

    def pass_on(self, exchange: Exchange, path: str, plan: Plan) -> Reply:
        """Let the server answer."""
        headers = {
            name: value
            for name, value in exchange.headers.items()
            if name not in _NOT_PASSED_ON
        }
        body = exchange.body
        if plan.asks is not None:
            headers.pop("content-encoding", None)
            body = json.dumps(plan.asks(exchange.value)).encode()
        request = self._http.build_request(
            exchange.method, self._upstream + path, content=body, headers=headers
        )
        response = self._http.send(request, stream=True)
        raw = b"".join(response.iter_raw())
        response.close()
        kept = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower() not in _NOT_PASSED_ON
        }
        return Reply(status=response.status_code, body=raw, headers=kept)


class _Passage(BaseHTTPRequestHandler):
    """One connection of the client."""

    protocol_version = "HTTP/1.1"
    wire_of: Wire

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the exchanges are recorded."""

    def _carry(self) -> None:
        wire = self.wire_of
        length = min(int(self.headers.get("content-length") or 0), BODY_BYTES_MAX)
        exchange, plan = wire.begin(self, self.rfile.read(length))
        heard: Reply | None = None
        try:
            if not plan.lost:
                heard = self._answer(exchange, plan)
        except (httpx.TransportError, OSError):
            heard = None
        finally:
            wire.end(exchange, heard)
        if heard is None:
            self._hang_up()

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = _carry  # noqa: N815

    def _answer(self, exchange: Exchange, plan: Plan) -> Reply | None:
        """Pass a call on; return the reply if the client was given all of it."""
        wire = self.wire_of
        reply = plan.says
        if reply is None:
            reply = wire.pass_on(exchange, self.path, plan)
            if plan.twice:
                reply = wire.pass_on(exchange, self.path, plan)
        if plan.replies is not None and reply.status == httpx.codes.OK:
            body = json.dumps(plan.replies(reply.value), ensure_ascii=False).encode()
            reply = Reply(
                status=reply.status, body=body, headers={"content-type": "application/json"}
            )
        if plan.held is not None:
            plan.held.wait(HOLD_S)
        if plan.unheard:
            return None
        self._give(reply, 1.0 if plan.cut is None else plan.cut)
        return reply if plan.cut is None else None

    def _give(self, reply: Reply, share: float) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: int(len(reply.body) * share)])
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def problem(status: int, slug: str, *, retry_after_s: int | None = None) -> Reply:
    """Return a problem as the server would answer it."""
    headers = {"content-type": "application/problem+json"}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    body = {"type": f"/problems/{slug}", "title": slug, "status": status}
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers)
