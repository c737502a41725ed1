"""Bad networks, on plan: an `httpx` transport that loses, doubles, cuts and holds back.

The plan is an iterator of faults, one per request, so a run is repeated by repeating its plan.
When the plan ends the network is good.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

import httpx
from typing_extensions import override


class Fault(StrEnum):
    """What happens to one request.

    LOSE_REQUEST: it never arrives. LOSE_REPLY: the server did the work, nobody hears of it.
    DUPLICATE: it arrives twice, the second reply is read. LATE_DUPLICATE: it arrives, and again
    after the next request. CUT: the reply breaks off half way. DELAY: it takes a while.
    """

    NONE = "none"
    LOSE_REQUEST = "lose-request"
    LOSE_REPLY = "lose-reply"
    DUPLICATE = "duplicate"
    LATE_DUPLICATE = "late-duplicate"
    CUT = "cut"
    DELAY = "delay"


class _CutStream(httpx.SyncByteStream):
    """The first half of some bytes, then a connection that is gone."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @override
    def __iter__(self) -> Iterator[bytes]:
        yield self._content[: len(self._content) // 2]
        raise httpx.RemoteProtocolError("the connection closed before the reply was complete")


class FaultyTransport(httpx.BaseTransport):
    """Passes requests to `inner` with the faults of `plan`.

    `pause` is called for DELAY and should let time pass on whatever clock the test uses.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        plan: Iterator[Fault],
        *,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._plan = plan
        self._pause = pause
        self._late: httpx.Request | None = None

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        late, self._late = self._late, None
        try:
            return self._pass_on(request, next(self._plan, Fault.NONE))
        finally:
            if late is not None:
                self._whole(late)

    def _pass_on(self, request: httpx.Request, fault: Fault) -> httpx.Response:
        match fault:
            case Fault.LOSE_REQUEST:
                raise httpx.ConnectError("no way to the server", request=request)
            case Fault.LOSE_REPLY:
                self._whole(request)
                raise httpx.ReadError("no reply came back", request=request)
            case Fault.CUT:
                response, content = self._whole(request)
                return _cut_short(response, content)
            case Fault.DUPLICATE:
                self._whole(request)
            case Fault.LATE_DUPLICATE:
                self._late = _copy(request)
            case Fault.DELAY:
                self._pause()
            case Fault.NONE:
                pass
        return self._inner.handle_request(_copy(request))

    def _whole(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        response = self._inner.handle_request(_copy(request))
        stream = response.stream
        content = b"".join(stream) if isinstance(stream, httpx.SyncByteStream) else b""
        response.close()
        return response, content

    @override
    def close(self) -> None:
        self._inner.close()


def _copy(request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method, request.url, headers=request.headers, content=request.read()
    )


def _cut_short(response: httpx.Response, content: bytes) -> httpx.Response:
    return httpx.Response(
        response.status_code, headers=response.headers, stream=_CutStream(content)
    )
