"""What only sockets can show: slow, silent and endless clients against a real server."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from server.settings import Limits, Settings
from tests.server.live import Live, live_server

HEADER_S, GRACE_S, BODY_S = 0.6, 0.5, 1.5


@pytest.fixture
def live(sqlite_url: str) -> Iterator[Live]:
    limits = Limits(
        header_deadline_s=HEADER_S,
        body_grace_s=GRACE_S,
        body_rate=1_000,
        body_deadline_s=BODY_S,
    )
    with live_server(Settings(database_url=sqlite_url, limits=limits)) as server:
        yield server


def until_closed(connection: socket.socket) -> tuple[bytes, float]:
    begun = time.monotonic()
    received = b""
    while True:
        try:
            piece = connection.recv(65_536)
        except ConnectionError:
            piece = b""
        if not piece:
            return received, time.monotonic() - begun
        received += piece


def request(body_bytes: int, *lines: str) -> bytes:
    head = [
        "POST /v1/devices HTTP/1.1",
        "host: test",
        "authorization: Bearer jw_x",
        "content-type: application/json",
        f"content-length: {body_bytes}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode()


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nhost: te", b"\r\n\r\n"]
)
def test_a_silent_connection_is_cut(live: Live, said: bytes) -> None:
    with live.connect() as connection:
        connection.sendall(said)
        _, waited_s = until_closed(connection)
    assert waited_s < HEADER_S + 1


def test_dripping_headers_are_cut(live: Live) -> None:
    with live.connect() as connection:
        stop = threading.Event()

        def drip() -> None:
            for byte in b"GET /livez HTTP/1.1\r\nx: " + b"a" * 1_000:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return
                if stop.wait(0.05):
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        _, waited_s = until_closed(connection)
        stop.set()
        thread.join()
    assert waited_s < HEADER_S + 1


def test_endless_headers_are_cut(live: Live) -> None:
    with live.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        begun = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - begun < 5:
                connection.sendall(b"x: " + b"a" * 10_000 + b"\r\n")
    assert time.monotonic() - begun < HEADER_S + 1


def test_the_second_request_of_a_connection_has_a_deadline_too(live: Live) -> None:
    with live.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /li")
        _, waited_s = until_closed(connection)
    assert waited_s < HEADER_S + 1


def test_a_promised_body_that_never_comes_is_answered_408(live: Live) -> None:
    with live.connect() as connection:
        connection.sendall(request(1_000))
        begun = time.monotonic()
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body-timeout" in answer
    assert time.monotonic() - begun < GRACE_S + 1


@pytest.mark.parametrize("every_s", [0.05, 0.2])
def test_a_dripping_body_is_answered_408(live: Live, every_s: float) -> None:
    with live.connect() as connection:
        connection.sendall(request(10_000))
        connection.settimeout(every_s)
        answer, begun = b"", time.monotonic()
        while not answer:
            connection.sendall(b" ")
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < GRACE_S + 1.5


def test_a_body_just_above_the_rate_ends_at_the_deadline(live: Live) -> None:
    with live.connect() as connection:
        connection.sendall(request(100_000))
        connection.settimeout(0.05)
        answer, begun = b"", time.monotonic()
        while not answer:
            connection.sendall(b" " * 400)
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")
    assert BODY_S - 0.1 < time.monotonic() - begun < BODY_S + 1.5


def test_slow_clients_do_not_slow_down_others(live: Live) -> None:
    slow = [live.connect() for _ in range(100)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(request(1_000) if number % 2 else b"GET /li")
        begun = time.monotonic()
        for _ in range(20):
            assert httpx.get(f"{live.url}/livez").status_code == 200
        assert time.monotonic() - begun < 2
    finally:
        for connection in slow:
            connection.close()


def test_200_megabytes_are_refused_without_being_read(live: Live) -> None:
    with live.connect() as connection:
        connection.sendall(request(200 * 1024 * 1024))
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413")


def test_200_chunked_megabytes_are_refused_and_cut(live: Live) -> None:
    head = request(0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with live.connect() as connection:
        connection.sendall(head)
        sent, answer = 0, b""
        with suppress(OSError):
            while sent < 200 * 1024 * 1024:
                connection.sendall(chunk)
                sent += len(chunk)
        try:
            answer = connection.recv(65_536)
        except OSError:
            answer = b"HTTP/1.1 413"
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_gzip_bomb_over_a_socket_is_refused(live: Live) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    with live.connect() as connection:
        connection.sendall(request(len(bomb), "content-encoding: gzip") + bomb)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413")
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["type"] == "/problems/body-too-large"


def test_what_is_not_http_is_refused(live: Live) -> None:
    with live.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")
        answer, _ = until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 400")


def test_no_server_version_is_told(live: Live) -> None:
    assert "server" not in httpx.get(f"{live.url}/livez").headers
