"""Liveness, readiness and the reference pages, open to everybody."""

import re
import time

import httpx
import pytest

from server.app import create_app
from server.db.store import open_store
from server.problems import describe_problems
from server.settings import Settings

pytestmark = pytest.mark.anyio


def client_of(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def test_a_live_and_ready_process_says_so(api: httpx.AsyncClient) -> None:
    assert (await api.get("/livez")).json()["status"] == "live"
    ready = await api.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "redis": "connected"}


async def test_a_process_whose_redis_is_away_is_ready(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    app = create_app(Settings(redis_url="redis://127.0.0.1:9/0"), store=store)
    async with client_of(app) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready", "redis": "away"}
    await store.close()


async def test_a_process_without_its_database_lives_but_is_not_ready() -> None:
    url = "postgresql://nobody@127.0.0.1:9/nothing"
    store = open_store(url)
    async with client_of(create_app(Settings(), store=store)) as client:
        begun = time.monotonic()
        answers = [await client.get("/readyz") for _ in range(5)]
        assert time.monotonic() - begun < 3
        assert {each.status_code for each in answers} == {503}
        assert {each.headers["content-type"] for each in answers} == {
            "application/problem+json"
        }
        assert all(2 <= int(each.headers["retry-after"]) <= 6 for each in answers)
        assert (await client.get("/livez")).status_code == 200
        waits = {(await client.get("/readyz")).headers["retry-after"] for _ in range(60)}
        assert len(waits) > 1, "equal waits bring all callers back at once"
    await store.close()


async def test_a_store_that_was_not_migrated_is_not_ready(tmp_path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/new.gpkg")
    async with client_of(create_app(Settings(), store=store)) as client:
        assert (await client.get("/readyz")).status_code == 503
    await store.close()


async def test_the_reference_names_every_call_and_asks_no_other_host(
    api: httpx.AsyncClient,
) -> None:
    document = (await api.get("/openapi.json")).json()
    page = await api.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in document["paths"]:
        assert path in page.text
    pages = [
        page.text,
        (await api.get("/problems")).text,
        (await api.get("/docs/style.css")).text,
    ]
    for text in pages:
        assert "<script" not in text
        assert not re.search(r"(src|href)=\"?(https?:)?//|url\(|@import", text)


async def test_every_problem_type_is_an_address_that_explains_it(
    api: httpx.AsyncClient,
) -> None:
    for each in describe_problems():
        page = await api.get(each["type"])
        assert page.status_code == 200
        assert each["title_zh"] in page.text
    assert (await api.get("/problems/nothing")).status_code == 404
