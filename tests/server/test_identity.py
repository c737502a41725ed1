"""Who gets in, and what devices may be enrolled, listed and revoked by whom."""

import asyncio
import re
from functools import partial

import httpx
import pytest
from sqlalchemy import Connection, select, update
from sqlmodel import col
from starlette.routing import Route

from server.app import create_app
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Account, Token
from server.identity.principal import EVERYWHERE, DeviceStatus, Role
from server.identity.queries import (
    assignments_of,
    create_token,
    principal_of,
    revoke_tokens,
)
from server.identity.rules import may_revoke
from server.identity.tokens import PREFIX, new_token, token_hash
from server.openapi import OPEN_PATHS
from server.settings import Settings
from tests.server.people import People

pytestmark = pytest.mark.anyio
PAGES = {
    "/docs",
    "/docs/style.css",
    "/openapi.json",
    "/problems",
    "/problems/{slug}",
}
STATIC_SHELL = "/map"


def flat(routes) -> list[Route]:
    """Plain routes of an application; anything else that could answer fails the test."""
    found = []
    for each in routes:
        if isinstance(each, Route):
            found.append(each)
        else:
            found += flat(each.original_router.routes)
    return found


def all_routes() -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in flat(create_app(Settings()).routes)
        for method in sorted(route.methods)
        if route.path not in OPEN_PATHS | PAGES
        if not route.path.startswith(STATIC_SHELL)
    ]


def test_the_list_of_routes_is_not_empty() -> None:
    assert ("POST", "/v1/devices") in all_routes()


async def test_no_route_opens_without_a_token(api: httpx.AsyncClient) -> None:
    for method, path in all_routes():
        address = re.sub(r"\{[^}]*\}", new_id(), path)
        for headers in (
            {},
            {"authorization": "Bearer " + new_token()},
            {"authorization": "Bearer "},
            {"authorization": "Basic " + new_token()},
            {"authorization": "Bearer " + "x" * 10_000},
        ):
            answer = await api.request(method, address, headers=headers)
            assert answer.status_code == 401, (method, path)
            if method != "HEAD":
                assert answer.json()["type"] == "/problems/unauthenticated"


async def test_every_route_declares_who_may_call_it() -> None:
    for path, calls in create_app(Settings()).openapi()["paths"].items():
        for call in calls.values():
            assert path in OPEN_PATHS or "401" in call["responses"], path


async def test_two_authorization_headers_are_one_too_many(
    api: httpx.AsyncClient, people: People
) -> None:
    token = people.as_("ann")["authorization"]
    twice = [("authorization", token), ("authorization", token)]
    assert (await api.get("/v1/me", headers=twice)).status_code == 401
    assert (await api.get("/v1/me", headers=twice[:1])).status_code == 200
    lower = {"authorization": token.replace("Bearer", "bearer")}
    assert (await api.get("/v1/me", headers=lower)).status_code == 200


async def test_the_holder_of_a_token_can_ask_who_they_are(
    api: httpx.AsyncClient, people: People
) -> None:
    answer = (await api.get("/v1/me", headers=people.as_("dispatcher"))).json()
    assert answer["login"] == "dispatcher"
    assert answer["role"] == "dispatcher"
    assert answer["account"] == people.accounts["dispatcher"]


async def test_a_token_stops_when_it_is_revoked_expired_or_its_account_closed(
    api: httpx.AsyncClient, people: People, store: Store
) -> None:
    now = now_ms()
    account = people.accounts["ann"]

    def make(db: Connection) -> dict[str, str]:
        return {
            "revoked": create_token(db, account=account, now_ms=now),
            "expired": create_token(db, account=account, now_ms=now, expires_ms=now - 1),
            "live": create_token(db, account=account, now_ms=now, expires_ms=now + 60_000),
        }

    tokens = await store.write(make)
    prefix = token_hash(tokens["revoked"])[:12]
    assert await store.write(lambda db: revoke_tokens(db, hash_prefix=prefix, now_ms=now)) == 1
    assert await store.write(lambda db: revoke_tokens(db, hash_prefix=prefix, now_ms=now)) == 0

    async def status(name: str) -> int:
        headers = {"authorization": f"Bearer {tokens[name]}"}
        return (await api.get("/v1/me", headers=headers)).status_code

    assert [await status(name) for name in ("revoked", "expired", "live")] == [401, 401, 200]
    closed = update(Account).where(col(Account.id) == account).values(active=False)
    await store.write(lambda db: db.execute(closed).rowcount)
    assert await status("live") == 401


