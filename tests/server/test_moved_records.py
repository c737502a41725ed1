"""A record that was moved away while a phone was offline: its worker may know of it."""

import httpx
import pytest

from server.clock import new_id
from server.db.store import Store
from server.replication.submit import Draft
from tests.server.phones import RawPhone, outcomes
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
