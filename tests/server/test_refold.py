"""Folding the stored log again gives the stored records, and finds whatever does not."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from server.db.store import Store
from server.replication.refold import refold
from tests.server.desk import Desk
from tests.server.phones import RawPhone, held
from tests.walls import beyond
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def differences(store: Store) -> set[tuple[str, str]]:
    found = await store.read(lambda db: list(refold(db)))
    return {(each.kind, each.what) for each in found}


@pytest.fixture
async def phone(client: httpx.AsyncClient, world: World) -> RawPhone:
    """A phone whose worker had a day with everything in it, and an office beside it."""
    desk = Desk(client, world)
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    other = await RawPhone.enrol(client, world.tokens["bob"])
    home = world.households["G1"]
    report = phone.report(*centre_e7(0))
    reply = await phone.sync(
        [
            report,
            phone.change(home, "household", 1, set={"door": "1", "status": "vacant"}),
            phone.change(home, "household", 1, add={"languages": ["yue"]}),
            phone.change(world.households["G3"], "household", 1, set={"door": "held"}),
            phone.change(home, "household", 1, set={"surprise": 1}),
            phone.report(*centre_e7(2), text="in a neighbour's grid"),
        ]
    )
    await other.sync([other.change(home, "household", 1, set={"status": "moved_out"})])
    incident = next(each for each in held(reply).values() if each["kind"] == "incident")
    path = f"/v1/incidents/{incident['record']}"
    await desk.done(f"{path}/dispatch", "dispatcher", {"assignee": "ann"}, rev=1)
    task = next(each for each in held(await phone.sync()).values() if each["kind"] == "task")
    await phone.sync(
        [phone.change(task["record"], "task", 1, act="finish", args={"result": "swept"})]
    )
    found = await desk.items("/v1/held", "dispatcher")
    assert found, "nothing waits for a person"
    return phone


async def test_a_day_with_everything_in_it_folds_to_what_is_stored(
    store: Store, phone: RawPhone
) -> None:
    assert phone.last_n == 7
    assert await differences(store) == set()


async def test_positions_follow_the_order_of_each_device(store: Store, phone: RawPhone) -> None:
    rows = await store.read(
        lambda db: db.execute(
            text("SELECT n FROM mutation WHERE device_id = :id ORDER BY pos"), {"id": phone.id}
        ).all()
    )
    assert [row.n for row in rows] == list(range(1, phone.last_n + 1))


FORGERIES: dict[str, tuple[str, Any]] = {
    "UPDATE record SET rev = rev + 1 WHERE id = :home": ("household", "rev"),
    "UPDATE record SET bucket = 'config' WHERE id = :home": ("household", "bucket"),
    "UPDATE record SET truth = replace(truth, '\"1\"', '\"2\"') WHERE id = :home": (
        "household",
        "fields",
    ),
    "UPDATE record SET truth = replace(truth, 'yue', 'cmn') WHERE id = :home": (
        "household",
        "sets",
    ),
    "UPDATE record SET truth = '{' WHERE id = :home": ("household", "truth"),
    "UPDATE record SET kind = 'note' WHERE id = :home": ("note", "kind"),
    "DELETE FROM record WHERE id = :home": ("household", "not stored"),
    "DELETE FROM mutation WHERE device_id = :device AND n = 2": ("household", ""),
    "UPDATE mutation SET base = 0, at_ms = at_ms + 1 WHERE device_id = :device AND n = 2": (
        "household",
        "fields",
    ),
    "UPDATE mutation SET place = NULL WHERE device_id = :device AND n = 1": ("report", ""),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_every_kind_of_damage_is_found(
    store: Store, world: World, phone: RawPhone, forgery: str
) -> None:
    def forge(db: Connection) -> int:
        values = {"home": world.households["G1"], "device": phone.id}
        used = {name: each for name, each in values.items() if f":{name}" in forgery}
        return db.execute(text(forgery), used).rowcount

    assert await store.write(beyond(forge)) == 1
    kind, what = FORGERIES[forgery]
    found = await differences(store)
    assert any(each[0] == kind and what in each[1] for each in found), found


async def test_a_gap_in_a_log_and_an_unreadable_row_are_named(
    store: Store, phone: RawPhone
) -> None:
    def damage(db: Connection) -> None:
        last = {"device": phone.id, "n": phone.last_n}
        db.execute(text("DELETE FROM mutation WHERE device_id = :device AND n = :n"), last)
        body = "X'5b'" if db.dialect.name == "sqlite" else r"'\x5b'"
        db.execute(
            text(f"UPDATE mutation SET body = {body} WHERE device_id = :device AND n = 1"),  # noqa: S608
            {"device": phone.id},
        )

    await store.write(damage)
    found = await differences(store)
    stored = phone.last_n - 1
    assert ("device", f"log has {stored} of {phone.last_n} mutations") in found
    assert ("report", f"mutation {phone.id}/1") in found
