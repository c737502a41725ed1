"""The network between one phone and the server: what a mobile network does, on a seeded plan.

Exchanges are one after another, so what overlaps in the world is ordered here: a request that
is held up arrives after later ones of the same phone, and its reply is read by nobody.
"""

import gzip
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
from typing_extensions import override

from tests.simulation.network import ModelTransport


class Trouble(StrEnum):
    """What happens to one exchange.

    LOSE_REQUEST: it never arrives. LOSE_REPLY: the server did the work, nobody hears of it.
    TWICE: it arrives twice and the second reply is read. ECHO: it arrives now, and once more at
    some later time. HELD_UP: it seems lost and arrives at some later time. CUT: the reply ends
    after `share` thousandths of its bytes. SLOW: `share` seconds pass before it arrives. LATE:
    they pass before the reply does. BUSY: the server asks to come back in `share` seconds.
    """

    LOSE_REQUEST = "lose-request"
    LOSE_REPLY = "lose-reply"
    TWICE = "twice"
    ECHO = "echo"
    HELD_UP = "held-up"
    CUT = "cut"
    SLOW = "slow"
    LATE = "late"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One trouble with its measure (see `Trouble`)."""

    trouble: Trouble
    share: int = 0


class _CutStream(httpx.SyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    @override
    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        raise httpx.RemoteProtocolError("the connection closed before the reply was complete")


class Link(httpx.BaseTransport):
    """Carries one phone's requests to the model server, with the mishaps of `coming`.

    `witness` sees every exchange that the server answered with 200: a sync request's members,
    or None for one that compares a bucket, and whether the phone is waiting for the answer. A
    snapshot is none of its business.
    `pause` lets time pass, in seconds.
    """

    def __init__(
        self,
        server: ModelTransport,
        *,
        witness: Callable[[dict[str, Any] | None, bool], None],
        pause: Callable[[int], None],
    ) -> None:
        self.coming: deque[Mishap] = deque()
        self.clogged = False
        self.delayed: list[httpx.Request] = []
        self._server = server
        self._witness = witness
        self._pause = pause

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.clogged:
            raise httpx.ConnectTimeout("the link is stopped", request=request)
        if not self.coming:
            return self._pass_on(request)
        mishap = self.coming.popleft()
        return _HAPPENS[mishap.trouble](self, request, mishap.share)

    def deliver(self, pick: int) -> bool:
        """Let one request that was on its way arrive at last; nobody reads its reply."""
        if not self.delayed:
            return False
        self._pass_on(self.delayed.pop(pick % len(self.delayed)), read=False)
        return True

    def _pass_on(self, request: httpx.Request, *, read: bool = True) -> httpx.Response:
        request.read()
        response = self._server.handle_request(request)
        is_file = request.url.path.startswith("/v1/sync/snapshots/")
        if response.status_code == httpx.codes.OK and not is_file:
            self._witness(_members(request), read)
        return response

    def _lose_request(self, request: httpx.Request, _: int) -> httpx.Response:
        raise httpx.ConnectError("no way to the server", request=request)

    def _lose_reply(self, request: httpx.Request, _: int) -> httpx.Response:
        self._pass_on(request)
        raise httpx.ReadError("no reply came back", request=request)

    def _twice(self, request: httpx.Request, _: int) -> httpx.Response:
        self._pass_on(request)
        return self._pass_on(request)

    def _echo(self, request: httpx.Request, _: int) -> httpx.Response:
        response = self._pass_on(request)
        self.delayed.append(request)
        return response

    def _hold_up(self, request: httpx.Request, _: int) -> httpx.Response:
        request.read()
        self.delayed.append(request)
        raise httpx.ReadTimeout("no reply in time", request=request)

    def _cut(self, request: httpx.Request, share: int) -> httpx.Response:
        response = self._pass_on(request)
        stream = response.stream
        content = b"".join(stream) if isinstance(stream, httpx.SyncByteStream) else b""
        part = content[: len(content) * share // 1000]
        headers = response.headers
        return httpx.Response(response.status_code, headers=headers, stream=_CutStream(part))

    def _slow(self, request: httpx.Request, share: int) -> httpx.Response:
        self._pause(share)
        return self._pass_on(request)

    def _late(self, request: httpx.Request, share: int) -> httpx.Response:
        response = self._pass_on(request)
        self._pause(share)
        return response

    def _busy(self, _: httpx.Request, share: int) -> httpx.Response:
        return httpx.Response(503, headers={"retry-after": str(share)})


_HAPPENS: dict[Trouble, Callable[[Link, httpx.Request, int], httpx.Response]] = {
    Trouble.LOSE_REQUEST: Link._lose_request,
    Trouble.LOSE_REPLY: Link._lose_reply,
    Trouble.TWICE: Link._twice,
    Trouble.ECHO: Link._echo,
    Trouble.HELD_UP: Link._hold_up,
    Trouble.CUT: Link._cut,
    Trouble.SLOW: Link._slow,
    Trouble.LATE: Link._late,
    Trouble.BUSY: Link._busy,
}


def _members(request: httpx.Request) -> dict[str, Any] | None:
    if request.url.path != "/v1/sync":
        return None
    content = request.read()
    if request.headers.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    members: dict[str, Any] = json.loads(content)
    return members
