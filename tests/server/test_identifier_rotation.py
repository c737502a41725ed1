"""Another district key takes over while servers go on, on both stores."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from server.clock import now_ms
from server.db.store import Store
from server.db.tables import ResidentIdentifier
from server.identifiers import key_queries
from server.identifiers.rotating import Rotated, rotate
from server.sealed.keyring import DistrictKey, new_key
from server.sealed.sealing import open_sealing
from tests.server.numbers import (
    Numbers,
    data_key_rows,
    found,
    id_card,
    kept,
    put,
    residents,
    revealed,
)
from tests.walls import beyond
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
def numbers(tmp_path: Path) -> Numbers:
    return Numbers(tmp_path)


async def turned(store: Store, numbers: Numbers, key: DistrictKey) -> Rotated:
    sealing = open_sealing(numbers.settings())
    assert sealing is not None
    return await rotate(store, sealing, key.id)


@pytest.mark.parametrize("suite", ["intl", "gm"])
async def test_another_district_key_takes_over_while_servers_go_on(
    store: Store, world: World, numbers: Numbers, suite: str
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    (cat,) = await residents(store, world, "G3")
    first, second = numbers.keys[0], new_key("d2", suite)
    async with numbers.desk(store, world) as running:
        await kept(running, ann, id_card(1))
        await kept(running, cat, id_card(2))
        numbers.put_keys(first, second)
        async with numbers.desk(store, world) as other:
            await kept(other, ben, id_card(3))
            done = await turned(store, numbers, second)
            assert (done.left, done.retired) == (0, ("d1",))
            assert done.indexed == 3
            for desk in (running, other):
                for at, each in ((1, ann), (2, cat), (3, ben)):
                    assert await revealed(desk, each) == id_card(at)
                    assert await found(desk, id_card(at)) == [each]
            await kept(running, cat, id_card(4))
        numbers.put_keys(second)
        async with numbers.desk(store, world) as fresh:
            assert await revealed(fresh, ann) == id_card(1)
            assert await found(fresh, id_card(4)) == [cat]
    marks = await store.read(beyond(_marks))
    assert marks == {second.suite.mark}
    again = await turned(store, numbers, second)
    assert (again.wrapped, again.indexed, again.left, again.retired) == (0, 0, 0, ())


def _marks(db: Connection) -> set[int]:
    sealed = db.execute(select(ResidentIdentifier.__table__.c.sealed)).scalars()
    return {bytes(each)[0] for each in sealed}


async def test_between_two_pages_of_a_rotation_both_keys_open(
    store: Store, world: World, numbers: Numbers
) -> None:
    ann, ben = await residents(store, world, "G1", 2)
    first, second = numbers.keys[0], new_key("d2", "intl")
    async with numbers.desk(store, world) as desk:
        await kept(desk, ann, id_card(1))
        numbers.put_keys(first, second)
        now = now_ms()
        await store.write(lambda db: key_queries.make_current(db, second, now_ms=now))
        await kept(desk, ben, id_card(2))
        for at, each in ((1, ann), (2, ben)):
            assert await revealed(desk, each) == id_card(at)
            assert await found(desk, id_card(at)) == [each]
        in_use = await store.read(key_queries.in_use)
        assert [(each.id, each.seals) for each in in_use] == [("d1", False), ("d2", True)]


async def test_numbers_are_kept_while_keys_rotate_and_none_is_lost(
    store: Store, world: World, numbers: Numbers
) -> None:
    people = await residents(store, world, "G1", 6)
    people += await residents(store, world, "G3", 6)
    first, second = numbers.keys[0], new_key("d2", "intl")
    numbers.put_keys(first, second)
    async with numbers.desk(store, world) as desk:
        await kept(desk, people[0], id_card(0))
        work = [put(desk, each, id_card(at)) for at, each in enumerate(people) if at]
        turning = asyncio.ensure_future(turned(store, numbers, second))
        answers = await asyncio.gather(*work)
        await turning
        assert {each.status_code for each in answers} <= {200, 503}
        for at, each in enumerate(people):
            await kept(desk, each, id_card(at))
    await turned(store, numbers, second)
    numbers.put_keys(second)
    async with numbers.desk(store, world) as desk:
        for at, each in enumerate(people):
            assert await revealed(desk, each) == id_card(at)
    live = [doomed for _, doomed in await store.read(data_key_rows)]
    assert live == [False, False]
