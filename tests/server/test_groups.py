"""Mutations of one group over HTTP: one transaction, all or nothing, facts apart."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from server.clock import new_id
from server.db.store import Store
from server.db.tables import RecordRow
from server.replication.push import BATCH_MUTATIONS_MAX
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


def form(phone: RawPhone, world: World, dwelling: str) -> list[dict[str, Any]]:
    """A new family with its visit and a resident, and a note about a neighbour."""
    family, met = new_id(), new_id()
    made = [
        phone.change(family, "household", 0, set={"dwelling": dwelling}),
        phone.change(new_id(), "resident", 0, set={"household": family, "name": "Wu"}),
        phone.change(met, "visit", 0, set={"household": family, "outcome": "done"}),
        phone.change(
            new_id(), "note", 0, set={"parent": world.households["G1"], "text": "seen"}
        ),
    ]
    return [{**each, "group": "form"} for each in made]


async def test_a_form_around_the_hundredth_mutation_is_not_cut(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    home = world.households["G1"]
    alone = [
        phone.change(home, "household", 1, set={"door": str(each)})
        for each in range(BATCH_MUTATIONS_MAX - 2)
    ]
    failing = form(phone, world, dwelling=new_id())
    after = phone.change(home, "household", 1, set={"door": "last"})
    reply = await phone.sync([*alone, *failing, after])
    told = {each["n"]: (each["outcome"], each["code"]) for each in reply["outcomes"]}
    first = len(alone) + 1
    assert told == {
        first: ("held", "unknown-parent"),
        first + 1: ("held", "group-failed"),
        first + 2: ("held", "group-failed"),
    }
    assert [each["kind"] for each in held(reply).values() if each["rev"] == 1] == ["note"]
    assert held(reply)[home]["state"]["door"] == "last"


async def test_a_form_cut_between_two_requests_is_held_but_for_its_facts(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    whole = form(phone, world, dwelling=world.dwellings["G1"])
    assert outcomes(await phone.sync(whole[:1])) == {}
    reply = await phone.sync(whole[1:])
    assert outcomes(reply) == {2: "held"}
    assert reply["outcomes"][0]["code"] == "group-cut"


async def test_a_form_that_cannot_be_stored_is_held_whole_and_the_queue_goes_on(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    await phone.sync()
    broken, fine = world.households["G1"], world.households["G2"]
    await store.write(
        lambda db: db.execute(update(RecordRow).where(RecordRow.id == broken).values(truth="{"))
    )
    group = form(phone, world, dwelling=world.dwellings["G1"])
    after = phone.change(fine, "household", 1, set={"door": "1"})
    reply = await phone.sync([*group, after])
    assert outcomes(reply) == dict.fromkeys(range(1, 5), "held")
    assert {each["code"] for each in reply["outcomes"]} == {"server-fault"}
