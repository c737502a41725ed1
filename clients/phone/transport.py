"""One HTTP exchange of a phone, with its exact size."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

# Servers take a body that unpacks to much more for a bomb; such a one is sent as it is.
GZIP_RATIO_MAX = 30
RETRY_AFTER_DEFAULT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `status` is None if no whole reply did; `value` is the parsed body."""

    status: int | None
    value: Any
    bytes_up: int
    bytes_down: int
    retry_after_s: int | None = None

    @property
    def problem(self) -> str:
        """The last part of the problem type the server named, or `http-<status>`."""
        kind = self.value.get("type") if isinstance(self.value, dict) else None
        if isinstance(kind, str) and kind not in {"", "about:blank"}:
            return kind.rstrip("/").rsplit("/", 1)[-1].rsplit("#", 1)[-1].rsplit(":", 1)[-1]
        return f"http-{self.status}"


def post_json(http: httpx.Client, url: str, token: str, body: bytes) -> Answer:
    """Send `body` and return the answer; a network that fails is an answer without status."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, application/problem+json",
        "Accept-Encoding": "gzip",
    }
    packed = gzip.compress(body, compresslevel=6, mtime=0)
    if len(packed) < len(body) <= GZIP_RATIO_MAX * len(packed):
        body = packed
        headers["Content-Encoding"] = "gzip"
    return _sent(http, http.build_request("POST", url, content=body, headers=headers))


def _sent(http: httpx.Client, request: httpx.Request) -> Answer:
    bytes_up = _request_bytes(request, len(request.content))
    try:
        response = http.send(request, stream=True)
    except httpx.TransportError:
        return Answer(status=None, value=None, bytes_up=bytes_up, bytes_down=0)
    return _answer(response, bytes_up)


@dataclass(slots=True, kw_only=True)
class Piece:
    """A file, or a part of one, as it arrives: `content` gives its bytes, packed as they are.

    `status` is None when no reply came, or when it broke off.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    response: httpx.Response | None = None
    bytes_up: int = 0

    def content(self) -> Iterator[bytes]:
        """Yield what arrives, as it arrives, until it ends or breaks off."""
        if self.response is None:
            return
        try:
            yield from self.response.iter_raw()
        except httpx.TransportError:
            self.status = None

    def answer(self) -> Answer:
        """Return what this cost, and how long the server asks to wait."""
        if self.response is None:
            return Answer(status=None, value=None, bytes_up=self.bytes_up, bytes_down=0)
        return Answer(
            status=self.status,
            value=None,
            bytes_up=self.bytes_up,
            bytes_down=_response_bytes(self.response, whole=self.status is not None),
            retry_after_s=_retry_after_s(self.response),
        )


class Line:
    """Calls beside the sync itself, with the phone's address and token; `count` hears each."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        address: Callable[[], tuple[str, str]],
        count: Callable[[Answer], None],
    ) -> None:
        self._http = http
        self._address = address
        self._count = count

    def get(self, path: str) -> Answer:
        """Ask for JSON."""
        answer = _sent(self._http, self._request("GET", path, {"accept-encoding": "gzip"}))
        self._count(answer)
        return answer

    def post(self, path: str, value: Any) -> Answer:
        """Send JSON and return what is answered."""
        url, token = self._address()
        answer = post_json(self._http, url + path, token, json.dumps(value).encode())
        self._count(answer)
        return answer

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[Piece]:
        """Ask for a file; its bytes are counted when the block ends."""
        request = self._request("GET", path, {"accept-encoding": "gzip", **headers})
        piece = Piece(status=None, bytes_up=_request_bytes(request, 0))
        try:
            response = self._http.send(request, stream=True)
        except httpx.TransportError:
            yield piece
            self._count(piece.answer())
            return
        piece.status, piece.headers, piece.response = (
            response.status_code,
            response.headers,
            response,
        )
        try:
            yield piece
        finally:
            response.close()
            self._count(piece.answer())

    def _request(self, method: str, path: str, headers: Mapping[str, str]) -> httpx.Request:
        url, token = self._address()
        named = {"Authorization": f"Bearer {token}", **headers}
        return self._http.build_request(method, url + path, headers=named)


def _answer(response: httpx.Response, bytes_up: int) -> Answer:
    status: int | None = response.status_code
    value = None
    try:
        value = parse_json(response.read())
    except (httpx.TransportError, httpx.DecodingError):
        status = None
    except ValueError:
        value = None
    finally:
        response.close()
    return Answer(
        status=status,
        value=value,
        bytes_up=bytes_up,
        bytes_down=_response_bytes(response, whole=status is not None),
        retry_after_s=_retry_after_s(response),
    )


def parse_json(content: bytes) -> Any:
    """Return the JSON value in `content`; numbers with fractions are refused.

    Raises:
        ValueError: if it is not JSON as the protocol writes it.
    """
    return json.loads(content, parse_float=_refuse, parse_constant=_refuse)


def _refuse(_: str) -> Any:
    raise ValueError("there are no fractions on the wire")


def _retry_after_s(response: httpx.Response) -> int | None:
    if response.status_code not in {429, 503}:
        return None
    text = response.headers.get("retry-after", "")
    return int(text) if text.isdecimal() else RETRY_AFTER_DEFAULT_S


def _request_bytes(request: httpx.Request, body_bytes: int) -> int:
    line = f"{request.method} {request.url.raw_path.decode('ascii')} HTTP/1.1\r\n"
    return len(line) + _header_bytes(request.headers) + body_bytes


def _response_bytes(response: httpx.Response, *, whole: bool) -> int:
    line = f"HTTP/1.1 {response.status_code} {response.reason_phrase}\r\n"
    body_bytes = response.num_bytes_downloaded
    if whole and body_bytes == 0:  # a transport in memory may hand it over in one piece
        body_bytes = int(response.headers.get("content-length", "0"))
    return len(line) + _header_bytes(response.headers) + body_bytes


def _header_bytes(headers: httpx.Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.raw) + 2
