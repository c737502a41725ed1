"""The gate: sizes, encodings, media types, headers, and faults that must not speak."""

import asyncio
import gzip
import io
import json
import logging
import re
import uuid
from functools import cache

import httpx
import pytest
from fastapi import FastAPI, Request

from server.app import create_app
from server.db.store import Store
from server.gate import Gate, body_rule
from server.inflate import MEMBERS_MAX, Inflater
from server.problems import BodyTooLarge, MalformedBody
from server.settings import Limits, Settings
from tests.server.people import People

pytestmark = pytest.mark.anyio
DEVICES = "/v1/devices"
JSON = {"content-type": "application/json"}
GZIP = JSON | {"content-encoding": "gzip"}


@pytest.fixture
async def post(api: httpx.AsyncClient, people: People):
    async def send(content: object, headers: dict[str, str] | None = None, path: str = DEVICES):
        wanted = people.as_("ann") | (JSON if headers is None else headers)
        return await api.post(path, content=content, headers=wanted)

    return send


def slug(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    return body["type"].removeprefix("/problems/")


async def test_a_gzip_body_is_read_like_a_plain_one(post) -> None:
    plain = b'{"name": "phone of Li"}'
    assert (await post(plain)).status_code == 201
    assert (await post(gzip.compress(plain), GZIP)).status_code == 201
    two_members = gzip.compress(plain[:9]) + gzip.compress(plain[9:])
    assert (await post(two_members, GZIP)).status_code == 201


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('application/json;charset="UTF-8"', 201),
        ("APPLICATION/JSON", 201),
        ("application/merge-patch+json", 201),
        ("application/geo+json", 201),
        ("application/json; charset=gbk", 415),
        ("application/json; charset=utf-16", 415),
        ("text/plain", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
async def test_only_json_media_types_are_read(post, content_type: str, status: int) -> None:
    answer = await post(b'{"name": "x"}', {"content-type": content_type})
    assert answer.status_code == status
    if status == 415:
        assert slug(answer) == "unsupported-media"


async def test_a_body_without_a_media_type_is_refused(post) -> None:
    assert slug(await post(b"{}", {})) == "unsupported-media"


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "deflate", "gzip, gzip", "gzip,deflate", "rubbish"]
)
async def test_other_encodings_are_refused(post, encoding: str) -> None:
    answer = await post(b"{}", JSON | {"content-encoding": encoding})
    assert slug(answer) == "unsupported-media"


async def test_an_empty_body_is_missing_not_malformed(post) -> None:
    assert slug(await post(b"")) == "invalid-body"
    assert slug(await post(b"", GZIP)) == "invalid-body"


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"[]", b'"x"', b"1", b"true"])
async def test_other_json_than_an_object_is_no_enrolment(post, body: bytes) -> None:
    assert slug(await post(body)) in {"invalid-body", "malformed-body"}


async def test_a_body_over_the_limit_is_refused_with_the_limit(post) -> None:
    limit = Limits().json_bytes
    answer = await post(b'{"name": "' + b"x" * limit + b'"}')
    assert slug(answer) == "body-too-large"
    assert answer.json()["limit_bytes"] == limit
    fits = b'{"name": "x"' + b" " * (limit - 13) + b"}"
    assert len(fits) == limit
    assert (await post(fits)).status_code == 201
    assert slug(await post(fits + b" ")) == "body-too-large"


async def test_a_streamed_body_over_the_limit_is_refused_before_its_end(post) -> None:
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 200 * 1024 * 1024:
            sent += 65_536
            yield b" " * 65_536

    assert slug(await post(endless())) == "body-too-large"
    assert sent <= Limits().json_bytes + 2 * 65_536


@cache
def bombs() -> dict[str, bytes]:
    zeros = gzip.compress(b" " * 100_000_000, 9)
    members = b"".join(gzip.compress(b"") for _ in range(10_000))
    sparse = io.BytesIO()
    with gzip.GzipFile(fileobj=sparse, mode="wb") as packed:
        for _ in range(100):
            packed.write(b"[" * 1_000_000)
    return {
        "spaces": zeros,
        "gzip in gzip": gzip.compress(zeros),
        "many empty members": members,
        "many members of zeros": gzip.compress(b" " * 10_000_000) * 200,
        "brackets": sparse.getvalue(),
        "truncated": gzip.compress(b'{"name": "x"}')[:-9],
        "header only": gzip.compress(b"")[:10],
        "wrong checksum": gzip.compress(b'{"name": "x"}')[:-8] + b"\0" * 8,
        "rubbish behind": gzip.compress(b'{"name": "x"}') + b"rubbish",
        "not gzip": b'{"name": "x"}',
        "zlib": b"x\x9c\xab\x05\x00\x00|\x00|",
        "endless name": b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"a" * 200_000,
    }


@pytest.mark.parametrize("name", list(bombs()))
async def test_gzip_bombs_are_refused(post, name: str) -> None:
    answer = await post(bombs()[name], GZIP)
    assert slug(answer) in {"body-too-large", "malformed-body"}


def test_inflating_stops_soon_after_the_limit() -> None:
    inflater = Inflater(limit_bytes=1_000_000, ratio=50)
    kept: list[int] = []
    packed = gzip.compress(b" " * 200_000_000, 1)

    def feed() -> None:
        for start in range(0, len(packed), 1_000):
            kept.extend(map(len, inflater.feed(packed[start : start + 1_000])))

    with pytest.raises(BodyTooLarge):
        feed()
    assert sum(kept) <= 1_000_000


