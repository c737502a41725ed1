"""How phones are doing, as supervisors read it, and who may read it."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlmodel import col

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Bucket, Device, MutationRow
from server.devices.listing import HEADING, device_lines
from server.devices.queries import ALL
from server.devices.rules import DAY_MS
from server.replication.queries import BucketHead
from server.replication.said import DigestState, Said, decode_said, digest_state, said_after
from sync.exchange import BucketCursor
from tests.server.desk import Desk
from tests.server.phones import RawPhone, clock, outcomes
from tests.world import World

pytestmark = pytest.mark.anyio
DIGESTS = st.sampled_from(["0" * 16, "a" * 16, "b" * 16])
CURSORS = st.lists(
    st.builds(
        BucketCursor,
        id=st.sampled_from(["config", "user:1", "grid:1"]),
        epoch=st.integers(0, 3),
        seq=st.integers(0, 3),
        digest=DIGESTS,
    ),
    unique_by=lambda each: each.id,
)


@given(st.lists(CURSORS, min_size=1, max_size=6))
def test_what_is_said_again_keeps_its_time_and_all_else_gets_a_new_one(
    contacts: list[list[BucketCursor]],
) -> None:
    text: str | None = None
    since: dict[BucketCursor, int] = {}
    for now, cursors in enumerate(contacts):
        text = said_after(text, cursors, now)
        since = {each: since.get(each, now) for each in cursors}
        assert {
            BucketCursor(id=each.bucket, epoch=each.epoch, seq=each.seq, digest=each.digest): (
                each.since_ms
            )
            for each in decode_said(text)
        } == since
        assert said_after(text, cursors, now + 1) == text


HEAD = BucketHead(
    id="grid:1", epoch=3, seq=7, digest="a" * 16, count=1, tombstone_floor=0, first_epoch=2
)


@pytest.mark.parametrize(
    ("epoch", "seq", "digest", "state"),
    [
        (3, 7, "a" * 16, DigestState.EQUAL),
        (2, 7, "a" * 16, DigestState.EQUAL),
        (3, 7, "b" * 16, DigestState.DIFFERS),
        (3, 6, "a" * 16, DigestState.BEHIND),
        (0, 0, "0" * 16, DigestState.BEHIND),
        (1, 7, "a" * 16, DigestState.UNKNOWN),
        (4, 7, "a" * 16, DigestState.UNKNOWN),
        (3, 8, "a" * 16, DigestState.UNKNOWN),
    ],
)
def test_a_digest_is_compared_only_at_the_same_place_of_the_same_numbering(
    epoch: int, seq: int, digest: str, state: DigestState
) -> None:
    said = Said(bucket=HEAD.id, epoch=epoch, seq=seq, digest=digest, since_ms=0)
    assert digest_state(said, HEAD) is state


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


async def seen(desk: Desk, phone: RawPhone, login: str = "dispatcher") -> dict[str, Any]:
    answer = await desk.get(f"/v1/devices/{phone.id}", login)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.db
async def test_a_phone_that_never_called_has_said_nothing(desk: Desk, ann: RawPhone) -> None:
    found = await seen(desk, ann)
    assert (found["last_contact_ms"], found["offset_ms"], found["digests"]) == (None,) * 3
    assert (found["pending"], found["buckets"], found["differs_since_ms"]) == (0, [], None)
    assert found["failures"] == {"held": 0, "quarantined": 0, "invalid": 0}


@pytest.mark.db
async def test_what_a_contact_says_is_seen_with_what_waits_and_what_failed(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    stranger = {"dwelling": world.dwellings["G3"]}
    held = ann.change(new_id(), "household", 0, set=stranger)
    bad = [ann.change(new_id(), "nonsense", 0, set={}) for _ in range(2)]
    assert outcomes(await ann.sync([held, *bad])) == {1: "held", 2: "invalid", 3: "invalid"}
    await ann.sync([bad[0]], last_n=9, app={"version": "2.1", "schema": 1})
    found = await seen(desk, ann)
    assert found["failures"] == {"held": 1, "quarantined": 0, "invalid": 2}
    assert (found["settled_through"], found["pending"], found["app_version"]) == (3, 6, "2.1")
    done = await desk.post(f"/v1/held/{ann.id}/1/refuse", "dispatcher", {"text": "No."}, rev=1)
    assert done.status_code == 200, done.text
    assert (await seen(desk, ann))["failures"]["held"] == 0


@pytest.mark.db
async def test_a_replica_is_equal_behind_or_different_and_since_when(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await ann.sync()
    await ann.sync()
    found = await seen(desk, ann)
    assert found["digests"] == "equal"
    assert {each["id"] for each in found["buckets"]} == set(ann.cursors)
    grid = f"grid:{world.grids['G1']}"
    true = ann.cursors[grid]
    wrong = {**true, "digest": "f" * 16}
    said = [wrong, *(each for name, each in ann.cursors.items() if name != grid)]
    ann.lease = (await ann.sync(buckets=said))["lease"]
    first = await seen(desk, ann)
    assert (first["digests"], first["differs_since_ms"]) == (
        "differs",
        first["last_contact_ms"],
    )
    await ann.sync(buckets=said)
    again = await seen(desk, ann)
    assert again["differs_since_ms"] == first["differs_since_ms"]
    ann.cursors[grid] = true
    home = world.households["G1"]
    await ann.sync([ann.change(home, "household", 1, set={"contact_phone": "1"})], buckets=said)
    later = {each["id"]: each for each in (await seen(desk, ann))["buckets"]}
    assert later[grid]["state"] == "behind"
    assert later[grid]["server_seq"] == later[grid]["seq"] + 1


@pytest.mark.db
async def test_filters_name_the_silent_the_failing_and_clocks_that_are_off(
    desk: Desk, ann: RawPhone, world: World, store: Store
) -> None:
    bob, cat = [await RawPhone.enrol(desk.client, world.tokens[who]) for who in ("bob", "cat")]
    now = now_ms()
    await ann.sync([ann.change(new_id(), "nonsense", 0, set={})], clock=clock(wall_ms=now))
    await bob.sync(clock=clock(wall_ms=now + 90_000))
    await cat.sync(clock=clock(wall_ms=now - 90_000))
    long_ago = now - 3 * DAY_MS - 1
    await store.write(
        lambda db: db.execute(
            update(Device).where(col(Device.id) == cat.id).values(last_contact_ms=long_ago)
        )
    )

    async def found(**query: Any) -> set[str]:
        items = await desk.items("/v1/devices", "dispatcher", limit=1, **query)
        return {each["login"] for each in items}

    assert await found() == {"ann", "bob", "cat"}
    assert await found(silent_days=3) == {"cat"}
    assert await found(silent_days=4) == set()
    assert await found(failing="true") == {"ann"}
    assert await found(failing="false") == {"bob", "cat"}
    log = MutationRow.__table__
    two_weeks = update(log).values(received_ms=log.c.received_ms - 14 * DAY_MS - 60_000)
    await store.write(lambda db: db.execute(two_weeks))
    assert await found(failing="true") == set()
    assert await found(failing="false") == {"ann", "bob", "cat"}
    assert await found(offset_above_s=60) == {"bob", "cat"}
    assert await found(offset_above_s=60, silent_days=3) == {"cat"}
    for query in ({"silent_days": 0}, {"offset_above_s": -1}, {"fast": "true"}):
        assert (await desk.get("/v1/devices", "dispatcher", **query)).status_code == 400


@pytest.mark.db
async def test_a_phone_is_seen_by_its_owner_and_by_who_answers_for_the_owner(
    desk: Desk, ann: RawPhone
) -> None:
    for login in ("ann", "dispatcher", "admin"):
        assert (await seen(desk, ann, login))["login"] == "ann"
    for login in ("bob", "analyst", "dispatcher-n2"):
        assert (await desk.get(f"/v1/devices/{ann.id}", login)).status_code == 404
    for name in (new_id(), "7"):
        assert (await desk.get(f"/v1/devices/{name}", "admin")).status_code == 404


@pytest.mark.db
async def test_the_lines_of_the_command_say_the_same(
    desk: Desk, ann: RawPhone, world: World, store: Store
) -> None:
    await ann.sync()
    await store.write(
        lambda db: db.execute(update(Bucket).values(digest="e" * 16))  # a bucket that rotted
    )
    await ann.sync()
    silent = await RawPhone.enrol(desk.client, world.tokens["cat"])
    heading, *lines = await store.read(lambda db: device_lines(db, None, ALL))
    assert heading == HEADING
    rows = {cells[0]: cells[1:] for cells in (line.split("\t") for line in lines)}
    assert rows[ann.id][0::9] == ["ann", "differs"]
    assert rows[silent.id][2:] == ["never", "1", "0", "0", "0", "0", "-", "-"]
    _, only = await store.read(lambda db: device_lines(db, "G3", ALL))
    assert only.split("\t")[0] == silent.id
