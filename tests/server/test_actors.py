"""Two workers on one phone: accepted by consent or by a dispatcher; each judged alone."""

from typing import Any

import httpx
import pytest

from server.clock import new_id
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


def path(phone: RawPhone) -> str:
    return f"/v1/devices/{phone.id}/actors"


def visit(phone: RawPhone, world: World, grid: str, **members: Any) -> dict[str, Any]:
    fields = {"household": world.households[grid], "outcome": "done"}
    return phone.change(new_id(), "visit", 0, set=fields, **members)


async def visitors(desk: Desk, world: World, grid: str) -> dict[str, str]:
    home = world.households[grid]
    found = await desk.items(f"/v1/households/{home}/visits", "dispatcher")
    return {each["id"]: each["visitor"] for each in found}


async def test_a_phone_handed_over_offline_each_ones_work_is_each_ones(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    cat = world.accounts["cat"]
    own = [visit(ann, world, "G1"), visit(ann, world, "G1")]
    other = [visit(ann, world, "G3", actor=cat), visit(ann, world, "G3", actor=cat)]
    reply = await ann.sync([*own, *other])
    assert outcomes(reply) == {3: "held", 4: "held"}
    assert {each["code"] for each in reply["outcomes"]} == {"unknown-actor"}
    (last, first) = await desk.items("/v1/held", "dispatcher", account=cat)
    assert first["actor"] == {"id": cat, "login": "cat"}
    assert (first["n"], last["n"]) == (3, 4)

    done = await desk.done(path(ann), "cat")
    assert (done["login"], done["released"], done["waiting"]) == ("cat", 2, 0)
    assert await visitors(desk, world, "G3") == {each["record"]: cat for each in other}
    assert set((await visitors(desk, world, "G1")).values()) == {world.accounts["ann"]}
    (waited, _) = await desk.items("/v1/held", "dispatcher", status="released")
    assert (waited["why"], waited["became"]) == ("actor", "applied")

    more = visit(ann, world, "G3", actor=cat)
    assert outcomes(await ann.sync([more])) == {}
    assert (await visitors(desk, world, "G3"))[more["record"]] == cat
    again = await desk.done(path(ann), "cat")
    assert (again["released"], again["waiting"]) == (0, 0)


async def test_authority_is_the_actors_own(desk: Desk, ann: RawPhone, world: World) -> None:
    cat = world.accounts["cat"]
    await desk.done(path(ann), "cat")
    near, far = world.households["G1"], world.households["G3"]
    reply = await ann.sync(
        [
            ann.change(near, "household", 1, set={"door": "1"}, actor=cat),
            ann.change(far, "household", 1, set={"door": "2"}, actor=cat),
            ann.change(far, "household", 1, set={"door": "3"}),
            ann.change(near, "household", 1, set={"door": "4"}),
        ]
    )
    assert outcomes(reply) == {1: "held", 3: "held"}
    assert {each["code"] for each in reply["outcomes"]} == {"unknown-record"}


async def test_acceptance_only_says_who_it_was_and_gives_no_authority(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    cat, near = world.accounts["cat"], world.households["G1"]
    await ann.sync([ann.change(near, "household", 1, set={"door": "1"}, actor=cat)])
    done = await desk.done(path(ann), "cat")
    assert (done["released"], done["waiting"]) == (0, 1)
    (found,) = await desk.items("/v1/held", "dispatcher", status="open")
    assert found["code"] == "unknown-record"


async def test_what_the_phone_receives_stays_the_signed_in_accounts(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    cat = world.accounts["cat"]
    await desk.done(path(ann), "cat")
    reply = await ann.sync([visit(ann, world, "G3", actor=cat)])
    assert outcomes(reply) == {}
    assert world.households["G3"] not in held(reply)
    assert set(reply["scope"]["enter"]) == {
        "config",
        f"user:{world.accounts['ann']}",
        f"grid:{world.grids['G1']}",
    }


async def test_who_may_accept_whom(desk: Desk, ann: RawPhone, world: World) -> None:
    by_id = await desk.done(path(ann), "dispatcher", {"account": world.accounts["cat"]})
    by_login = await desk.done(path(ann), "dispatcher", {"account": "bob"})
    assert (by_id["login"], by_login["login"]) == ("cat", "bob")
    assert told(await desk.post(path(ann), "cat", {"account": "bob"})) == (403, "forbidden")
    assert told(await desk.post(path(ann), "analyst")) == (403, "forbidden")
    outside = await desk.post(path(ann), "dispatcher-n2", {"account": "cat"})
    assert told(outside) == (404, "not-found")
    cats = await RawPhone.enrol(desk.client, world.tokens["cat"])
    not_theirs = await desk.post(path(cats), "dispatcher-n2", {"account": "ann"})
    assert pointers(not_theirs) == ["/account"]
    for named in ("nobody", "analyst", new_id()):
        answer = await desk.post(path(ann), "dispatcher", {"account": named})
        assert pointers(answer) == ["/account"]
    assert pointers(await desk.post(path(ann), "dispatcher")) == ["/account"]
    no_phone = await desk.post(f"/v1/devices/{new_id()}/actors", "cat")
    assert told(no_phone) == (404, "not-found")


async def test_the_list_is_for_the_phones_worker_and_those_who_answer_for_it(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await desk.done(path(ann), "cat")
    for login in ("ann", "dispatcher", "admin"):
        listed = (await desk.get(path(ann), login)).json()["items"]
        assert [(each["login"], each["ended_ms"]) for each in listed] == [("cat", None)]
    for login in ("bob", "dispatcher-n2", "analyst"):
        assert told(await desk.get(path(ann), login)) == (404, "not-found")
    assert world.accounts["cat"] in (await desk.get(path(ann), "ann")).text


async def test_after_the_end_new_work_waits_and_old_work_stands(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    cat = world.accounts["cat"]
    await desk.done(path(ann), "cat")
    first = visit(ann, world, "G3", actor=cat)
    await ann.sync([first])
    headers = {"authorization": f"Bearer {world.tokens['bob']}"}
    url = f"{path(ann)}/{cat}"
    assert (await desk.client.delete(url, headers=headers)).status_code == 404
    headers = {"authorization": f"Bearer {world.tokens['ann']}"}
    assert (await desk.client.delete(url, headers=headers)).status_code == 204
    assert (await desk.client.delete(url, headers=headers)).status_code == 404
    late = visit(ann, world, "G3", actor=cat) | {"clock": None}
    late["clock"] = ann.body()["clock"]
    reply = await ann.sync([late])
    assert [each["code"] for each in reply["outcomes"]] == ["unknown-actor"]
    assert list(await visitors(desk, world, "G3")) == [first["record"]]
    back = await desk.done(path(ann), "cat")
    assert (back["released"], back["ended_ms"]) == (1, None)


async def test_a_revoked_phone_gets_no_more_workers(desk: Desk, ann: RawPhone) -> None:
    assert (await desk.post(f"/v1/devices/{ann.id}/revoke", "admin")).status_code == 204
    refused = await desk.post(path(ann), "cat")
    assert told(refused) == (409, "transition-refused")
    assert refused.json()["code"] == "device-revoked"
