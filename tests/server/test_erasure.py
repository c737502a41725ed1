"""Erased people are gone: from every table, from the file, from phones, and they stay gone."""

import json
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from server.clock import new_id, now_ms
from server.db.store import Store
from server.erasure.again import erase_again, listed_lines, read_line
from server.replication.consoles import Console
from sync.canonical import canonical
from sync.erasing import redacted_body
from tests.server.canaries import (
    ASKED,
    CANARY,
    Household,
    canaries,
    differences,
    erased,
    everything,
)
from tests.server.desk import Desk, told
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World

_SOME_ID = "01900000-0000-7000-8000-000000000001"
pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
async def phone(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


@pytest.fixture
async def home(client: httpx.AsyncClient, world: World, phone: RawPhone) -> Household:
    """The household on a phone and on the server, contested by a second phone."""
    made = Household(phone, world)
    reply = await phone.sync(made.mutations())
    assert outcomes(reply) == {6: "held", 7: "invalid", 8: "held", 9: "invalid"}
    other = await RawPhone.enrol(client, world.tokens["bob"])
    reply = await other.sync(
        [other.change(made.id, "household", 1, set={"contact_phone": f"{CANARY}beside"})]
    )
    assert outcomes(reply) == {1: "conflict"}
    return made


async def test_no_table_says_anything_of_erased_people_and_ids_stay(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    desk = Desk(client, world)
    planted = {"door", "contact", "lang", "name", "phone", "visit", "note", "past", "beside"}
    assert await canaries(store) == planted | {"held", "bad", "waiting", "unread"}
    before = await store.read(hashes)
    body = await erased(desk, home)
    assert body["records"] == {"household": 1, "note": 1, "resident": 1, "visit": 1}
    assert body["mutations"] == 10
    assert body["conflicts"] == 1
    assert await canaries(store) == set()
    assert (await store.read(hashes))[: len(before)] == before
    assert await differences(store) == []


def hashes(db: Connection) -> list[tuple[Any, ...]]:
    statement = text("SELECT device_id, n, outcome, code, body_hash FROM mutation ORDER BY pos")
    return [tuple(row) for row in db.execute(statement)]


async def test_a_dry_run_counts_the_same_and_changes_nothing(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    desk = Desk(client, world)
    # Reading the household before, for its revision, is noted like every read.
    kept = partial(everything, besides=("access_entry", "access_record"))
    before = await store.read(kept)
    counted = await erased(desk, home, dry_run=True)
    assert await store.read(kept) == before
    done = await erased(desk, home)
    for name in ("records", "mutations", "conflicts"):
        assert counted[name] == done[name]


async def test_phones_drop_them_and_keep_that_a_visit_took_place(
    client: httpx.AsyncClient, world: World, home: Household
) -> None:
    desk, phone = Desk(client, world), home.phone
    await erased(desk, home)
    reply = await phone.sync()
    page = next(each for each in reply["buckets"] if each["id"].startswith("grid:"))
    gone = {each["record"]: each["why"] for each in page["gone"]}
    assert gone == dict.fromkeys((home.id, home.resident, home.note), "erased")
    state = held(reply)[home.visit]["state"]
    assert (state["outcome"], state["household"], "text" in state) == ("done", home.id, False)
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    assert not {home.id, home.resident, home.note} & held(await fresh.sync()).keys()
    assert told(await desk.get(f"/v1/households/{home.id}", "dispatcher")) == (404, "not-found")


async def test_whoever_offers_them_again_is_told_and_nothing_comes_back(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    await erased(Desk(client, world), home)
    other = await RawPhone.enrol(client, world.tokens["bob"])
    again = Household(other, world)
    again.id, again.resident, again.visit, again.note = (
        home.id,
        home.resident,
        home.visit,
        home.note,
    )
    reply = await other.sync(again.mutations())
    assert {each["code"] for each in reply["outcomes"]} == {"erased", "bad-value", "malformed"}
    assert set(outcomes(reply).values()) == {"recorded", "invalid"}
    assert await canaries(store) == set()
    assert await differences(store) == []


async def test_what_was_written_offline_is_answered_and_only_facts_are_kept(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    await erased(Desk(client, world), home)
    phone, visit, note, late = home.phone, new_id(), new_id(), new_id()
    sent = [
        phone.change(home.id, "household", 2, set={"door": f"{CANARY}late"}),
        phone.change(
            visit,
            "visit",
            0,
            set={"household": home.id, "outcome": "not_home", "text": f"{CANARY}late"},
        ),
        phone.change(note, "note", 0, set={"parent": visit, "text": f"{CANARY}late"}),
        phone.change(late, "resident", 0, set={"household": home.id, "name": f"{CANARY}late"}),
    ]
    reply = await phone.sync(sent)
    assert [(each["outcome"], each["code"]) for each in reply["outcomes"]] == [
        ("recorded", "erased")
    ] * 4
    state = held(reply)[visit]["state"]
    assert (state["outcome"], "text" in state) == ("not_home", False)
    assert not {note, late} & held(reply).keys()
    assert await canaries(store) == set()
    again = await phone.sync(sent)
    assert all(each["replayed"] for each in again["outcomes"])
    assert await differences(store) == []


async def test_replays_of_erased_work_still_answer_the_first_outcome(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    await erased(Desk(client, world), home)
    home.phone.last_n = 0
    reply = await home.phone.sync(home.mutations())
    assert outcomes(reply) == {
        **dict.fromkeys(range(1, 6), "applied"),
        6: "held",
        7: "invalid",
        8: "held",
        9: "invalid",
    }
    assert await canaries(store) == set()


async def test_what_a_phone_keeps_of_erased_work_is_known_to_the_server_too(
    client: httpx.AsyncClient, world: World, home: Household
) -> None:
    await erased(Desk(client, world), home)
    home.phone.last_n = 0
    kept = [json.loads(redacted_body(canonical(each))) for each in home.mutations()]
    assert CANARY not in json.dumps(kept)
    reply = await home.phone.sync(kept)
    assert all(each["replayed"] for each in reply["outcomes"])
    assert set(outcomes(reply).values()) == {"applied", "held", "invalid"}
    other = {**kept[4], "set": {"door": "another"}}
    reply = await home.phone.sync([other])
    assert reply["outcomes"][0]["code"] == "reused-n"


async def test_one_resident_is_erased_and_the_household_stays(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    desk = Desk(client, world)
    path = f"/v1/records/{home.resident}/erase"
    body = await desk.done(path, "dispatcher", ASKED, rev=1)
    assert body["records"] == {"note": 1, "resident": 1}
    assert await canaries(store) == {
        "door",
        "contact",
        "lang",
        "visit",
        "past",
        "held",
        "beside",
    }
    answer = (await desk.get(f"/v1/households/{home.id}", "dispatcher")).json()
    assert answer["residents"] == []
    made = await desk.done(f"/v1/households/{home.id}/residents", "dispatcher", {"name": "New"})
    assert made["rev"] == 1
    assert await differences(store) == []


async def test_who_may_not_decide_or_see_them_is_refused(
    client: httpx.AsyncClient, world: World, home: Household
) -> None:
    desk, path = Desk(client, world), f"/v1/records/{home.resident}/erase"
    assert told(await desk.post(path, "ann", ASKED, rev=1)) == (403, "forbidden")
    assert told(await desk.post(path, "analyst", ASKED, rev=1)) == (403, "forbidden")
    assert told(await desk.post(path, "dispatcher-n2", ASKED, rev=1)) == (404, "not-found")
    assert told(await desk.post(path, "dispatcher", ASKED, rev=7)) == (
        412,
        "precondition-failed",
    )
    assert told(await desk.post(path, "dispatcher", ASKED)) == (428, "precondition-required")
    wrong = {"reason": "because Ms. X asked"}
    assert (await desk.post(path, "dispatcher", wrong, rev=1)).status_code == 422
    grid = f"/v1/records/{world.grids['G1']}/erase"
    assert told(await desk.post(grid, "dispatcher", ASKED, rev=1)) == (404, "not-found")


async def test_a_phone_cannot_erase(home: Household) -> None:
    phone = home.phone
    reply = await phone.sync([phone.change(home.id, "household", 2, act="erase", args=ASKED)])
    assert [(each["outcome"], each["code"]) for each in reply["outcomes"]] == [
        ("invalid", "not-allowed")
    ]


async def test_what_a_backup_brought_back_is_erased_again_known_or_not(
    client: httpx.AsyncClient, store: Store, world: World, home: Household
) -> None:
    unknown, grid = new_id(), world.grids["G1"]
    lines = [
        f"{home.id}\thousehold\t{grid}\tlaw",
        f"{home.visit}\tvisit\t{grid}\tlaw",
        f"{new_id()}\tvisit\t{grid}\tlaw",
        f"{unknown}\thousehold\t{grid}\tperson_asked",
    ]
    listed = [each for each in map(read_line, lines) if each is not None]
    assert len(listed) == 4
    console = Console(account=world.accounts["dispatcher"], role="dispatcher")
    work = partial(erase_again, console=console, listed=listed, now_ms=now_ms())
    assert await store.write(work) == 2
    assert await store.write(work) == 0
    assert await canaries(store) == set()
    other = await RawPhone.enrol(client, world.tokens["bob"])
    again = Household(other, world)
    again.id = unknown
    reply = await other.sync(again.mutations()[:3])
    assert [(each["outcome"], each["code"]) for each in reply["outcomes"]] == [
        ("recorded", "erased")
    ] * 3
    assert await canaries(store) == set()
    written = await store.read(lambda db: list(listed_lines(db)))
    assert {home.id, home.resident, home.note, home.visit, unknown} == {
        line.split("\t")[0] for line in written
    }
    assert all(read_line(line) is not None for line in written)
    assert await differences(store) == []


@pytest.mark.parametrize(
    "line",
    ["", "x\thousehold\t\tlaw", f"{_SOME_ID}\tgrid\t\tlaw", f"{_SOME_ID}\tnote\t\tshe asked"],
)
def test_a_line_that_is_none_of_the_list_is_told_apart(line: str) -> None:
    assert read_line(line) is None
