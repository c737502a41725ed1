"""Requests of people about their own data, on both stores."""

import json
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text, update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import SubjectCopy, SubjectRequest
from server.subjects import queries
from tests.docs.pages import blocks
from tests.server.canaries import CANARY, Household
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PATH = "/v1/subject-requests"
PAGE = "docs/how-to/answer-a-persons-request.md"
DAY_MS = 86_400_000


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def resident(desk: Desk, name: str = "Example Person") -> str:
    home = f"/v1/households/{desk.world.households['G1']}/residents"
    return str((await desk.done(home, "dispatcher", {"name": name}))["id"])


def asked(record: str, what: str = "access", about: str = "resident") -> dict[str, Any]:
    return {"asked": what, "about": about, "record": record, "verified": "document_seen"}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def _filled(body: str, **ids: str) -> str:
    for name, each in ids.items():
        body = body.replace(f"{{{name}}}", each)
    return body


async def test_the_how_to_works_as_it_is_written(
    desk: Desk, store: Store, world: World
) -> None:
    record, request, seen = await resident(desk), "", []
    for block in blocks(PAGE, "http"):
        head, _, body = block.text.partition("\n\n")
        line, *headers = head.strip().splitlines()
        method, path = line.split()
        named = dict(each.split(": ", 1) for each in headers)
        answer = await desk.client.request(
            method,
            path.replace("{request}", request),
            content=_filled(body, resident=record, household=world.households["G1"]) or None,
            headers=named
            | {"authorization": f"Bearer {world.tokens['dispatcher']}"}
            | ({"content-type": "application/json"} if body.strip() else {}),
        )
        assert answer.status_code in {200, 201}, (block.line, answer.text)
        if path == PATH:
            request = answer.json()["id"]
        seen.append(answer)
    copy = seen[3].json()
    assert [each["values"]["name"] for each in copy["records"] if each["kind"] == "resident"]
    took = [each.json()["erasure"] for each in seen if "erasure" in each.json()]
    assert [(each["dry_run"], each["records"]) for each in took] == [
        (True, {"resident": 1}),
        (False, {"resident": 1}),
    ]
    done = seen[-1].json()
    assert (done["state"], done["overdue"]) == ("answered", False)
    assert [each["act"] for each in done["steps"]] == [
        "received",
        "begun",
        "restricted",
        "answered",
        "lifted",
    ]
    assert {each["account"] for each in done["steps"]} == {world.accounts["dispatcher"]}
    counted = await store.read(
        lambda db: db.execute(select(func.count()).select_from(SubjectCopy)).scalar_one()
    )
    assert counted == 0, "an erasure destroys the copies"


async def test_who_takes_in_sees_and_works_on_what(desk: Desk, world: World) -> None:
    record, own = await resident(desk), new_id()
    body = asked(record) | {"id": own}
    first = await desk.post(PATH, "ann", body)
    assert (first.status_code, first.headers["location"]) == (201, f"{PATH}/{own}")
    again = await desk.post(PATH, "ann", body)
    assert (again.status_code, again.json()) == (200, first.json())
    assert told(await desk.post(PATH, "bob", body)) == (409, "already-exists")
    other = await desk.post(PATH, "ann", body | {"verified": "called_back"})
    assert told(other) == (409, "already-exists")
    due = first.json()["due_ms"] - first.json()["received_ms"]
    assert due == 15 * DAY_MS
    for login, seen in {"ann": 1, "bob": 0, "dispatcher": 1, "admin": 1, "cat": 0}.items():
        assert len(await desk.items(PATH, login)) == seen, login
    assert told(await desk.get(PATH, "analyst")) == (403, "forbidden")
    assert await desk.items(PATH, "dispatcher-n2") == []
    assert told(await desk.get(f"{PATH}/{own}", "dispatcher-n2")) == (404, "not-found")
    assert told(await desk.get(f"{PATH}/{own}", "bob")) == (404, "not-found")
    for login in ("ann", "admin", "analyst"):
        answer = await desk.post(f"{PATH}/{own}/begin", login, rev=1)
        assert told(answer) == (403, "forbidden"), login
    answer = await desk.post(f"{PATH}/{own}/begin", "dispatcher-n2", rev=1)
    assert told(answer) == (404, "not-found")
    stranger = await desk.post(PATH, "cat", asked(record))
    assert pointers(stranger) == ["/record"]
    household = world.households["G1"]
    assert pointers(await desk.post(PATH, "ann", asked(household))) == ["/record"]
    wrong = asked(record) | {"verified": "id 4401", "note": "her card"}
    assert sorted(pointers(await desk.post(PATH, "ann", wrong))) == ["/note", "/verified"]


