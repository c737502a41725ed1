"""What could stop one phone's queue for ever: it must not."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from server.clock import new_id
from server.db.store import Store
from server.db.tables import RecordRow
from server.replication.queries import record_revs
from server.replication.reproject import compare
from server.replication.submit import Draft
from sync.ids import derived_id
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, centre_e7, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def give_task(store: Store, world: World, login: str) -> str:
    """An incident in G1 that is dispatched to a worker; returns the task."""
    incident, task = new_id(), new_id()
    drafts = [
        Draft(
            record=incident,
            kind="incident",
            base=0,
            set={"class": "0102", "grid": world.grids["G1"]},
        ),
        Draft(
            record=incident,
            kind="incident",
            base=1,
            act="dispatch",
            args={"task": task, "assignee": world.accounts[login]},
        ),
    ]
    await store.write(lambda db: done(db, world.importer, drafts))
    return task


def note(phone: RawPhone, world: World, record: str) -> dict[str, Any]:
    """A new note about the household of G1, under an id of the phone's choice."""
    said = {"parent": world.households["G1"], "text": "seen"}
    return phone.change(record, "note", 0, set=said)


async def test_a_note_in_the_place_of_the_next_claim_does_not_stop_the_queue(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    task = await give_task(store, world, "ann")
    squat = [note(phone, world, derived_id(phone.id, 2, "claim"))]
    squat[0]["n"] = 1
    assert outcomes(await phone.sync(squat)) == {}
    reply = await phone.sync([phone.change(task, "task", 1, act="accept")])
    assert outcomes(reply) == {}
    state = held(reply)[task]["state"]
    assert state["status"] == "accepted"
    claims = [each for each in held(reply).values() if each["kind"] == "claim"]
    assert [each["state"]["parent"] for each in claims] == [task]
    await witness.unchanged()


async def test_notes_in_every_place_of_a_consequence_do_not_stop_the_queue(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    task = await give_task(store, world, "ann")
    report = phone.report(*centre_e7(0))
    claim = phone.change(task, "task", 1, act="finish", args={"result": "done"})
    report["n"], claim["n"] = 44, 45
    incidents = [report["record"], "incident"], 20
    claims = [phone.id, 45, "claim"], 20
    taken = [
        derived_id(*parts, *([] if variant == 0 else [variant]))
        for parts, count in (incidents, claims)
        for variant in range(count)
    ]
    phone.last_n = 0
    assert outcomes(await phone.sync([note(phone, world, each) for each in taken])) == {}
    more = [
        note(phone, world, derived_id(report["record"], "incident", 20)),
        note(phone, world, derived_id(phone.id, 45, "claim", 21)),
        note(phone, world, derived_id(phone.id, 45, "claim", 20)),
    ]
    reply = await phone.sync([*more, report, claim])
    assert outcomes(reply) == {}
    made = held(reply)
    assert made[made[report["record"]]["state"]["incident"]]["kind"] == "incident"
    assert made[task]["state"]["status"] == "done"
    await witness.unchanged()


BAD_TRUTHS = (
    "",
    "{",
    "[]",
    "{}",
    '{"f":{},"d":[]}',
    '{"f":{"door":["1",1,7,1,1]},"d":[]}',
    '{"f":{"nobody":["1",1,0,1,1]},"d":["x"]}',
)


@pytest.mark.parametrize("truth", BAD_TRUTHS)
async def test_a_damaged_record_holds_what_touches_it_and_nothing_else(
    client: httpx.AsyncClient, store: Store, world: World, truth: str
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    await phone.sync()
    home, other = world.households["G1"], world.households["G2"]
    await store.write(
        lambda db: db.execute(update(RecordRow).where(RecordRow.id == home).values(truth=truth))
    )
    batch = [
        phone.change(other, "household", 1, set={"door": "1"}),
        phone.change(home, "household", 1, set={"door": "2"}),
        note(phone, world, new_id()),
        phone.change(other, "household", 2, set={"door": "3"}),
    ]
    answer = await phone.post(phone.body(batch))
    assert answer.status_code == 200, answer.text
    found = {
        each["n"]: (each["outcome"], each.get("code")) for each in answer.json()["outcomes"]
    }
    assert found.pop(2) == ("held", "server-fault")
    assert found.pop(3, ("held", "server-fault")) == ("held", "server-fault")
    assert found == {}
    assert held(answer.json())[other]["state"]["door"] == "3"
    again = await phone.post(phone.body(batch))
    assert again.status_code == 200, again.text
    assert {each["n"] for each in again.json()["outcomes"] if each["replayed"]} == {1, 2, 3, 4}
    found_by_doctor = await store.read(lambda db: list(compare(db)))
    assert {each.record for each in found_by_doctor} == {home}


async def test_a_household_moved_meanwhile_holds_edits_and_keeps_facts(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]
    await phone.sync()
    moved = Draft(record=home, kind="household", base=1, set={"grid": world.grids["G3"]})
    await store.write(lambda db: done(db, world.importer, [moved]))
    visited = new_id()
    batch = [
        phone.change(home, "household", 1, set={"door": "1"}),
        phone.change(visited, "visit", 0, set={"household": home, "outcome": "done"}),
        phone.change(new_id(), "resident", 0, set={"household": home, "name": "N"}),
    ]
    reply = await phone.sync(batch)
    assert outcomes(reply) == {1: "held", 3: "held"}
    assert visited not in held(reply)
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    seen = held(await cat.sync())
    assert visited in seen
    assert "door" not in seen[home]["state"]
    await witness.unchanged(besides=frozenset({home}))


async def test_many_moves_while_phones_edit_end_in_agreement(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    home = world.households["G1"]

    async def move() -> None:
        for turn in range(8):
            grid = world.grids["G2" if turn % 2 == 0 else "G1"]

            def work(db: Connection, grid: str = grid) -> None:
                rev, _ = record_revs(db, [home])[home]
                moved = Draft(record=home, kind="household", base=rev, set={"grid": grid})
                done(db, world.importer, [moved])

            await store.write(work)

    async def edit(phone: RawPhone) -> None:
        for turn in range(8):
            change = phone.change(home, "household", 1, set={"door": f"{phone.id} {turn}"[-9:]})
            await phone.sync([change])

    await asyncio.gather(move(), edit(bob), edit(ann))
    await witness.unchanged(besides=frozenset({home}))
    await bob.sync()
    fresh = await RawPhone.enrol(client, world.tokens["bob"])
    pages = {page["id"]: page for page in (await fresh.sync())["buckets"]}
    for bucket, cursor in bob.cursors.items():
        if bucket in pages:
            assert cursor["digest"] == pages[bucket]["digest"]
