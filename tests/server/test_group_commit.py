"""Phones whose batches share a transaction: each is answered as if it had been alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select, update

from server.clock import new_id, now_ms
from server.db.store import RetryTransaction, Store
from server.db.tables import RecordRow
from server.problems import StaleLease
from server.replication import queries
from server.replication.push import Contact, Phone, push
from server.replication.reproject import compare
from sync.outcome import Outcome
from sync.wire import decode_request
from tests.server.phones import RawPhone, held, outcomes
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]


@pytest.fixture
async def phones(client: httpx.AsyncClient, world: World) -> list[RawPhone]:
    """Four phones, two of each worker of G1, that have synced once."""
    workers = [world.tokens["ann"], world.tokens["bob"]] * 2
    enrolled = [await RawPhone.enrol(client, token) for token in workers]
    for phone in enrolled:
        await phone.sync()
    return enrolled


@pytest.fixture
def commits(store: Store) -> list[frozenset[str]]:
    """The buckets that each commit changed; commits that changed none are not in it."""
    told: list[frozenset[str]] = []
    store.on_commit(told.append)
    return told


async def sent(
    store: Store, owners: dict[str, str], phone: RawPhone, mutations: Sequence[Any], **more: Any
) -> Contact:
    """What `push` returns for a request; all that are awaited together share a group."""
    request = decode_request(phone.body(mutations, **more))
    who = Phone(device=phone.id, account=owners[phone.id], role="worker")
    contact = await push(store, who, request, received_ms=now_ms())
    phone.lease = contact.lease
    return contact


def owners_of(db: Connection) -> dict[str, str]:
    return {row.id: row.account_id for row in db.execute(select(queries.DEVICE))}


def codes(contact: Contact) -> list[tuple[int, str]]:
    return [(each.n, each.outcome.value) for each in contact.answers]


def door(phone: RawPhone, household: str, value: str, base: int = 1) -> dict[str, Any]:
    return phone.change(household, "household", base, set={"door": value})


async def test_what_is_pushed_at_once_is_one_transaction(
    store: Store, world: World, phones: list[RawPhone], commits: list[frozenset[str]]
) -> None:
    owners = await store.read(owners_of)
    homes = [world.households[code] for code in ("G1", "G2", "G3", "G4")]
    contacts = await asyncio.gather(
        *(
            sent(store, owners, phone, [door(phone, home, phone.id[-4:])])
            for phone, home in zip(phones, homes, strict=True)
        )
    )
    assert all(each.settled_through == 1 for each in contacts)
    assert len(commits) == 1
    assert await store.read(lambda db: list(compare(db))) == []


async def test_a_poisoned_batch_holds_its_own_mutation_and_no_other_phones(
    store: Store, world: World, phones: list[RawPhone]
) -> None:
    owners = await store.read(owners_of)
    bad, good = world.households["G2"], world.households["G1"]
    await store.write(
        lambda db: db.execute(update(RecordRow).where(RecordRow.id == bad).values(truth="{"))
    )
    note = {"parent": good, "text": "seen"}
    first, poisoned, last = await asyncio.gather(
        sent(store, owners, phones[0], [phones[0].change(new_id(), "note", 0, set=note)]),
        sent(
            store,
            owners,
            phones[1],
            [
                door(phones[1], bad, "9"),
                phones[1].change(new_id(), "note", 0, set=note),
            ],
        ),
        sent(store, owners, phones[2], [phones[2].change(new_id(), "note", 0, set=note)]),
    )
    assert codes(first) == codes(last) == [(1, "applied")]
    assert codes(poisoned) == [(1, "held"), (2, "applied")]


async def test_a_stale_lease_is_told_to_its_phone_alone(
    store: Store, world: World, phones: list[RawPhone], commits: list[frozenset[str]]
) -> None:
    owners = await store.read(owners_of)
    home = world.households["G1"]
    good, stale, other = await asyncio.gather(
        sent(store, owners, phones[0], [door(phones[0], home, "1")]),
        sent(store, owners, phones[1], [door(phones[1], home, "2")], lease="nobody"),
        sent(store, owners, phones[2], []),
        return_exceptions=True,
    )
    assert isinstance(good, Contact)
    assert isinstance(stale, StaleLease)
    assert isinstance(other, Contact)
    assert codes(good) == [(1, "applied")]
    assert len(commits) == 1
    assert await store.read(lambda db: settled_of(db, phones[1].id)) == 0


def settled_of(db: Connection, device: str) -> int:
    row = db.execute(select(queries.DEVICE).where(queries.DEVICE.c.id == device)).one()
    return int(row.settled_through)


async def test_two_batches_of_one_phone_are_one_after_the_other(
    store: Store, world: World, phones: list[RawPhone], commits: list[frozenset[str]]
) -> None:
    owners = await store.read(owners_of)
    phone, home = phones[0], world.households["G1"]
    first, second = door(phone, home, "1"), door(phone, home, "2")
    lease = phone.lease
    answers = await asyncio.gather(
        sent(store, owners, phone, [first, second], lease=lease),
        sent(store, owners, phone, [first, second], lease=lease),
    )
    assert codes(answers[0]) == codes(answers[1]) == [(1, "applied"), (2, "applied")]
    assert [each.replayed for each in answers[0].answers] == [False, False]
    assert [each.replayed for each in answers[1].answers] == [True, True]
    assert len(commits) == 1


async def test_batches_that_edit_one_record_see_each_other_in_one_transaction(
    store: Store, world: World, phones: list[RawPhone], commits: list[frozenset[str]]
) -> None:
    owners = await store.read(owners_of)
    home = world.households["G1"]
    contacts = await asyncio.gather(
        *(
            sent(store, owners, phone, [door(phone, home, str(number))])
            for number, phone in enumerate(phones)
        )
    )
    found = sorted((each.answers[0].rev, each.answers[0].outcome) for each in contacts)
    assert [rev for rev, _ in found] == [2, 3, 4, 5]
    assert found[0][1] is Outcome.APPLIED
    assert {outcome for _, outcome in found[1:]} == {Outcome.CONFLICT}
    assert len(commits) == 1
    assert await store.read(lambda db: list(compare(db))) == []


async def test_a_record_that_a_neighbour_makes_in_the_same_group_is_not_waited_for(
    store: Store, world: World, phones: list[RawPhone]
) -> None:
    owners = await store.read(owners_of)
    family, met = new_id(), new_id()
    waits = phones[0].change(met, "note", 0, set={"parent": family, "text": "seen"})
    makes = phones[1].change(
        family, "household", 0, set={"dwelling": world.dwellings["G1"], "door": "7"}
    )
    early, late = await asyncio.gather(
        sent(store, owners, phones[0], [waits]), sent(store, owners, phones[1], [makes])
    )
    assert codes(early) == [(1, "held")]
    assert codes(late) == [(1, "applied")]
    kinds = await store.read(
        lambda db: set(
            db.execute(
                select(queries.RECORD.c.kind).where(queries.RECORD.c.id.in_([family, met]))
            ).scalars()
        )
    )
    assert kinds == {"household", "note"}  # released in the transaction that made its parent


async def test_a_group_that_loses_a_race_is_worked_on_again_as_a_whole(store: Store) -> None:
    groups: list[list[int]] = []

    def work(_: Connection, questions: Sequence[int]) -> list[int | Exception]:
        groups.append(list(questions))
        if len(groups) == 1:
            raise RetryTransaction
        return [each * 2 for each in questions]

    asked = (store.write_together(work, each, apart=str(each)) for each in range(3))
    assert await asyncio.gather(*asked) == [0, 2, 4]
    assert groups == [[0, 1, 2], [0, 1, 2]]


async def test_who_leaves_while_the_group_runs_loses_only_the_answer(
    store: Store, world: World, phones: list[RawPhone]
) -> None:
    owners = await store.read(owners_of)
    home, other = world.households["G1"], world.households["G2"]
    change = door(phones[0], home, "1")
    leaver = asyncio.create_task(sent(store, owners, phones[0], [change]))
    stayer = asyncio.create_task(sent(store, owners, phones[1], [door(phones[1], other, "2")]))
    await asyncio.sleep(0.002)
    leaver.cancel()
    assert codes(await stayer) == [(1, "applied")]
    assert (await asyncio.gather(leaver, return_exceptions=True))[0] is not None
    again = await phones[0].post(phones[0].body([change]))
    assert again.status_code == 200
    assert again.json()["settled_through"] == 1


async def test_news_told_together_are_each_phones_own(
    client: httpx.AsyncClient, world: World, phones: list[RawPhone]
) -> None:
    outsider = await RawPhone.enrol(client, world.tokens["bob"])
    for number in range(3):
        report = phones[0].report(*centre_e7(0), text=str(number))
        assert outcomes(await phones[0].sync([report])) == {}
    replies = await asyncio.gather(*(each.sync() for each in [*phones, outsider]))
    alone = [await each.sync() for each in [*phones, outsider]]
    for reply, after in zip(replies, alone, strict=True):
        assert not after["buckets"]
        assert reply["scope"]["leave"] == []
    own = [set(held(reply)) for reply in replies]
    assert own[0] <= own[2]
    assert own[1] == own[3]
    assert len(own[4]) >= len(own[1])
