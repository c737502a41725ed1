"""One caller cannot take everybody's share, with Redis, without it, and while it is away."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.app import create_app
from server.db.store import Store
from server.problems import TooManyRequests
from server.quotas import Quotas, RedisQuotas, open_quotas
from server.redislink import AWAY
from server.settings import Limits, Settings
from tests import services
from tests.server.people import People

pytestmark = pytest.mark.anyio
NOW_MS = 1_795_000_000_000


def accepted(quotas: Quotas, caller: str, now_ms: int) -> bool:
    try:
        quotas.take(caller, now_ms)
    except TooManyRequests:
        return False
    return True


@given(
    times=st.lists(st.integers(0, 60_000), max_size=80).map(sorted),
    requests=st.integers(1, 10),
    window_s=st.integers(1, 20),
)
def test_no_window_takes_more_than_the_share_and_none_takes_less(
    times: list[int], requests: int, window_s: int
) -> None:
    quotas = Quotas(requests=requests, window_s=window_s)
    asked: dict[int, int] = {}
    taken: dict[int, int] = {}
    for at_ms in times:
        window = at_ms // (1000 * window_s)
        asked[window] = asked.get(window, 0) + 1
        taken[window] = taken.get(window, 0) + accepted(quotas, "a", at_ms)
    assert taken == {window: min(count, requests) for window, count in asked.items()}


def test_callers_do_not_share_a_quota() -> None:
    quotas = Quotas(requests=2, window_s=10)
    assert [accepted(quotas, "a", NOW_MS) for _ in range(3)] == [True, True, False]
    assert accepted(quotas, "b", NOW_MS)


def test_a_refusal_says_when_to_come_back_and_what_the_share_is() -> None:
    quotas = Quotas(requests=1, window_s=10)
    quotas.take("a", NOW_MS + 3_000)
    with pytest.raises(TooManyRequests) as refused:
        quotas.take("a", NOW_MS + 3_000)
    waits = {int(refused.value.headers()["retry-after"]) for _ in range(200)}
    assert min(waits) >= 7, "not before the window has ended"
    assert max(waits) <= 21
    assert len(waits) > 5, "drawn for each caller"
    headers = refused.value.headers()
    assert headers["ratelimit-policy"] == '"caller";q=1;w=10'
    assert headers["ratelimit"] == '"caller";r=0;t=7'


def test_a_flood_of_callers_does_not_fill_the_memory() -> None:
    quotas = Quotas(requests=1, window_s=10, callers_max=3)
    for caller in "abcde":
        assert accepted(quotas, caller, NOW_MS)
    assert len(quotas._used) == 3
    assert not accepted(quotas, "a", NOW_MS)
    assert accepted(quotas, "e", NOW_MS), "who came too late is let in rather than punished"


async def test_over_http_it_is_429_before_the_database_is_asked(
    store: Store, people: People
) -> None:
    app = create_app(
        Settings(limits=Limits(caller_requests=3, caller_window_s=3600)), store=store
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answers = [await client.get("/v1/areas", headers=people.as_("ann")) for _ in range(5)]
        assert [each.status_code for each in answers].count(429) >= 2
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "/problems/quota-exceeded"
        assert int(refused.headers["retry-after"]) >= 1
        assert re.fullmatch(r'"caller";r=0;t=\d+', refused.headers["ratelimit"])
        assert refused.headers["ratelimit-policy"] == '"caller";q=3;w=3600'
        other = await client.get("/v1/areas", headers=people.as_("ben"))
        assert other.status_code == 200
        assert (await client.get("/livez")).status_code == 200


@pytest.fixture
async def redis() -> AsyncIterator[services.Redis]:
    """A Redis that this test may kill."""
    server = await asyncio.to_thread(services.Redis().start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest.mark.db
async def test_the_processes_of_a_deployment_share_one_quota(redis_url: str) -> None:
    one, two = (
        RedisQuotas(requests=4, window_s=10, url=redis_url, prefix="test") for _ in range(2)
    )
    assert all(accepted(one, "a", NOW_MS) for _ in range(3))
    await one.tell()
    assert accepted(two, "a", NOW_MS)
    await two.tell()
    assert not accepted(two, "a", NOW_MS), "three there and one here"
    assert accepted(two, "b", NOW_MS)
    assert accepted(two, "a", NOW_MS + 10_000), "the next window"
    for each in (one, two):
        await each.close()


@pytest.mark.db
async def test_they_tell_each_other_by_themselves(redis_url: str) -> None:
    one, two = (
        open_quotas(requests=400, window_s=10, redis_url=redis_url, deployment="test")
        for _ in range(2)
    )
    await one.start()
    await two.start()
    assert all(accepted(one, "a", NOW_MS) for _ in range(350))
    taken = 0
    while accepted(two, "a", NOW_MS):
        taken += 1
        await asyncio.sleep(0.02)
    assert taken < 400, "refused for what the other process counted"
    await one.close()
    await two.close()


@pytest.mark.db
async def test_without_redis_every_process_counts_for_itself(redis: services.Redis) -> None:
    quotas = RedisQuotas(requests=2, window_s=10, url=redis.url, prefix="test")
    await quotas.start()
    await asyncio.to_thread(redis.halt)
    assert [accepted(quotas, "a", NOW_MS) for _ in range(3)] == [True, True, False]
    with pytest.raises(AWAY):
        await quotas.tell()
    await asyncio.to_thread(redis.start)
    await quotas.tell()
    assert not accepted(quotas, "a", NOW_MS)
    await quotas.close()
