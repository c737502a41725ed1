"""The comparison of the store with itself finds what a hand in the database changed."""

import pytest
from sqlalchemy import Connection, text

from server.db.store import Store
from server.replication.reproject import compare
from tests.walls import beyond
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def test_an_untouched_store_has_no_difference(store: Store, world: World) -> None:
    assert world.households
    assert await store.read(lambda db: list(compare(db))) == []


@pytest.mark.parametrize(
    ("forgery", "found"),
    [
        ("UPDATE record SET body = 'x' WHERE id = :id", {"body"}),
        ("UPDATE record SET hash = 'ffffffffffffffff' WHERE id = :id", {"hash"}),
        ("UPDATE record SET seq = seq + 1000 WHERE id = :id", {"seq"}),
        ("UPDATE record SET seq = 0 WHERE id = :id", {"seq"}),
        ("UPDATE record SET seq = 1 WHERE id = :id", {"seq"}),
        ("UPDATE record SET area_no = area_no + 1 WHERE id = :id", {"area_no"}),
        ("UPDATE record SET truth = '{' WHERE id = :id", {"truth"}),
        (
            "UPDATE household SET contact_phone = '1' WHERE id = :id",
            {"projection contact_phone"},
        ),
        ("UPDATE household SET area_no = 0 WHERE id = :id", {"projection area_no"}),
        ("UPDATE household SET grid_id = NULL WHERE id = :id", {"projection grid_id"}),
        ("DELETE FROM household WHERE id = :id", {"projection missing"}),
        ("DELETE FROM record WHERE id = :id", {"digest", "projection without record"}),
        ("UPDATE bucket SET seq = seq - 1 WHERE id = :bucket", {"seq"}),
        ("UPDATE bucket SET first_epoch = 2 WHERE id = :bucket", {"epoch"}),
        ("DELETE FROM bucket WHERE id = :bucket", {"head missing"}),
        ("UPDATE bucket SET count = count + 1 WHERE id = :bucket", {"digest"}),
    ],
)
async def test_every_kind_of_forgery_is_found(
    store: Store, world: World, forgery: str, found: set[str]
) -> None:
    values = {"id": world.households["G1"], "bucket": f"grid:{world.grids['G1']}"}

    def forge(db: Connection) -> None:
        statement = (
            forgery.replace("= 'x'", "= X'78'") if db.dialect.name == "sqlite" else forgery
        )
        changed = db.execute(
            text(statement),
            {name: each for name, each in values.items() if f":{name}" in statement},
        )
        assert changed.rowcount == 1

    await store.write(beyond(forge))
    differences = await store.read(lambda db: list(compare(db)))
    assert {each.what for each in differences} == found
    assert {each.record for each in differences} <= set(values.values())