async def test_only_the_hash_of_a_token_is_stored(people: People, store: Store) -> None:
    rows = await store.read(lambda db: db.execute(select(Token.__table__)).all())
    stored = repr(rows)
    for token in people.tokens.values():
        assert token.startswith(PREFIX)
        assert token not in stored
        assert token_hash(token) in stored


@pytest.mark.usefixtures("people")
async def test_a_prefix_with_wildcards_revokes_nothing(store: Store) -> None:
    for prefix in ("%", "_%", "%%%%%%%%"):
        revoke = partial(revoke_tokens, hash_prefix=prefix, now_ms=1)
        assert await store.write(revoke) == 0


async def test_a_worker_starts_with_an_assignment_and_an_admin_sees_everything(
    people: People, store: Store
) -> None:
    ann = await store.read(lambda db: assignments_of(db, people.accounts["ann"]))
    assert len(ann) == 1
    assert ann[0].hi_ms is None
    assert await store.read(lambda db: assignments_of(db, people.accounts["admin"])) == ()
    hashed = token_hash(people.tokens["admin"])
    admin = await store.read(lambda db: principal_of(db, hashed=hashed, now_ms=now_ms()))
    assert admin is not None
    assert admin.area == EVERYWHERE
    assert admin.role is Role.ADMIN


async def enrol(api: httpx.AsyncClient, people: People, login: str, **body: object):
    return await api.post("/v1/devices", json=body, headers=people.as_(login))


async def test_a_phone_enrols_and_its_token_is_no_account_token(
    api: httpx.AsyncClient, people: People
) -> None:
    answer = await enrol(api, people, "ann", name="Ann's phone", app_version="1.4.0")
    assert answer.status_code == 201
    enrolled = answer.json()
    assert enrolled["account"] == people.accounts["ann"]
    assert enrolled["settled_through"] == 0
    device = {"authorization": f"Bearer {enrolled['token']}"}
    for method, path in [("GET", "/v1/me"), ("GET", "/v1/devices"), ("POST", "/v1/devices")]:
        refused = await api.request(method, path, headers=device)
        assert refused.status_code == 403
        assert refused.json()["type"] == "/problems/forbidden"


async def test_an_analyst_enrols_nothing(api: httpx.AsyncClient, people: People) -> None:
    assert (await enrol(api, people, "analyst")).status_code == 403


async def test_enrolling_again_after_a_lost_answer_keeps_the_device(
    api: httpx.AsyncClient, people: People, store: Store
) -> None:
    device = new_id()
    first = (await enrol(api, people, "ann", id=device)).json()
    again = (await enrol(api, people, "ann", id=device)).json()
    assert first["id"] == again["id"] == device
    assert first["token"] != again["token"]
    listed = (await api.get("/v1/devices", headers=people.as_("ann"))).json()["items"]
    assert [each["id"] for each in listed] == [device]

    async def holder(token: str):
        hashed = token_hash(token)
        return await store.read(lambda db: principal_of(db, hashed=hashed, now_ms=now_ms()))

    assert await holder(first["token"]) is None
    principal = await holder(again["token"])
    assert principal.device == device
    assert principal.device_status is DeviceStatus.ACTIVE


async def test_enrolling_at_the_same_time_ends_with_one_device(
    api: httpx.AsyncClient, people: People
) -> None:
    device = new_id()
    answers = await asyncio.gather(*(enrol(api, people, "ann", id=device) for _ in range(8)))
    assert {each.status_code for each in answers} == {201}
    listed = (await api.get("/v1/devices", headers=people.as_("ann"))).json()["items"]
    assert len(listed) == 1


