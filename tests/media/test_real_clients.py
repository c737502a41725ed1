"""Foreign tus clients upload through cut connections and killed servers, and nothing is lost.

The server is a process of its own behind a proxy that cuts at exact bytes. How many cuts and
kills a test makes is `JINGWEI_UPLOAD_FAULTS` (30 unless said otherwise).
"""

import asyncio
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from server.clock import now_ms
from server.db.store import open_store
from server.media import stripping
from server.media.collecting import STRAY_MS, collect
from server.media.store import MediaStore
from server.settings import Settings
from tests.media.cutting import CuttingProxy
from tests.media.pictures import noisy_jpeg
from tests.media.uploads import TUS, coded, hash_of
from tests.world import World, build_world

pytestmark = [pytest.mark.db, pytest.mark.slow]
FAULTS = int(os.environ.get("JINGWEI_UPLOAD_FAULTS", "30"))
CHUNK = 32 * 1024
UPLOAD_S = 120
FOREIGN = Path(__file__).parent / "foreign"
HINT = "run `bash tools/install-test-services.sh`"


@dataclass
class Server:
    """A server process that can be killed and started again on the same port and folders."""

    folder: Path
    url: str
    port: int = 0
    kills: int = 0
    process: subprocess.Popen[bytes] | None = None
    plans: Iterator[str] = field(default_factory=lambda: itertools.repeat("none"))

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def start(self) -> None:
        program = str(Path(__file__).parent / "dying_server.py")
        environment = {
            **os.environ,
            "JINGWEI_DATABASE_URL": self.url,
            "JINGWEI_MEDIA_URL": str(self.folder / "media"),
            "JINGWEI_MEDIA_PARTIALS": str(self.folder / "partial"),
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, program, next(self.plans), "serve", "--port", str(self.port)],
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._ready():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Server, World]]:
    world = asyncio.run(_built(sqlite_url))
    server = Server(folder=tmp_path, url=sqlite_url)
    yield server, world
    server.kill()


async def _built(url: str) -> World:
    store = open_store(url)
    try:
        return await build_world(store)
    finally:
        await store.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(noisy_jpeg(7, 1_200))
    assert path.stat().st_size > 35 * CHUNK
    return path


def command(client: str, port: int, token: str, photo: Path) -> list[str]:
    told = [
        f"http://127.0.0.1:{port}/v1/uploads",
        token,
        str(photo),
        hash_of(photo.read_bytes()),
        "image/jpeg",
        str(CHUNK),
    ]
    if client == "tus-js-client":
        node = shutil.which("node")
        assert node is not None, f"node is not installed; {HINT}"
        assert (FOREIGN / "node_modules/tus-js-client").is_dir(), f"no tus-js-client; {HINT}"
        return [node, str(FOREIGN / "upload.cjs"), *told]
    checked = "yes" if client == "tuspy with checksums" else "no"
    return [sys.executable, str(FOREIGN / "upload.py"), *told, checked]


def stripped(photo: Path, folder: Path) -> bytes:
    """What must be served of a photo, made here from what the client had."""
    target = folder / "expected"
    assert stripping.strip(photo, target, 50_000_000) == "image/jpeg"
    return target.read_bytes()


def check(server: Server, token: str, photo: Path, proxy: CuttingProxy) -> None:
    """Nothing lost, nothing damaged, and of each fault at most one chunk was sent again."""
    named = hash_of(photo.read_bytes())
    headers = {"authorization": f"Bearer {token}"}
    found = httpx.get(f"http://127.0.0.1:{server.port}/v1/media/{named}", headers=headers)
    assert found.status_code == 200
    assert found.content == stripped(photo, server.folder)
    assert asyncio.run(_left_over(server)) == []
    again = proxy.chunks.sent_again()
    assert sum(size for _, size in proxy.chunks.sent) - sum(again) == photo.stat().st_size
    assert all(each <= CHUNK for each in again)
    assert len(again) <= proxy.cuts + server.kills + proxy.refused


async def _left_over(server: Server) -> list[str]:
    """Files beside the photo that are still there after the next collection."""
    settings = Settings(
        media_url=str(server.folder / "media"),
        media_partials=str(server.folder / "partial"),
    )
    store = open_store(server.url)
    try:
        await collect(store, MediaStore(settings), now_ms=now_ms() + 2 * STRAY_MS)
    finally:
        await store.close()
    photos = [each for each in (server.folder / "media").rglob("*") if each.is_file()]
    assert len(photos) == 1
    return [each.name for each in (server.folder / "partial").iterdir()]


