"""Whole requests that are wrong, or strange: a problem or a reply, and nothing is lost."""

import gzip
import json
from typing import Any

import httpx
import pytest
import zstandard

from server.clock import new_id
from sync.exchange import BUCKETS_MAX
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, bearer, clock, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
TELLTALE = "13800005678"
LIMIT = 2**53


def cursor(**members: Any) -> dict[str, Any]:
    """A position in the configuration that is fine but for `members`."""
    return {"id": "config", "epoch": 1, "seq": 0, "digest": "0" * 16} | members


def wrong_members() -> list[tuple[str, dict[str, Any]]]:
    """Members of a request that make it unreadable, with where the fault is."""
    numbers: tuple[Any, ...] = (-1, 1.0, "1", True, [], {}, None)
    no_arrays: tuple[Any, ...] = ({}, "x", 7)
    no_objects: tuple[Any, ...] = (None, 7, "x", [])
    texts: tuple[Any, ...] = (7, "", "x" * 1000, [], {})
    return [
        *(("/last_n", {"last_n": each}) for each in numbers),
        *(("/app/schema", {"app": {"version": "1", "schema": each}}) for each in numbers),
        *(("/app/version", {"app": {"version": each, "schema": 1}}) for each in texts),
        ("/app", {"app": None}),
        ("/app/version", {"app": {}}),
        ("/app/surplus", {"app": {"version": "1", "schema": 1, "surplus": TELLTALE}}),
        *(("/lease", {"lease": each}) for each in texts),
        *(("/max_bytes", {"max_bytes": each}) for each in numbers if each is not None),
        ("/max_bytes", {"max_bytes": 0}),
        ("/surplus", {"surplus": TELLTALE}),
        ("", {TELLTALE: TELLTALE}),
        *(("/mutations", {"mutations": each}) for each in no_arrays),
        ("/mutations", {"mutations": [{"n": 1}] * 201}),
        *(("/mutations/0", {"mutations": [each]}) for each in no_objects),
        *(("/mutations/0/n", {"mutations": [{"n": each}]}) for each in (*numbers, 0)),
        ("/mutations/0/n", {"mutations": [{"record": TELLTALE}]}),
        *(("/buckets", {"buckets": each}) for each in no_arrays),
        *(("/buckets/0", {"buckets": [each]}) for each in no_objects),
        (
            "/buckets",
            {"buckets": [cursor(id=f"grid:{each}") for each in range(BUCKETS_MAX + 1)]},
        ),
        ("/buckets", {"buckets": [cursor(), cursor(seq=1)]}),
        *(("/buckets/0/seq", {"buckets": [cursor(seq=each)]}) for each in numbers),
        *(("/buckets/0/epoch", {"buckets": [cursor(epoch=each)]}) for each in numbers),
        *(
            ("/buckets/0/digest", {"buckets": [cursor(digest=each)]})
            for each in (*texts, "F" * 16, "0" * 15, "0" * 17, "g" * 16, None, "0" * 15 + "\n")
        ),
        *(("/buckets/0/id", {"buckets": [cursor(id=each)]}) for each in (*texts, None)),
        ("/buckets/0/surplus", {"buckets": [cursor(surplus=TELLTALE)]}),
        ("/clock", {"clock": None}),
        ("/clock/wall", {"clock": {}}),
        ("/clock/wall", {"clock": clock() | {"wall": "2026-11-23T08:00:00"}}),
        ("/clock/uptime_ms", {"clock": clock() | {"uptime_ms": 1.5}}),
        ("/clock/boot", {"clock": clock() | {"boot": 7}}),
    ]


