"""Uploads that drip or fall silent against a real server: they end, and cost no bytes."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server.db.store import open_store
from server.settings import Limits, Settings
from tests.media.pictures import noisy_jpeg
from tests.media.uploads import CHUNK, TUS, coded, hash_of
from tests.server.live import Live, live_server
from tests.world import World, build_world

pytestmark = pytest.mark.db
STALL_S, DEADLINE_S = 0.6, 1.5
PLACES = 4
PHOTO = noisy_jpeg(3, 200)


@pytest.fixture
def world(sqlite_url: str) -> World:
    async def built() -> World:
        store = open_store(sqlite_url)
        try:
            return await build_world(store)
        finally:
            await store.close()

    return asyncio.run(built())


@pytest.fixture
def live(sqlite_url: str, tmp_path: Path) -> Iterator[Live]:
    limits = Limits(upload_stall_s=STALL_S, upload_deadline_s=DEADLINE_S, uploads=PLACES)
    settings = Settings(
        database_url=sqlite_url,
        media_url=str(tmp_path / "media"),
        media_partials=str(tmp_path / "partial"),
        limits=limits,
    )
    with live_server(settings) as server:
        yield server


@pytest.fixture
def http(world: World, live: Live) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {world.tokens['ann']}", **TUS}
    with httpx.Client(base_url=live.url, headers=headers, timeout=20) as opened:
        yield opened


def begun(http: httpx.Client, content: bytes = PHOTO) -> str:
    metadata = f"hash {coded(hash_of(content))},filetype {coded('image/jpeg')}"
    told = {"upload-length": str(len(content)), "upload-metadata": metadata}
    return str(http.post("/v1/uploads", headers=told).headers["location"])


def offset(http: httpx.Client, address: str) -> int:
    return int(http.head(address).headers["upload-offset"])


def opened(live: Live, http: httpx.Client, address: str) -> socket.socket:
    """A connection that has promised the whole photo and sent none of it."""
    told = {
        "authorization": http.headers["authorization"],
        **TUS,
        "host": "test",
        "upload-offset": "0",
        "content-type": CHUNK,
        "content-length": str(len(PHOTO)),
    }
    connection = live.connect()
    lines = [f"PATCH {address} HTTP/1.1", *(f"{name}: {each}" for name, each in told.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def answer_of(connection: socket.socket) -> bytes:
    """The first that is said on a connection."""
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def test_a_chunk_that_falls_silent_is_answered_and_what_came_is_kept(live, http):
    address = begun(http)
    with opened(live, http, address) as connection:
        connection.sendall(PHOTO[:1_000])
        said = b""
        while piece := answer_of(connection):
            said += piece
        assert said.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in said
    assert offset(http, address) == 1_000


def test_a_chunk_that_drips_for_ever_is_ended_and_what_came_is_kept(live, http):
    address = begun(http)
    sent = 0
    with opened(live, http, address) as connection:
        answered = threading.Event()
        said: list[bytes] = []

        def listen() -> None:
            said.append(answer_of(connection))
            answered.set()

        listening = threading.Thread(target=listen)
        listening.start()
        while not answered.is_set() and sent < len(PHOTO):
            try:
                connection.sendall(PHOTO[sent : sent + 1])
            except OSError:
                break
            sent += 1
            time.sleep(STALL_S / 10)
        listening.join()
    assert said[0].startswith(b"HTTP/1.1 408")
    assert 0 < sent < len(PHOTO)
    kept = offset(http, address)
    assert 0 < kept <= sent
    rest = {"upload-offset": str(kept), "content-type": CHUNK}
    assert http.patch(address, content=PHOTO[kept:], headers=rest).status_code == 204
    assert http.get(f"/v1/media/{hash_of(PHOTO)}").status_code == 200


def test_silent_uploads_take_no_place_from_anything_else_and_give_theirs_back(live, http):
    """All places of uploads are held: other requests go on, and later so do uploads."""
    address = begun(http)
    silent = [opened(live, http, begun(http, PHOTO + bytes([seed]))) for seed in range(PLACES)]
    try:
        assert http.get("/v1/me").status_code < 500
        deadline = time.monotonic() + 20
        told = {"upload-offset": "0", "content-type": CHUNK}
        while http.patch(address, content=PHOTO, headers=told).status_code == 503:
            assert time.monotonic() < deadline
    finally:
        for each in silent:
            each.close()
    assert http.get(f"/v1/media/{hash_of(PHOTO)}").status_code == 200