CLIENTS = ("tuspy", "tuspy with checksums", "tus-js-client")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_photo_arrives_through_cut_connections(served, photo, client):
    server, world = served
    server.start()
    chance = random.Random(client)  # noqa: S311 - the same cuts each time
    cuts = (chance.randrange(1, CHUNK) for _ in itertools.count())
    proxy = CuttingProxy(target=server.port, plan=cuts, cuts_max=FAULTS)
    token = world.tokens["ann"]
    done = subprocess.run(
        command(client, proxy.port, token, photo),
        timeout=UPLOAD_S + FAULTS,
        capture_output=True,
        check=False,
    )
    proxy.close()
    assert done.returncode == 0, done.stderr.decode()
    assert proxy.cuts == FAULTS
    check(server, token, photo, proxy)


CHUNK_POINTS = [
    f"{call}:{number}:{how}"
    for call, numbers in {"pwrite": (1, 4), "fsync": (2, 6)}.items()
    for number in numbers
    for how in ("before", "after")
]
STORING_POINTS = ["replace:1:before", "replace:1:after"]


@pytest.mark.parametrize("last", ["unlink:1:before", "unlink:1:after"])
def test_a_server_may_die_at_any_step_of_an_upload(served, photo, last):
    """Before and after a write, a flush, a photo appearing, and the removal of the rest.

    Each plan is the next server's, so each point was reached if as many servers died.
    """
    server, world = served
    early = CHUNK_POINTS if last.endswith("before") else []
    points = [*early, *STORING_POINTS, last]
    server.plans = itertools.chain(points, itertools.repeat("none"))
    proxy = _uploaded(server, world, photo, "tuspy", pause_s=None)
    assert server.kills == len(points)
    check(server, world.tokens["ann"], photo, proxy)


@pytest.mark.parametrize("client", ["tuspy with checksums", "tus-js-client"])
def test_a_server_may_die_at_any_time(served, photo, client):
    server, world = served
    proxy = _uploaded(server, world, photo, client, pause_s=0.25)
    assert server.kills >= 1
    check(server, world.tokens["ann"], photo, proxy)


def _uploaded(
    server: Server, world: World, photo: Path, client: str, *, pause_s: float | None
) -> CuttingProxy:
    """Upload while the server dies by its plan, or every `pause_s` or so, and is restarted."""
    chance = random.Random(client)  # noqa: S311 - about the same moments each time
    server.start()
    proxy = CuttingProxy(target=server.port, plan=itertools.repeat(None))
    line = command(client, proxy.port, world.tokens["ann"], photo)
    with subprocess.Popen(line, stderr=subprocess.PIPE) as uploading:
        watchdog = threading.Timer(UPLOAD_S + 10 * FAULTS, uploading.kill)
        watchdog.start()
        while uploading.poll() is None:
            if pause_s is not None and server.kills < max(FAULTS // 10, 3):
                time.sleep(chance.uniform(0, 2 * pause_s))
                server.kill()
            if server.ended():
                server.kills += 1
                server.start()
            time.sleep(0.01)
        watchdog.cancel()
        said = uploading.stderr.read().decode()
    proxy.close()
    if server.ended():
        server.start()
    assert uploading.returncode == 0, said
    return proxy


@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
def test_a_disk_that_fails_costs_a_chunk_and_never_a_lie(served, photo, fault):
    """The second flush fails: no 204, the offset is what it was, and then it goes on."""
    server, world = served
    server.plans = iter([f"fsync:2:{fault}"])
    server.start()
    content = photo.read_bytes()
    headers = {"authorization": f"Bearer {world.tokens['ann']}", **TUS}
    metadata = f"hash {coded(hash_of(content))},filetype {coded('image/jpeg')}"
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as http:
        told = {"upload-length": str(len(content)), "upload-metadata": metadata}
        address = http.post("/v1/uploads", headers=told).headers["location"]

        def send(at: int, piece: bytes) -> httpx.Response:
            more = {"upload-offset": str(at), "content-type": "application/offset+octet-stream"}
            return http.patch(address, content=piece, headers=more, timeout=60)

        assert send(0, content[:CHUNK]).status_code == 204
        failed = send(CHUNK, content[CHUNK : 2 * CHUNK])
        assert failed.status_code == {"EIO": 503, "ENOSPC": 507}[fault]
        assert int(failed.headers["retry-after"]) >= 1
        assert http.head(address).headers["upload-offset"] == str(CHUNK)
        assert send(CHUNK, content[CHUNK:]).status_code == 204
        found = http.get(f"/v1/media/{hash_of(content)}")
    assert found.content == stripped(photo, server.folder)
