"""A record that was moved away while a phone was offline: its worker may know of it."""

from itertools import pairwise

import httpx
import pytest

from server.clock import new_id
from server.db.store import Store
from server.problems import TooManyDependants
from server.replication.dependants import DEPTH_MAX, ids_below
from server.replication.reproject import compare
from server.replication.submit import Draft
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def test_a_visit_to_a_household_that_was_moved_away_is_taken(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    home = world.households["G1"]
    away = Draft(record=home, kind="household", base=1, set={"grid": world.grids["G3"]})
    await store.write(lambda db: done(db, world.importer, [away]))
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    visit = {"household": home, "outcome": "done"}
    reply = await phone.sync(
        [
            phone.change(new_id(), "visit", 0, set=visit),
            phone.change(new_id(), "note", 0, set={"parent": home, "text": "seen"}),
            phone.change(home, "household", 1, set={"door": "7"}),
        ]
    )
    assert outcomes(reply) == {3: "held"}
    assert reply["outcomes"][0]["code"] == "not-in-scope"


async def test_a_household_takes_along_what_belongs_to_it(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    home, there = world.households["G1"], f"grid:{world.grids['G3']}"
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    await cat.sync()
    resident, visit, note = new_id(), new_id(), new_id()
    made = [
        ann.change(resident, "resident", 0, set={"household": home, "name": "Wu"}),
        ann.change(visit, "visit", 0, set={"household": home, "outcome": "done"}),
        ann.change(note, "note", 0, set={"parent": resident, "text": "seen"}),
    ]
    assert outcomes(await ann.sync(made)) == {}
    away = Draft(record=home, kind="household", base=1, set={"grid": world.grids["G3"]})
    await store.write(lambda db: done(db, world.importer, [away]))
    everything = {home, resident, visit, note}
    gone = [each for page in (await ann.sync())["buckets"] for each in page["gone"]]
    assert {each["record"] for each in gone} == everything
    assert {(each["why"], each["to"]) for each in gone} == {("moved", there)}
    reply = await cat.sync()
    assert held(reply).keys() == everything
    assert not any(each["reset"] for each in reply["buckets"])
    assert await store.read(lambda db: list(compare(db))) == []


async def test_more_than_may_follow_moves_nothing(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    home = world.households["G1"]
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    chain = [home, *(new_id() for _ in range(DEPTH_MAX))]
    notes = [
        ann.change(note, "note", 0, set={"parent": on, "text": "seen"})
        for on, note in pairwise(chain)
    ]
    assert outcomes(await ann.sync(notes)) == {}
    away = Draft(record=home, kind="household", base=1, set={"grid": world.grids["G3"]})
    with pytest.raises(TooManyDependants):
        await store.write(lambda db: done(db, world.importer, [away]))
    assert (await ann.sync())["buckets"] == []
    with pytest.raises(TooManyDependants):
        await store.read(lambda db: ids_below(db, [home], limit=DEPTH_MAX - 1))
