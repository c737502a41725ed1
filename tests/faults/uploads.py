"""SIGKILL inside a chunk: the upload goes on where its bytes end, and the photo is whole."""

from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.faults.report import Report
from tests.faults.servers import wait_for
from tests.faults.stage import Stage
from tests.media.pictures import noisy_jpeg
from tests.media.uploads import CHUNK, TUS, coded, hash_of

SIDE = 900
WRITTEN = 256 * 1024
"""The server writes pieces of this size; less of a chunk it may still hold in memory."""


def kill_inside_chunks(report: Report, stage: Stage, *, rounds: int) -> None:
    """Upload photos; the server dies once in each, after a part of a chunk is in its file."""
    partials = stage.folder / "partial"
    stage.server.environment |= {
        "JINGWEI_MEDIA_URL": str(stage.folder / "media"),
        "JINGWEI_MEDIA_PARTIALS": str(partials),
    }
    stage.server.start()
    headers = {"authorization": f"Bearer {stage.world.tokens['ann']}", **TUS}
    with httpx.Client(base_url=stage.server.url, headers=headers, timeout=60) as http:
        for seed in range(rounds):
            photo = noisy_jpeg(seed, SIDE)
            address = _begun(http, photo)
            _die_inside(http, stage, address, photo, partials)
            report.injected += 1
            _go_on(report, http, address, photo)


def _begun(http: httpx.Client, photo: bytes) -> str:
    metadata = f"hash {coded(hash_of(photo))},filetype {coded('image/jpeg')}"
    told = {"upload-length": str(len(photo)), "upload-metadata": metadata}
    answer = http.post("/v1/uploads", headers=told)
    answer.raise_for_status()
    return str(answer.headers["location"])


def _die_inside(
    http: httpx.Client, stage: Stage, address: str, photo: bytes, partials: Path
) -> None:
    file = partials / address.rsplit("/", 1)[-1]

    def chunk() -> Iterator[bytes]:
        yield photo[: 2 * WRITTEN]
        wait_for(lambda: file.exists() and file.stat().st_size >= WRITTEN)
        stage.server.kill()
        yield photo[2 * WRITTEN :]

    told = {"upload-offset": "0", "content-type": CHUNK, "content-length": str(len(photo))}
    try:
        http.patch(address, content=chunk(), headers=told)
    except httpx.TransportError:
        stage.server.start()


def _go_on(report: Report, http: httpx.Client, address: str, photo: bytes) -> None:
    offset = int(http.head(address).headers["upload-offset"])
    if offset < WRITTEN:
        report.breach("offset", "bytes that were in the file have to be sent again")
    told = {"upload-offset": str(offset), "content-type": CHUNK}
    answer = http.patch(address, content=photo[offset:], headers=told)
    if answer.status_code != httpx.codes.NO_CONTENT:
        report.breach("offset", f"an upload that went on was answered {answer.status_code}")
        return
    report.acknowledged += 1
    if http.get(f"/v1/media/{hash_of(photo)}").status_code != httpx.codes.OK:
        report.lost += 1
