"""The two media stores keep the same promises: a folder, and an S3 API over HTTP."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from server.media.blobs import Blobs, open_blobs
from server.problems import NotFound, ServiceUnavailable

pytestmark = pytest.mark.anyio
SIZE = 700_000


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 API on loopback with one bucket; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    assert httpx.put(f"{url}/photos").status_code == 200
    yield url
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def blobs(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Blobs:
    if request.param == "folder":
        return open_blobs(str(tmp_path / "media"))
    told = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ENDPOINT": request.getfixturevalue("s3"),
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return open_blobs("s3://photos/district")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo"
    path.write_bytes(os.urandom(SIZE))
    return path


async def read(blobs: Blobs, key: str, start: int = 0, length: int = SIZE) -> bytes:
    return b"".join([piece async for piece in blobs.read(key, start, length)])


async def test_what_is_put_is_read_whole_and_in_parts(blobs, photo):
    await blobs.put("key-1", photo)
    assert await read(blobs, "key-1") == photo.read_bytes()
    assert await read(blobs, "key-1", 300_000, 5) == photo.read_bytes()[300_000:300_005]


async def test_putting_twice_and_deleting_twice_is_once(blobs, photo):
    await blobs.put("key-2", photo)
    await blobs.put("key-2", photo)
    assert await read(blobs, "key-2") == photo.read_bytes()
    await blobs.delete("key-2")
    await blobs.delete("key-2")
    with pytest.raises(NotFound):
        await read(blobs, "key-2")


async def test_an_s3_api_that_is_away_is_a_reason_to_wait(photo, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    blobs = open_blobs("s3://photos/district")
    for work in (blobs.put("key", photo), read(blobs, "key"), blobs.delete("key")):
        with pytest.raises(ServiceUnavailable):
            await work


def test_another_kind_of_address_is_refused():
    with pytest.raises(ValueError, match="JINGWEI_MEDIA_URL"):
        open_blobs("ftp://photos")
