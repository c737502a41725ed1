"""Nobody uses what is held about somebody who asked for that, until it is lifted."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from server.clock import new_id
from server.db.store import Store
from tests.server.canaries import CANARY, Household, differences
from tests.server.desk import Desk, told
from tests.server.phones import RawPhone, held
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
PATH = "/v1/subject-requests"


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def typed(db: Connection) -> str:
    """What the typed tables say, all of it."""
    if db.dialect.name == "postgresql":
        db.exec_driver_sql("SELECT set_config('jingwei.reach', '{(,)}', true)")
    tables = ("household", "resident", "visit", "note")
    return str([db.execute(text(f"SELECT * FROM {each}")).all() for each in tables])  # noqa: S608


async def restricted(desk: Desk, record: str, about: str = "household") -> tuple[str, int]:
    """Restrict a record; the address of the request, and what it stands at."""
    body = {"asked": "restriction", "about": about, "record": record, "verified": "called_back"}
    here = f"{PATH}/{(await desk.done(PATH, 'ann', body))['id']}"
    await desk.done(f"{here}/begin", "dispatcher", rev=1)
    await desk.done(f"{here}/restrict", "dispatcher", rev=2)
    done = await desk.done(f"{here}/answer", "dispatcher", rev=3)
    return here, int(done["rev"])


@pytest.fixture
async def home(client: httpx.AsyncClient, world: World) -> Household:
    """A household on a phone and on the server, contested by a second phone."""
    made = Household(await RawPhone.enrol(client, world.tokens["ann"]), world)
    await made.phone.sync(made.mutations())
    other = await RawPhone.enrol(client, world.tokens["bob"])
    said = {"contact_phone": f"{CANARY}beside"}
    await other.sync([other.change(made.id, "household", 1, set=said)])
    return made


def everybody(home: Household) -> set[str]:
    return {home.id, home.resident, home.visit, home.note}


async def test_it_is_hidden_from_phones_lists_search_and_reads(
    desk: Desk, store: Store, home: Household
) -> None:
    assert CANARY in await store.read(typed)
    here, _ = await restricted(desk, home.id)
    assert CANARY not in await store.read(typed)
    reply = await home.phone.sync()
    page = next(each for each in reply["buckets"] if each["id"].startswith("grid:"))
    gone = {each["record"]: each["why"] for each in page["gone"]}
    assert gone == dict.fromkeys(everybody(home), "hidden")
    for query in ({}, {"archived": "true"}):
        listed = await desk.items("/v1/households", "dispatcher", **query)
        assert home.id not in {each["id"] for each in listed}
    found = await desk.done("/v1/households/search", "dispatcher", {"q": f"{CANARY}name"})
    assert found["items"] == []
    history = f"/v1/records/{home.id}/history"
    for path, query in (
        (f"/v1/households/{home.id}", {}),
        (f"/v1/residents/{home.resident}", {}),
        (history, {"values": "true"}),
    ):
        answer = await desk.get(path, "dispatcher", **query)
        assert told(answer) == (403, "record-restricted"), path
    assert (await desk.get(history, "dispatcher")).status_code == 200
    assert await desk.items("/v1/conflicts", "dispatcher") == []
    waiting = await desk.items("/v1/held", "dispatcher")
    assert home.id not in {each["record"] for each in waiting}
    change = await desk.patch(f"/v1/households/{home.id}", "dispatcher", {"door": "1"}, rev=4)
    assert told(change) == (403, "record-restricted")
    steps = (await desk.get(here, "admin")).json()["steps"]
    (now,) = [each["record_rev"] for each in steps if each["act"] == "restricted"]
    shelve, why = f"/v1/records/{home.id}/archive", {"text": "gone"}
    answer = await desk.post(shelve, "dispatcher", why, rev=now)
    assert (answer.status_code, answer.json()["code"]) == (409, "restricted")


async def test_edits_wait_facts_are_kept_requests_go_on_and_lifting_brings_all_back(
    desk: Desk, store: Store, home: Household
) -> None:
    here, rev = await restricted(desk, home.id)
    phone, visit = home.phone, new_id()
    reply = await phone.sync(
        [
            phone.change(home.id, "household", 3, set={"door": f"{CANARY}late"}),
            phone.change(visit, "visit", 0, set={"household": home.id, "outcome": "done"}),
        ]
    )
    assert [(each["outcome"], each["code"]) for each in reply["outcomes"]] == [
        ("held", "restricted"),
        ("recorded", "restricted"),
    ]
    assert visit not in held(reply)
    assert await differences(store) == []

    copy = {"asked": "access", "about": "household", "record": home.id}
    made = await desk.done(PATH, "ann", copy | {"verified": "document_seen"})
    await desk.done(f"{PATH}/{made['id']}/begin", "dispatcher", rev=1)
    await desk.done(f"{PATH}/{made['id']}/copy", "dispatcher", rev=2)
    shown = await desk.get(f"{PATH}/{made['id']}/copy", "dispatcher")
    assert f"{CANARY}door" in shown.text

    lifted = await desk.done(f"{here}/lift", "dispatcher", rev=rev)
    assert (lifted["state"], lifted["steps"][-1]["act"]) == ("answered", "lifted")
    again = await desk.post(f"{here}/lift", "dispatcher", rev=rev + 1)
    assert (again.status_code, again.json()["code"]) == (409, "wrong-state")
    assert everybody(home) | {visit} <= held(await phone.sync()).keys()
    body = (await desk.get(f"/v1/households/{home.id}", "dispatcher")).json()
    assert [each["id"] for each in body["residents"]] == [home.resident]
    assert len(await desk.items("/v1/conflicts", "dispatcher")) == 1
    assert await differences(store) == []


async def test_one_of_a_household_is_restricted_alone(
    desk: Desk, store: Store, world: World
) -> None:
    household = world.households["G1"]
    home = f"/v1/households/{household}/residents"
    made = [await desk.done(home, "dispatcher", {"name": f"Example {n}"}) for n in range(2)]
    here, rev = await restricted(desk, made[0]["id"], "resident")
    body: dict[str, Any] = (await desk.get(f"/v1/households/{household}", "dispatcher")).json()
    assert [each["id"] for each in body["residents"]] == [made[1]["id"]]
    whole, whole_rev = await restricted(desk, household)
    await desk.done(f"{here}/lift", "dispatcher", rev=rev)
    answer = await desk.get(f"/v1/residents/{made[0]['id']}", "dispatcher")
    assert told(answer) == (403, "record-restricted"), "the household still is"
    await desk.done(f"{whole}/lift", "dispatcher", rev=whole_rev)
    body = (await desk.get(f"/v1/households/{household}", "dispatcher")).json()
    assert len(body["residents"]) == 2
    assert await differences(store) == []
