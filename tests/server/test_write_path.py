"""The write path under concurrency and failure, on both databases."""

import asyncio

import httpx
import pytest
from sqlalchemy import Connection, func, select, text

from server.clock import new_id
from server.db.store import Store
from server.db.tables import MutationRow, RecordRow
from server.replication.reproject import compare
from server.replication.submit import Draft
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, done

pytestmark = [pytest.mark.anyio, pytest.mark.db]
RACES = 30


async def differences(store: Store) -> list[object]:
    """What is stored but does not follow from the truth."""
    return await store.read(lambda db: list(compare(db)))


async def test_two_phones_making_one_record_at_once_lose_nothing(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    made = [new_id() for _ in range(RACES)]
    for record in made:
        home = {"dwelling": world.dwellings["G1"]}
        first = ann.change(record, "household", 0, set=home | {"door": "1"})
        second = bob.change(record, "household", 0, set=home | {"contact_phone": "2"})
        await asyncio.gather(ann.sync([first]), bob.sync([second]))
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    items = held(await fresh.sync())
    for record in made:
        state = items[record]["state"]
        assert (state["door"], state["contact_phone"]) == ("1", "2")
    assert await differences(store) == []


async def test_concurrent_writers_of_one_bucket_leave_dense_seqs_and_a_true_digest(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    workers = [world.tokens["ann"], world.tokens["bob"]] * 4
    phones = [await RawPhone.enrol(client, token) for token in workers]

    async def work(phone: RawPhone) -> None:
        for _ in range(5):
            notes = [
                phone.change(
                    new_id(), "note", 0, set={"parent": world.households["G1"], "text": "seen"}
                )
                for _ in range(4)
            ]
            assert outcomes(await phone.sync(notes)) == {}

    await asyncio.gather(*(work(phone) for phone in phones))

    def seqs(db: Connection) -> list[int]:
        bucket = f"grid:{world.grids['G1']}"
        statement = select(RecordRow.seq).where(RecordRow.bucket == bucket)
        return sorted(db.execute(statement).scalars())

    found = await store.read(seqs)
    assert len(found) == len(set(found))
    assert found[-1] - found[0] == len(found) - 1
    assert await differences(store) == []


async def test_the_same_batch_sent_many_times_at_once_counts_once(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    parent = {"parent": world.households["G1"], "text": "seen"}
    body = phone.body([phone.change(new_id(), "note", 0, set=parent) for _ in range(10)])
    answers = await asyncio.gather(*(phone.post(body) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 403}
    assert 200 in {answer.status_code for answer in answers}

    def counts(db: Connection) -> tuple[int, int]:
        mutations = select(func.count()).where(MutationRow.device_id == phone.id)
        notes = select(func.count()).where(RecordRow.kind == "note")
        return db.execute(mutations).scalar_one(), db.execute(notes).scalar_one()

    assert await store.read(counts) == (10, 10)


BREAK_COMMIT = {
    "postgresql": (
        (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no'; END $$"
        ),
        (
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON mutation"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
        ),
    ),
    "sqlite": (
        "CREATE TABLE dangling (id TEXT REFERENCES account(id) DEFERRABLE INITIALLY DEFERRED)",
        (
            "CREATE TRIGGER refuse AFTER INSERT ON mutation"
            " BEGIN INSERT INTO dangling VALUES ('nobody'); END"
        ),
    ),
}
MEND_COMMIT = {
    "postgresql": "DROP TRIGGER refuse ON mutation",
    "sqlite": "DROP TRIGGER refuse",
}


async def test_a_failing_commit_is_never_answered_with_an_outcome(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    change = phone.change(world.households["G1"], "household", 1, set={"door": "3"})

    def run(db: Connection, statements: tuple[str, ...]) -> None:
        for statement in statements:
            db.execute(text(statement))

    await store.write(lambda db: run(db, BREAK_COMMIT[store.dialect]))
    answer = await phone.post(phone.body([change]))
    assert answer.status_code == 500
    assert "outcomes" not in answer.json()
    await store.write(lambda db: run(db, (MEND_COMMIT[store.dialect],)))
    reply = await phone.sync([change])
    assert outcomes(reply) == {}
    assert held(reply)[world.households["G1"]]["state"]["door"] == "3"
    assert await differences(store) == []


async def test_a_moved_record_leaves_one_bucket_and_enters_the_other(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    await ann.sync()
    await bob.sync()
    household = world.households["G1"]

    def move(db: Connection) -> None:
        to = {"grid": world.grids["G2"]}
        moved = Draft(record=household, kind="household", base=1, set=to)
        assert done(db, world.importer, [moved])[0].rev == 2

    await store.write(move)
    (page,) = (await ann.sync())["buckets"]
    assert [each["record"] for each in page["gone"]] == [household]
    assert page["gone"][0] == {
        "record": household,
        "why": "moved",
        "to": f"grid:{world.grids['G2']}",
    }
    assert household in held(await bob.sync())
    assert await differences(store) == []