async def test_somebody_elses_device_id_is_taken(
    api: httpx.AsyncClient, people: People
) -> None:
    device = new_id()
    await enrol(api, people, "ann", id=device)
    answer = await enrol(api, people, "ben", id=device)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/already-exists"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": None}, "/name"),
        ({"id": "7"}, "/id"),
        ({"id": new_id().upper()}, "/id"),
        ({"status": "active"}, "/status"),
        ({"account": new_id()}, "/account"),
        ({"settled_through": 5}, "/settled_through"),
    ],
)
async def test_an_enrolment_sets_only_what_it_may(
    api: httpx.AsyncClient, people: People, body: dict, pointer: str
) -> None:
    answer = await enrol(api, people, "ann", **body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_supervisors_see_their_area_and_others_their_own(
    api: httpx.AsyncClient, people: People
) -> None:
    for login in ("ann", "ben", "cat"):
        await enrol(api, people, login)

    async def seen(login: str) -> set[str]:
        answer = await api.get("/v1/devices", headers=people.as_(login))
        return {each["login"] for each in answer.json()["items"]}

    assert await seen("ann") == {"ann"}
    assert await seen("analyst") == set()
    assert await seen("dispatcher") == {"ann", "ben", "cat"}
    assert await seen("dispatcher-n1") == {"ann", "ben"}
    assert await seen("admin") == {"ann", "ben", "cat"}


@pytest.mark.parametrize(
    ("login", "status"),
    [
        ("ann", 204),
        ("ben", 404),
        ("cat", 404),
        ("analyst", 404),
        ("dispatcher", 204),
        ("dispatcher-n1", 204),
        ("admin", 204),
    ],
)
async def test_who_may_revoke_anns_phone(
    api: httpx.AsyncClient, people: People, store: Store, login: str, status: int
) -> None:
    enrolled = (await enrol(api, people, "ann")).json()
    path = f"/v1/devices/{enrolled['id']}/revoke"
    for _ in range(2):
        answer = await api.post(path, headers=people.as_(login))
        assert answer.status_code == status
    hashed = token_hash(enrolled["token"])
    holder = await store.read(lambda db: principal_of(db, hashed=hashed, now_ms=now_ms()))
    assert holder is not None, "a revoked device is still identified: its work is taken in"
    wanted = DeviceStatus.REVOKED if status == 204 else DeviceStatus.ACTIVE
    assert holder.device_status is wanted


async def test_a_dispatcher_revokes_nothing_outside_the_area(
    api: httpx.AsyncClient, people: People
) -> None:
    enrolled = (await enrol(api, people, "cat")).json()
    path = f"/v1/devices/{enrolled['id']}/revoke"
    assert (await api.post(path, headers=people.as_("dispatcher-n1"))).status_code == 404
    unknown = await api.post(f"/v1/devices/{new_id()}/revoke", headers=people.as_("admin"))
    assert unknown.status_code == 404


async def test_a_revoked_device_cannot_enrol_again_under_its_id(
    api: httpx.AsyncClient, people: People
) -> None:
    device = new_id()
    await enrol(api, people, "ann", id=device)
    await api.post(f"/v1/devices/{device}/revoke", headers=people.as_("ann"))
    assert (await enrol(api, people, "ann", id=device)).status_code == 409
    assert (await enrol(api, people, "ann")).status_code == 201


async def test_a_device_token_revokes_nothing(people: People, store: Store) -> None:
    hashed = token_hash(people.tokens["ann"])
    ann = await store.read(lambda db: principal_of(db, hashed=hashed, now_ms=now_ms()))
    assert ann is not None
    assert may_revoke(ann, owner=ann.account, area_no=ann.area.lo)
    as_device = type(ann)(
        account=ann.account,
        login=ann.login,
        role=Role.ADMIN,
        area=EVERYWHERE,
        device=new_id(),
        device_status=DeviceStatus.ACTIVE,
    )
    assert not may_revoke(as_device, owner=ann.account, area_no=ann.area.lo)
