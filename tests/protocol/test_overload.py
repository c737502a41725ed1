"""A busy server takes less at a time, says so, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from server.app import create_app
from server.clock import new_id
from server.db.store import Store
from server.replication.push import BATCH_MUTATIONS_MAX
from server.settings import Limits, Settings
from sync.exchange import MUTATIONS_MAX
from sync.pacing import NEXT_SYNC_S_MAX, NEXT_SYNC_S_MIN
from tests.server.phones import RawPhone
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
SENT = 150


@pytest.fixture
async def narrow(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A server that works on one request at a time; one more may wait."""
    limits = Limits(requests=1, waiting=1, waiting_s=30)
    app = create_app(Settings(limits=limits), store=store)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def notes(phone: RawPhone, world: World) -> list[dict[str, object]]:
    said = {"parent": world.households["G1"], "text": "seen"}
    return [phone.change(new_id(), "note", 0, set=said) for _ in range(SENT)]


async def test_an_idle_server_announces_and_takes_whole_requests(
    narrow: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(narrow, world.tokens["ann"])
    reply = await phone.sync(notes(phone, world))
    assert (reply["settled_through"], reply["outcomes"]) == (SENT, [])
    assert reply["limits"]["mutations"] == MUTATIONS_MAX
    assert NEXT_SYNC_S_MIN <= reply["next_sync_s"] <= NEXT_SYNC_S_MAX


async def test_a_busy_server_takes_one_batch_and_asks_for_the_rest_again(
    narrow: httpx.AsyncClient, world: World
) -> None:
    first, second = [
        await RawPhone.enrol(narrow, world.tokens[each]) for each in ("ann", "bob")
    ]
    queued = notes(second, world)
    replies = await asyncio.gather(first.sync(notes(first, world)), second.sync(queued))
    reply = replies[1]
    late = range(BATCH_MUTATIONS_MAX + 1, SENT + 1)
    assert reply["settled_through"] == BATCH_MUTATIONS_MAX
    assert reply["outcomes"] == [
        {"n": n, "outcome": "retry", "code": "batch-limit"} for n in late
    ]
    assert reply["limits"]["mutations"] == BATCH_MUTATIONS_MAX
    rest = await second.sync(queued[BATCH_MUTATIONS_MAX:])
    assert (rest["settled_through"], rest["outcomes"]) == (SENT, [])
    assert rest["limits"]["mutations"] == MUTATIONS_MAX


async def test_a_third_request_is_refused_with_a_time_to_come_back(
    narrow: httpx.AsyncClient, world: World
) -> None:
    phones = [
        await RawPhone.enrol(narrow, world.tokens[each]) for each in ("ann", "bob", "ann")
    ]
    answers = await asyncio.gather(
        *(phone.post(phone.body(notes(phone, world))) for phone in phones)
    )
    refused = answers[2]
    assert [each.status_code for each in answers] == [200, 200, 503]
    assert refused.json()["type"] == "/problems/temporary-reduced-capacity"
    assert 2 <= int(refused.headers["retry-after"]) <= 6