def test_inflating_bounds_the_members() -> None:
    inflater = Inflater(limit_bytes=1_000, ratio=50)
    inflater.feed(gzip.compress(b"x") * MEMBERS_MAX)
    with pytest.raises(MalformedBody):
        inflater.feed(gzip.compress(b"x"))


def test_inflating_gives_the_same_for_any_split() -> None:
    text = json.dumps([{"n": n} for n in range(2_000)]).encode()
    packed = gzip.compress(text[:5_000]) + gzip.compress(text[5_000:])
    for size in (1, 7, 100, len(packed)):
        inflater = Inflater(limit_bytes=1_000_000, ratio=50)
        parts = [
            b"".join(inflater.feed(packed[start : start + size]))
            for start in range(0, len(packed), size)
        ]
        inflater.finish()
        assert b"".join(parts) == text


async def test_without_a_token_no_body_is_read(api: httpx.AsyncClient) -> None:
    async def never():
        raise AssertionError
        yield b""

    answer = await api.post(DEVICES, content=never(), headers=JSON)
    assert slug(answer) == "unauthenticated"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_each_path_has_its_rule() -> None:
    limits = Limits()
    assert body_rule("/v1/sync", limits).limit_bytes == limits.sync_bytes
    assert body_rule("/v1/sync/records", limits).limit_bytes == limits.json_bytes
    assert body_rule("/v1/grids:import", limits).limit_bytes == limits.geojson_bytes
    assert body_rule("/v1/incidents", limits).limit_bytes == limits.json_bytes


async def test_bodies_held_in_memory_are_bounded(store: Store, people: People) -> None:
    limits = Limits(buffered_bytes=1_000)
    app = create_app(Settings(limits=limits), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        headers = people.as_("ann")
        for _ in range(3):
            answer = await client.post(DEVICES, json={"name": "x" * 2_000}, headers=headers)
            assert slug(answer) == "temporary-reduced-capacity"
            assert 2 <= int(answer.headers["retry-after"]) <= 6
        for _ in range(100):
            answer = await client.post(DEVICES, json={"name": "x" * 90}, headers=headers)
            assert answer.status_code == 201


async def test_every_answer_carries_the_security_headers(
    api: httpx.AsyncClient, people: People
) -> None:
    ids = set()
    for path, headers in [
        ("/livez", {}),
        ("/docs", {}),
        ("/openapi.json", {}),
        ("/nowhere", {}),
        ("/v1/devices", {}),
        ("/v1/devices", people.as_("ann")),
    ]:
        answer = await api.get(path, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
        ids.add(uuid.UUID(answer.headers["x-request-id"]))
    assert len(ids) == 6


async def test_hsts_is_sent_when_the_operator_has_tls(store: Store) -> None:
    app = create_app(Settings(hsts=True), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/livez")
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


PERSONAL = "张三 13812345678"


def faulty_app() -> FastAPI:
    app = FastAPI(
        openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False}
    )

    @app.get("/fault")
    async def fault() -> None:
        raise ValueError(PERSONAL)

    app.add_middleware(Gate, limits=Limits())
    return app


async def test_a_fault_shows_its_request_id_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = httpx.ASGITransport(app=faulty_app(), raise_app_exceptions=True)
    with caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/fault")
    assert answer.status_code == 500
    assert slug(answer) == "server-fault"
    assert set(answer.json()) == {"type", "title", "title_zh", "status", "instance"}
    assert PERSONAL not in answer.text + caplog.text
    assert answer.headers["x-request-id"] in caplog.text
    assert re.search(r"ValueError at test_gate\.py:\d+", caplog.text)


def slow_app(running: list[int], release: asyncio.Event, limits: Limits) -> FastAPI:
    app = FastAPI(
        openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False}
    )

    @app.get("/slow")
    @app.get("/livez")
    async def slow(request: Request) -> int:
        if request.url.path == "/slow":
            running.append(1)
            await release.wait()
        return len(running)

    app.add_middleware(Gate, limits=limits)
    return app


async def test_more_than_can_be_done_is_refused_early_and_the_rest_is_done() -> None:
    limits = Limits(requests=3, waiting=2, waiting_s=0.2)
    running: list[int] = []
    release = asyncio.Event()
    transport = httpx.ASGITransport(app=slow_app(running, release, limits))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        asked = [asyncio.create_task(client.get("/slow")) for _ in range(10)]
        done, _ = await asyncio.wait(asked, timeout=0.1)
        assert len(running) == 3
        assert len(done) == 5, "the queue holds two, the rest is refused at once"
        assert (await client.get("/livez")).status_code == 200
        await asyncio.sleep(0.3)
        assert sum(each.done() for each in asked) == 7, "and two waited too long"
        release.set()
        answers = [await each for each in asked]
        assert sorted(each.status_code for each in answers) == [200] * 3 + [503] * 7
        for each in answers:
            if each.status_code == 503:
                assert slug(each) == "temporary-reduced-capacity"
                assert int(each.headers["retry-after"]) >= 1
        assert (await client.get("/slow")).status_code == 200
