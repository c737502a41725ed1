"""Clocks, ids, pacing, byte counts and bad networks: what surrounds a phone."""

import gzip
import json
import random
import uuid
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from clients.phone.clock import SteppedClock, new_id, read
from clients.phone.faults import Fault, FaultyTransport
from clients.phone.pacing import WAIT_MAX_S, Pacing
from clients.phone.transport import parse_json, post_json

# clocks and ids


@given(st.integers(0, 2**48 - 1), st.integers())
def test_ids_are_time_ordered_uuids(wall_ms, seed):
    clock, chance = SteppedClock(wall_ms=wall_ms), random.Random(seed)  # noqa: S311
    made = uuid.UUID(new_id(clock, chance))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == wall_ms
    assert str(made) != new_id(clock, chance)


def test_a_wrong_wall_clock_leaves_uptime_alone():
    clock = SteppedClock(wall_ms=1_000, uptime_ms=5)
    clock.advance(10)
    clock.set_wall(-7)
    assert (read(clock).wall_ms, read(clock).uptime_ms) == (-7, 15)
    clock.reboot("b2")
    assert (read(clock).uptime_ms, read(clock).boot) == (0, "b2")


# pacing


@given(st.lists(st.none() | st.floats(0, 1, exclude_max=True), max_size=60))
def test_waits_stay_within_fifteen_minutes_and_quick_retries_within_their_budget(history):
    pacing, replies, quick = Pacing(), 0, 0
    for draw in history:
        if draw is None:
            pacing, replies = pacing.after_reply(), replies + 1
            continue
        quick += pacing.budget >= 1
        pacing, wait_s = pacing.after_failure(draw)
        assert 0 <= wait_s <= WAIT_MAX_S
    assert quick <= 1 + replies / 10


def test_the_limit_of_the_wait_doubles_and_a_reply_starts_it_over():
    pacing = Pacing(budget=10.0)
    waits = []
    for _ in range(6):
        pacing, wait_s = pacing.after_failure(0.9999)
        waits.append(wait_s)
    assert waits == [2, 4, 8, 16, 32, 64]
    assert pacing.after_reply().after_failure(0.9999)[1] == 2


# one exchange


def answering(response: httpx.Response) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _: response), base_url="http://t")


def test_sizes_are_of_the_bytes_on_the_wire():
    body = json.dumps({"text": [n * n for n in range(1_000)]}).encode()
    packed = gzip.compress(body, mtime=0)
    seen = []

    def handler(request):
        seen.append(request)
        return httpx.Response(200, content=packed, headers={"content-encoding": "gzip"})

    http = httpx.Client(transport=httpx.MockTransport(handler), base_url="http://t")
    answer = post_json(http, "/v1/sync", "secret", body)
    assert answer.value == json.loads(body)
    assert gzip.decompress(seen[0].content) == body
    assert len(packed) < answer.bytes_down < len(packed) + 120
    assert len(seen[0].content) < answer.bytes_up < len(seen[0].content) + 400


@pytest.mark.parametrize(
    ("body", "packed"),
    [(b"{}", False), (b"a" * 20_000, False), (bytes(range(97, 120)) * 20, True)],
)
def test_a_body_is_packed_when_it_helps_and_is_no_bomb(body, packed):
    server, http = through()
    post_json(http, "/", "t", body)
    assert (gzip.decompress(server.bodies[0]) if packed else server.bodies[0]) == body


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b'{"a": 1.5}', b'{"a": NaN}', b'{"a": 1e3}', b""]
)
def test_what_is_not_protocol_json_has_no_value(content):
    assert (
        post_json(answering(httpx.Response(200, content=content)), "/", "t", b"{}").value
        is None
    )
    with pytest.raises(ValueError, match=r".*"):
        parse_json(content)


@pytest.mark.parametrize(
    ("headers", "status", "wait_s"),
    [
        ({"retry-after": "17"}, 503, 17),
        ({"retry-after": "soon"}, 429, 30),
        ({}, 503, 30),
        ({"retry-after": "17"}, 500, None),
    ],
)
def test_a_pause_is_read_from_the_answer(headers, status, wait_s):
    answer = post_json(answering(httpx.Response(status, headers=headers)), "/", "t", b"{}")
    assert answer.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        ("https://jingwei.example/problems/stale-lease", "stale-lease"),
        ("urn:jingwei:problem:stale-lease", "stale-lease"),
        ("stale-lease", "stale-lease"),
        ("about:blank", "http-403"),
        (None, "http-403"),
    ],
)
def test_a_problem_is_known_by_the_end_of_its_type(kind, slug):
    problem = {} if kind is None else {"type": kind}
    answer = post_json(answering(httpx.Response(403, json=problem)), "/", "t", b"{}")
    assert answer.problem == slug


# bad networks


class Counting(httpx.BaseTransport):
    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        return httpx.Response(200, json={"count": len(self.bodies), "text": "x" * 100})


def through(
    *faults: Fault, pause: Callable[[], None] = lambda: None
) -> tuple[Counting, httpx.Client]:
    server = Counting()
    transport = FaultyTransport(server, iter(faults), pause=pause)
    return server, httpx.Client(transport=transport, base_url="http://t")


@pytest.mark.parametrize(
    ("fault", "arrived", "status"),
    [
        (Fault.NONE, 1, 200),
        (Fault.LOSE_REQUEST, 0, None),
        (Fault.LOSE_REPLY, 1, None),
        (Fault.DUPLICATE, 2, 200),
        (Fault.LATE_DUPLICATE, 1, 200),
        (Fault.CUT, 1, None),
        (Fault.DELAY, 1, 200),
    ],
)
def test_each_fault_does_what_it_says(fault, arrived, status):
    pauses = []
    server, http = through(fault, pause=lambda: pauses.append(1))
    answer = post_json(http, "/", "t", b"{}")
    assert (len(server.bodies), answer.status) == (arrived, status)
    assert len(pauses) == (fault is Fault.DELAY)
    assert (answer.bytes_down > 0) == (status == 200 or fault is Fault.CUT)


def test_a_late_duplicate_arrives_after_the_next_request():
    server, http = through(Fault.LATE_DUPLICATE)
    post_json(http, "/", "t", b"1")
    post_json(http, "/", "t", b"2")
    post_json(http, "/", "t", b"3")
    assert server.bodies == [b"1", b"2", b"1", b"3"]
    http.close()


def test_a_plan_that_has_ended_means_a_good_network():
    server, http = through()
    assert post_json(http, "/", "t", b"{}").status == 200
    assert len(server.bodies) == 1