async def test_an_unreadable_request_is_a_problem_with_a_pointer_and_stores_nothing(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    edit = phone.change(world.households["G1"], "household", 1, set={"door": TELLTALE})
    for pointer, members in wrong_members():
        answer = await phone.post(phone.body([edit]) | members)
        assert answer.status_code == 400, members
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert [each["pointer"] for each in problem["errors"]] == [pointer], members
        assert TELLTALE not in answer.text
    for name in phone.body():
        if name not in {"mutations", "buckets"}:
            answer = await phone.post(
                {key: value for key, value in phone.body([edit]).items() if key != name}
            )
            assert answer.status_code == 400, name
    for value in (None, [], "x", 7, [phone.body()]):
        answer = await client.post("/v1/sync", json=value, headers=bearer(phone.token))
        assert answer.status_code == 400, value
    await witness.nothing_new()
    assert outcomes(await phone.sync([edit])) == {}


async def test_bodies_that_are_no_json_are_refused_before_anything_is_read(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    edit = phone.change(world.households["G1"], "household", 1, set={"door": TELLTALE})
    good = json.dumps(phone.body([edit])).encode()
    headers = bearer(phone.token) | {"content-type": "application/json"}
    zipped = headers | {"content-encoding": "gzip"}
    bomb = gzip.compress(good[:-1] + b" " * 40_000_000 + b"}")
    cases: list[tuple[set[int], bytes, dict[str, str]]] = [
        ({400}, b"", headers),
        ({400}, good[:-1], headers),
        ({400}, good + b"x", headers),
        ({400}, b"\xef\xbb\xbf" + good, headers),
        ({400}, good.decode().encode("utf-16"), headers),
        ({400}, good.replace(TELLTALE.encode(), b"\\u0000"), headers),
        ({400}, good.replace(TELLTALE.encode(), b"\\ud800"), headers),
        ({400}, good.replace(TELLTALE.encode(), b"\xff"), headers),
        ({400}, good.replace(b'"last_n": 1', b'"last_n": NaN'), headers),
        ({400}, good.replace(b'"last_n": 1', b'"last_n": 1e999'), headers),
        ({400}, good.replace(b'"last_n": 1', b'"last_n": 9007199254740993'), headers),
        ({400}, good.replace(b'"last_n": 1', b'"last_n": 1, "last_n": 1'), headers),
        ({400}, good.replace(b'"door"', b'"door": 1, "door"'), headers),
        ({400}, b"[" * 40 + b"]" * 40, headers),
        ({413}, good[:-1] + b" " * 1_100_000 + b"}", headers),
        ({400}, gzip.compress(good)[:-9], zipped),
        ({400}, good, zipped),
        ({400, 413}, bomb, zipped),
        ({415}, good, headers | {"content-encoding": "br"}),
        ({415}, gzip.compress(good), headers | {"content-encoding": "gzip, gzip"}),
        ({415}, good, headers | {"content-type": "text/plain"}),
        ({415}, good, headers | {"content-type": "application/x-www-form-urlencoded"}),
        ({415}, good, headers | {"content-type": "application/json; charset=gb18030"}),
    ]
    for statuses, content, sent in cases:
        answer = await client.post("/v1/sync", content=content, headers=sent)
        assert answer.status_code in statuses, (content[:80], sent)
        assert answer.headers["content-type"] == "application/problem+json"
        assert TELLTALE not in answer.text
    await witness.nothing_new()
    good_zipped = await client.post("/v1/sync", content=gzip.compress(good), headers=zipped)
    assert good_zipped.status_code == 200
    assert outcomes(good_zipped.json()) == {}


async def test_a_full_batch_of_like_notes_is_no_bomb(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    said = {"parent": world.households["G1"], "text": "x" * 1_900}
    batch = [phone.change(new_id(), "note", 0, set=said) for _ in range(200)]
    content = json.dumps(phone.body(batch)).encode()
    packed = gzip.compress(content)
    assert len(content) > 50 * len(packed)
    headers = bearer(phone.token) | {
        "content-type": "application/json",
        "content-encoding": "gzip",
    }
    answer = await client.post("/v1/sync", content=packed, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["settled_through"] == 200


async def test_only_a_device_may_sync_and_it_may_do_nothing_else(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    for login in ("ann", "dispatcher", "analyst", "admin"):
        answer = await client.post(
            "/v1/sync", json=phone.body(), headers=bearer(world.tokens[login])
        )
        assert answer.status_code == 403, login
    for token in ("", "x", phone.token[:-1], phone.token + "x", "x" * 500, "é"):
        headers = [(b"authorization", f"Bearer {token}".encode())]
        answer = await client.post("/v1/sync", json=phone.body(), headers=headers)
        assert answer.status_code == 401, token
        assert "www-authenticate" in answer.headers
    assert (await client.post("/v1/sync", json=phone.body())).status_code == 401
    analyst = await client.post(
        "/v1/devices",
        json={"name": "phone", "app_version": "1"},
        headers=bearer(world.tokens["analyst"]),
    )
    assert analyst.status_code == 403
    for path in ("/v1/households", "/v1/grids", "/v1/conflicts", "/v1/devices", "/v1/me"):
        answer = await client.get(path, headers=bearer(phone.token))
        assert answer.status_code == 403, path
    await witness.nothing_new()


async def test_other_methods_and_paths_are_problems(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        sent = {} if method in {"GET", "DELETE"} else {"json": phone.body()}
        answer = await client.request(method, "/v1/sync", headers=bearer(phone.token), **sent)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "POST"
        assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/v1/sync/", "/v1/sync/snapshots", "/v2/sync", "/v1/sync/records/x"):
        answer = await client.post(path, json=phone.body(), headers=bearer(phone.token))
        assert answer.status_code == 404, path


async def test_only_protocol_1_is_spoken(client: httpx.AsyncClient, world: World) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    for version in (0, 2, LIMIT):
        answer = await phone.post({"protocol": version})
        assert answer.status_code == 426, version
    unreadable: tuple[Any, ...] = (-1, "1", 1.0, True, None, [])
    for version in unreadable:
        answer = await phone.post(phone.body() | {"protocol": version})
        assert answer.status_code == 400, version


async def test_every_readable_cursor_gets_a_reply(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    fresh = await phone.sync()
    own = f"grid:{world.grids['G1']}"
    whole = {page["id"]: page for page in fresh["buckets"]}[own]
    true = {name: whole[name] for name in ("epoch", "seq", "digest")}
    strange = [
        {"seq": LIMIT},
        {"seq": whole["seq"] + 1},
        {"epoch": 0},
        {"epoch": 0, "seq": 0, "digest": "0" * 16},
        {"epoch": whole["epoch"] + 1},
        {"epoch": LIMIT},
        {"digest": "f" * 16},
        {"seq": 0, "digest": "0" * 16},
        {"seq": 0, "digest": "f" * 16},
    ]
    for each in strange:
        reply = (await phone.post(phone.body(buckets=[{"id": own, **true, **each}]))).json()
        page = next(page for page in reply["buckets"] if page["id"] == own)
        assert page["from"] == 0
        assert [item["record"] for item in page["put"]] == [
            item["record"] for item in whole["put"]
        ]
        assert page["digest"] == whole["digest"]
    unknown = [
        "grid:x",
        f"grid:{new_id()}",
        "user:",
        "网格",
        "x" * 80,
        f"grid:{world.grids['G3']}",
    ]
    cursors = [{"id": each, **true} for each in unknown]
    reply = (await phone.post(phone.body(buckets=cursors))).json()
    assert set(reply["scope"]["leave"]) == set(unknown)
    assert set(reply["scope"]["enter"]) == set(fresh["scope"]["enter"])


async def test_a_reply_is_packed_as_the_phone_asks(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    plain: dict[str, Any] = {}
    for asked, got in (
        ("identity", None),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, zstd", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
        ("br", None),
        ("", None),
    ):
        headers = bearer(phone.token) | {"accept-encoding": asked}
        async with client.stream(
            "POST", "/v1/sync", json=phone.body(), headers=headers
        ) as answer:
            assert answer.headers.get("content-encoding") == got, asked
            content = b"".join([piece async for piece in answer.aiter_raw()])
        if got == "gzip":
            content = gzip.decompress(content)
        elif got == "zstd":
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        reply = json.loads(content)
        plain = plain or reply
        assert reply["buckets"] == plain["buckets"]


async def test_a_reply_keeps_to_max_bytes_and_always_gets_on(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    said = {"parent": world.households["G1"], "text": "x" * 1_500}
    await phone.sync([phone.change(new_id(), "note", 0, set=said) for _ in range(20)])
    for most in (1, 4_096, 10_000, 65_536, 10**9, LIMIT):
        fresh = await RawPhone.enrol(client, world.tokens["bob"])
        seen: dict[str, Any] = {}
        for _ in range(60):
            body = fresh.body(max_bytes=most)
            answer = await fresh.post(body)
            assert answer.status_code == 200
            put = [item for page in answer.json()["buckets"] for item in page["put"]]
            size = sum(len(json.dumps(item, separators=(",", ":"))) for item in put)
            assert size <= max(most, 4_096) or len(put) == 1
            reply = await fresh.sync(max_bytes=most)
            seen |= held(reply)
            if not any(page["more"] for page in reply["buckets"]):
                break
        else:
            pytest.fail("paging did not end")
        for page in (await RawPhone.enrol(client, world.tokens["bob"])).cursors.values():
            assert page["digest"] == fresh.cursors[page["id"]]["digest"]
        assert sum(item["kind"] == "note" for item in seen.values()) == 20
