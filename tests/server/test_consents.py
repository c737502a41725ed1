"""What people were told and agreed to: noted once, taken back, and cleared; on both stores."""

from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import new_id, now_ms
from server.consents.clearing import clear_withdrawn
from server.consents.rules import OPTIONAL, fault_of, stands
from server.db.store import Store
from tests.docs.pages import blocks
from tests.server.desk import Desk, pointers, told
from tests.world import DAY_MS, World

PAGE = "docs/how-to/note-what-people-agreed-to.md"
NOTICE = {"version": "2026-11", "title": "Your data", "text": "What we keep, and what for."}
ACTS = st.sampled_from(["shown", "given", "withdrawn"])


@given(acts=st.lists(ACTS))
def test_a_consent_stands_from_when_it_is_given_until_it_is_taken_back(acts: list[str]) -> None:
    standing = False
    for act in acts:
        standing = act == "given" or (standing and act == "shown")
    assert stands(acts) == standing


@given(
    about=st.sampled_from(sorted(OPTIONAL)),
    act=ACTS,
    field=st.none() | st.sampled_from(["phone", "door", "name", "grid", "status", "household"]),
    notice=st.none() | st.just("v1"),
)
def test_only_optional_fields_are_asked_for_and_only_what_was_shown_is_agreed_to(
    about: str, act: str, field: str | None, notice: str | None
) -> None:
    fault = fault_of(about, act, field, notice)
    of_field = field is not None and (act == "shown" or field not in OPTIONAL[about])
    assert (fault == "field") == of_field
    if not of_field:
        assert (fault is None) == ((notice is None) == (act == "withdrawn"))
    assert OPTIONAL["resident"] == {"birth_year", "phone"}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def resident(desk: Desk) -> str:
    home = f"/v1/households/{desk.world.households['G1']}/residents"
    said = {"name": "Example Person", "phone": "139 0000 4321", "birth_year": 1950}
    return str((await desk.done(home, "dispatcher", said))["id"])


@pytest.mark.anyio
@pytest.mark.db
async def test_the_how_to_works_and_maintenance_clears_what_was_taken_back(
    desk: Desk, store: Store, world: World
) -> None:
    person, answers = await resident(desk), []
    for block in blocks(PAGE, "http"):
        line, _, body = block.text.partition("\n\n")
        _, path = line.split()
        login = "admin" if path.endswith("notices") else "ann"
        headers = {
            "authorization": f"Bearer {world.tokens[login]}",
            "content-type": "application/json",
        }
        filled = body.replace("{resident}", person)
        answer = await desk.client.post(path, content=filled, headers=headers)
        assert answer.status_code == 201, (block.line, answer.text)
        answers.append(answer.json())
    listed = await desk.items("/v1/consents", "dispatcher", record=person, limit=2)
    assert listed == answers[1:]
    noted = await desk.items("/v1/access-log", "admin", record=person)
    assert {(each["act"], each["kind"]) for each in noted} == {("list", "consent")}

    clear = partial(clear_withdrawn, store, now_ms=now_ms())
    assert await clear(before_ms=now_ms() - DAY_MS, dry_run=False) == 0
    later = now_ms() + 1
    assert await clear(before_ms=later, dry_run=True) == 1
    assert await clear(before_ms=later, dry_run=False) == 1
    assert await clear(before_ms=later, dry_run=False) == 0
    history: list[Any] = await desk.items(f"/v1/records/{person}/history", "dispatcher")
    assert (history[-1]["fields"], history[-1]["login"]) == (["phone"], "ann")


@pytest.mark.anyio
@pytest.mark.db
async def test_what_cannot_be_noted_is_refused_and_a_repeat_is_the_same(
    desk: Desk, world: World
) -> None:
    person = await resident(desk)
    assert told(await desk.post("/v1/notices", "dispatcher", NOTICE)) == (403, "forbidden")
    await desk.done("/v1/notices", "admin", NOTICE)
    assert told(await desk.post("/v1/notices", "admin", NOTICE)) == (409, "already-exists")
    await desk.done("/v1/notices", "admin", NOTICE | {"version": "2026-12"})
    notices = await desk.items("/v1/notices", "ann", limit=1)
    assert sorted(each["version"] for each in notices) == ["2026-11", "2026-12"]
    given = {
        "id": new_id(),
        "about": "resident",
        "record": person,
        "act": "given",
        "purpose": "visits",
        "notice": "2026-11",
        "how": "on_paper",
    }
    first = await desk.post("/v1/consents", "ann", given)
    again = await desk.post("/v1/consents", "ann", given)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert told(await desk.post("/v1/consents", "bob", given)) == (409, "already-exists")
    fresh = {name: each for name, each in given.items() if name != "id"}
    for wrong, where in (
        ({"notice": "2020-01"}, "/notice"),
        ({"notice": None}, "/notice"),
        ({"field": "name"}, "/field"),
        ({"about": "household"}, "/record"),
        ({"record": world.households["G3"]}, "/record"),
    ):
        answer = await desk.post("/v1/consents", "ann", fresh | wrong)
        assert pointers(answer) == [where], wrong
    back = fresh | {"act": "withdrawn", "notice": None}
    for purpose, status in (("service", 409), ("visits", 201)):
        answer = await desk.post("/v1/consents", "ann", back | {"purpose": purpose})
        assert answer.status_code == status, purpose
    taken_back = await desk.post("/v1/consents", "ann", back | {"purpose": "visits"})
    assert taken_back.status_code == 409
    assert taken_back.json()["code"] == "nothing-given"
    assert told(await desk.post("/v1/consents", "admin", fresh)) == (403, "forbidden")
    assert await desk.items("/v1/consents", "dispatcher-n2", record=person) == []
