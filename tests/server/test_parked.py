"""What came before the record it names is applied as soon as that record comes."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import HeldRow, MutationRow
from server.replication.submit import Draft
from tests.server.desk import Desk
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]
DAY_MS = 86_400_000


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


@pytest.fixture
async def bob(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["bob"])


def household(phone: RawPhone, world: World, home: str, **fields: Any) -> dict[str, Any]:
    said = {"dwelling": world.dwellings["G1"], **fields}
    return phone.change(home, "household", 0, set=said)


async def test_an_update_and_a_visit_that_came_before_the_household_are_applied_with_it(
    desk: Desk, ann: RawPhone, bob: RawPhone, world: World
) -> None:
    home, visit = new_id(), new_id()
    seen = {"household": home, "outcome": "done"}
    early = [
        bob.change(home, "household", 1, set={"size_band": "1"}),
        bob.change(visit, "visit", 0, set=seen),
    ]
    assert outcomes(await bob.sync(early)) == {1: "held", 2: "held"}
    reply = await ann.sync([household(ann, world, home, door="3")])
    assert outcomes(reply) == {}
    state = held(reply)[home]["state"]
    assert (state["door"], state["size_band"]) == ("3", "1")
    assert held(reply)[visit]["state"]["visitor"] == world.accounts["bob"]
    found = await desk.items("/v1/held", "dispatcher")
    assert [(each["status"], each["why"], each["became"]) for each in found] == [
        ("released", "arrived", "applied"),
        ("released", "arrived", "applied"),
    ]
    (again, _) = (await bob.sync(early))["outcomes"]
    assert (again["outcome"], again["became"]) == ("held", "applied")


async def test_a_chain_comes_with_its_first_link_whoever_brings_it(
    desk: Desk, store: Store, ann: RawPhone, bob: RawPhone, world: World
) -> None:
    home, person, note = new_id(), new_id(), new_id()
    await bob.sync([bob.change(note, "note", 0, set={"parent": person, "text": "!"})])
    resident = {"household": home, "name": "A"}
    await ann.sync([ann.change(person, "resident", 0, set=resident)])
    assert len(await desk.items("/v1/held", "dispatcher", status="open")) == 2
    dwelling = {"dwelling": world.dwellings["G1"]}
    first = Draft(record=home, kind="household", base=0, set=dwelling)
    await store.write(lambda db: done(db, world.importer, [first]))
    assert await desk.items("/v1/held", "dispatcher", status="open") == []
    assert {person, note} <= held(await bob.sync()).keys()


async def test_a_later_link_of_the_same_batch_brings_the_earlier_one(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    home, visit = new_id(), new_id()
    seen = ann.change(visit, "visit", 0, set={"household": home, "outcome": "done"})
    reply = await ann.sync([seen, household(ann, world, home)])
    assert outcomes(reply) == {1: "held"}
    assert {home, visit} <= held(reply).keys()
    assert await desk.items("/v1/held", "dispatcher", status="open") == []


async def test_what_comes_gives_no_authority_that_was_missing(
    desk: Desk, ann: RawPhone, client: httpx.AsyncClient, world: World
) -> None:
    home = new_id()
    cat = await RawPhone.enrol(client, world.tokens["cat"])
    await cat.sync([cat.change(home, "household", 1, set={"door": "0"})])
    reply = await ann.sync([household(ann, world, home, door="3")])
    assert held(reply)[home]["state"]["door"] == "3"
    (found,) = await desk.items("/v1/held", "dispatcher", status="open")
    assert (found["code"], found["version"], found["arrived"]) == ("unknown-record", 2, False)
    assert found["area"] == "G1"


async def test_after_five_days_it_is_shown_as_an_orphan_and_stays(
    desk: Desk, store: Store, ann: RawPhone
) -> None:
    seen = {"household": new_id(), "outcome": "done"}
    await ann.sync([ann.change(new_id(), "visit", 0, set=seen)])
    (found,) = await desk.items("/v1/held", "dispatcher")
    assert (found["orphan"], found["status"], found["area"]) == (False, "open", "G1")
    long_ago = now_ms() - 5 * DAY_MS
    table = HeldRow.__table__
    await store.write(lambda db: db.execute(update(table).values(held_ms=long_ago)))
    (found,) = await desk.items("/v1/held", "dispatcher")
    assert (found["orphan"], found["status"]) == (True, "open")


async def test_what_missed_its_record_is_shown_and_taken_along_by_the_next(
    desk: Desk, store: Store, ann: RawPhone, bob: RawPhone, world: World
) -> None:
    home, other = new_id(), new_id()
    await ann.sync([household(ann, world, home)])
    await bob.sync(
        [
            bob.change(new_id(), "visit", 0, set={"household": new_id(), "outcome": "done"}),
            bob.change(new_id(), "visit", 0, set={"household": other, "outcome": "done"}),
        ]
    )
    table = HeldRow.__table__
    missed = update(table).where(table.c.n == 1).values(awaits=home)
    await store.write(lambda db: db.execute(missed))
    (_, first) = await desk.items("/v1/held", "dispatcher")
    assert (first["arrived"], first["orphan"]) == (True, False)
    await ann.sync([household(ann, world, other)])
    (second, first) = await desk.items("/v1/held", "dispatcher")
    assert (second["status"], second["why"]) == ("released", "arrived")
    assert (first["version"], first["arrived"]) == (2, False)


async def test_what_cannot_be_released_never_hurts_the_batch_that_brings_the_record(
    store: Store, ann: RawPhone, bob: RawPhone, world: World
) -> None:
    home, visit = new_id(), new_id()
    seen = {"household": home, "outcome": "done"}
    await bob.sync(
        [
            bob.change(new_id(), "visit", 0, set=seen),
            bob.change(visit, "visit", 0, set=seen),
        ]
    )
    table = MutationRow.__table__
    damaged = (table.c.device_id == bob.id) & (table.c.n == 1)
    await store.write(lambda db: db.execute(update(table).where(damaged).values(body=b"{}")))
    reply = await ann.sync([household(ann, world, home, door="3")])
    assert outcomes(reply) == {}
    assert held(reply)[home]["state"]["door"] == "3"
    assert visit not in held(reply)