async def test_the_steps_are_taken_in_order_by_who_works_on_it(
    desk: Desk, world: World
) -> None:
    record = await resident(desk)
    made = await desk.done(PATH, "dispatcher", asked(record))
    here = f"{PATH}/{made['id']}"
    assert told(await desk.post(f"{here}/begin", "dispatcher")) == (
        428,
        "precondition-required",
    )
    early = await desk.post(f"{here}/copy", "dispatcher", rev=1)
    assert code(early) == (409, "wrong-state")
    assert code(await desk.post(f"{here}/answer", "dispatcher", rev=1)) == (409, "wrong-state")
    begun = await desk.done(f"{here}/begin", "dispatcher", rev=1)
    assert (begun["state"], begun["handler"]) == (
        "in_progress",
        world.accounts["dispatcher"],
    )
    stale = await desk.post(f"{here}/answer", "dispatcher", rev=1)
    assert (told(stale), stale.json()["current_rev"]) == ((412, "precondition-failed"), 2)
    assert code(await desk.post(f"{here}/begin", "dispatcher", rev=2)) == (409, "wrong-state")
    assert code(await desk.post(f"{here}/answer", "dispatcher", rev=2)) == (
        409,
        "nothing-done",
    )
    erase = {"record_rev": 1, "dry_run": True}
    assert code(await desk.post(f"{here}/erase", "dispatcher", erase, rev=2)) == (
        409,
        "other-request",
    )
    assert told(await desk.get(f"{here}/copy", "dispatcher")) == (404, "not-found")
    refused = await desk.post(f"{here}/refuse", "dispatcher", {"reason": "nothing_held"}, rev=2)
    assert (refused.json()["state"], refused.json()["refusal"]) == ("refused", "nothing_held")
    assert code(await desk.post(f"{here}/begin", "dispatcher", rev=3)) == (409, "wrong-state")


async def test_what_is_late_is_listed_page_by_page_and_old_proof_is_forgotten(
    desk: Desk, store: Store, world: World
) -> None:
    record = await resident(desk)
    made = [await desk.done(PATH, "dispatcher", asked(record)) for _ in range(3)]
    other = asked(world.households["G3"], "erasure", "household")
    await desk.done(PATH, "dispatcher", other)
    late = {each["id"] for each in made[:2]}
    table = SubjectRequest.__table__

    def age(db: Any, ids: set[str], **values: Any) -> None:
        db.execute(update(table).where(table.c.id.in_(ids)).values(**values))

    await store.write(partial(age, ids=late, received_ms=1, due_ms=2))
    found = await desk.items(PATH, "admin", overdue="true", limit=1)
    assert {each["id"] for each in found} == late
    assert all(each["overdue"] for each in found)
    assert len(await desk.items(PATH, "dispatcher", overdue="false")) == 2
    assert len(await desk.items(PATH, "dispatcher", area="N2")) == 1
    assert len(await desk.items(PATH, "dispatcher", asked="access", state="received")) == 3
    assert len(await desk.items(PATH, "dispatcher", record=world.households["G3"])) == 1
    reason = {"reason": "repeated"}
    await desk.done(f"{PATH}/{made[0]['id']}/refuse", "dispatcher", reason, rev=1)
    await store.write(partial(age, ids={made[0]["id"]}, closed_ms=3))
    forget = partial(queries.forget_closed, before_ms=now_ms() - DAY_MS)
    assert await store.read(partial(forget, dry_run=True)) == 1
    assert await store.write(partial(forget, dry_run=False)) == 1
    assert len(await desk.items(PATH, "dispatcher", limit=2)) == 3


async def test_a_copy_holds_all_that_is_about_one_and_nothing_of_the_others(
    client: httpx.AsyncClient, desk: Desk, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    home = Household(phone, world)
    await phone.sync(home.mutations())
    neighbour = f"/v1/households/{home.id}/residents"
    await desk.done(
        neighbour, "dispatcher", {"name": "Somebody Else", "phone": "139 0000 4321"}
    )
    await desk.get(f"/v1/households/{home.id}", "dispatcher")
    copies = {}
    for about, record in (("resident", home.resident), ("household", home.id)):
        here = f"{PATH}/{(await desk.done(PATH, 'ann', asked(record, about=about)))['id']}"
        await desk.done(f"{here}/begin", "dispatcher", rev=1)
        made = await desk.done(f"{here}/copy", "dispatcher", rev=2)
        answer = await desk.get(f"{here}/copy", "dispatcher")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert told(await desk.get(f"{here}/copy", "ann")) == (403, "forbidden")
        assert made["copied"]["expires_ms"] - made["copied"]["made_ms"] == 7 * DAY_MS
        copies[about] = answer.text
    person, house = json.loads(copies["resident"]), json.loads(copies["household"])
    for word in ("name", "phone", "note", "door", "lang", "waiting", "bad", "unread"):
        assert f"{CANARY}{word}" in copies["resident"], word
    for word in ("door", "contact", "lang", "visit", "past", "held"):
        assert f"{CANARY}{word}" in copies["household"], word
    assert f"{CANARY}name" not in copies["household"]
    assert f"{CANARY}contact" not in copies["resident"]
    for text_ in copies.values():
        assert "Somebody" not in text_
        assert world.accounts["ann"] not in text_
    assert [each["role"] for each in person["readers"]] == ["dispatcher"]
    assert {each["outcome"] for each in house["history"]} >= {"applied"}
    assert person["fields"]["resident"]["name"]["class"] == "P1"
    assert person["cut_short"] == []
    listed = await desk.items("/v1/access-log", "admin", record=home.resident)
    assert [(each["act"], each["kind"]) for each in listed][:1] == [("read", "copy")]
    expire = partial(queries.drop_expired_copies, now_ms=now_ms() + 8 * DAY_MS)
    assert await store.read(partial(expire, dry_run=True)) == 2
    assert await store.write(partial(expire, dry_run=False)) == 2
    left = await store.read(
        lambda db: db.execute(text("SELECT count(*) FROM subject_copy")).scalar_one()
    )
    assert left == 0
