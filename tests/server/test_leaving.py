"""What is over leaves the phones by date, and comes back when it is opened anew."""

import httpx
import pytest
from sqlalchemy import select, update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import BucketExit, RecordRow
from server.replication.leaving import Days, Left, leave_by_date
from server.replication.refold import refold
from server.replication.reproject import compare
from tests.server.desk import Desk
from tests.server.followers import Follower, feeds
from tests.server.phones import RawPhone, held, outcomes
from tests.server.rebuilding import repaired
from tests.server.test_upkeep import move
from tests.world import DAY_MS, World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
DAYS = Days(casework=30, visits=400)


async def left(store: Store, days: int, *, dry_run: bool = False) -> Left:
    """Let upkeep run so many days from now."""
    return await leave_by_date(store, DAYS, now_ms=now_ms() + days * DAY_MS, dry_run=dry_run)


async def why_left(store: Store) -> dict[str, str]:
    columns = BucketExit.__table__.c
    statement = select(columns.record_id, columns.why)
    rows = await store.read(lambda db: db.execute(statement).all())
    return {row.record_id: row.why for row in rows}


async def fed(store: Store) -> set[str]:
    """Everything that phones may hold."""
    return {record for held in (await store.read(feeds)).values() for record in held}


async def sound(store: Store) -> bool:
    """Whether what is derived, and the log, agree with what is stored."""
    found = await store.read(lambda db: [*compare(db), *refold(db)])
    done, _ = await repaired(store)
    return not found and not done.found


async def test_a_closed_case_leaves_with_what_belongs_to_it_and_comes_back(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    """A report, its incident, the task and its claims; then a late claim; then a re-opening."""
    desk, phone = Desk(client, world), await RawPhone.enrol(client, world.tokens["ann"])
    watching = Follower(await RawPhone.enrol(client, world.tokens["ann"]))
    before = await store.read(feeds)
    made = held(await phone.sync([phone.report(*centre_e7(0))]))
    incident = next(each["record"] for each in made.values() if each["kind"] == "incident")
    path = f"/v1/incidents/{incident}"
    case = await desk.done(f"{path}/dispatch", "dispatcher", {"assignee": "ann"}, rev=1)
    (task,) = [each for each in held(await phone.sync()).values() if each["kind"] == "task"]
    finish = {"act": "finish", "args": {"result": "swept"}}
    await phone.sync([phone.change(task["record"], "task", 1, **finish)])
    case = (await desk.get(path, "dispatcher")).json()
    done = {"text": "It was swept."}
    case = await desk.done(f"{path}/close", "dispatcher", done, rev=case["rev"])
    await watching.sync()
    with_it = await store.read(feeds)
    assert (await left(store, 29)).records == 0
    bucket = f"grid:{world.grids['G1']}"
    gone = with_it[bucket].keys() - before[bucket].keys()
    expected = Left(records=len(gone), buckets=frozenset({bucket}))
    assert {incident, task["record"]} < gone
    assert await left(store, 31, dry_run=True) == expected
    assert await store.read(feeds) == with_it
    assert await left(store, 31) == expected
    assert (await left(store, 31)).records == 0
    assert await store.read(feeds) == before
    assert await why_left(store) == dict.fromkeys(gone, "hidden")
    await watching.sync()
    assert watching.held[bucket].keys() == before[bucket].keys()
    assert (await desk.get(path, "dispatcher")).json() == case
    late = phone.change(task["record"], "task", 1, act="start")
    assert set(outcomes(await phone.sync([late])).values()) == {"recorded"}
    assert await store.read(feeds) == before
    again = {"text": "It is full again."}
    await desk.done(f"{path}/reopen", "dispatcher", again, rev=case["rev"])
    await watching.sync()
    assert gone < (await store.read(feeds))[bucket].keys()
    assert watching.held[bucket] == (await store.read(feeds))[bucket]
    assert await why_left(store) == {}
    assert (await left(store, 31)).records == 3, "the task that is over, and its claims"
    await watching.sync()
    assert incident in watching.held[bucket]
    assert await sound(store)


async def test_visits_leave_with_their_notes_wherever_they_moved(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    desk, phone = Desk(client, world), await RawPhone.enrol(client, world.tokens["ann"])
    home, visit, note = world.households["G1"], new_id(), new_id()
    before = await store.read(feeds)
    await phone.sync(
        [
            phone.change(visit, "visit", 0, set={"household": home, "outcome": "not_home"}),
            phone.change(note, "note", 0, set={"parent": visit, "text": "Asked for a ramp."}),
        ]
    )
    assert (await left(store, 399)).records == 0
    assert (await left(store, 401)).records == 2
    assert await store.read(feeds) == before
    await move(store, world, "G1", "G2")
    assert {visit, note}.isdisjoint(await fed(store))
    erase = {"reason": "person_asked"}
    await desk.done(f"/v1/records/{home}/erase", "dispatcher", erase, rev=2)
    assert {visit, note, home}.isdisjoint(await fed(store))
    assert await sound(store)


async def test_an_announcement_leaves_at_its_date_and_returns_if_that_is_moved(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    desk, phone = Desk(client, world), await RawPhone.enrol(client, world.tokens["ann"])
    said = {"area": world.areas["N1"], "title": "Water off", "text": "From nine."}
    first, second = [
        await desk.done("/v1/announcements", "dispatcher", {**said, "valid_until_ms": until})
        for until in (now_ms() + DAY_MS // 2, now_ms() + 9 * DAY_MS)
    ]
    assert {first["id"], second["id"]} < held(await phone.sync()).keys()
    assert (await left(store, 1)).records == 1
    (page,) = (await phone.sync())["buckets"]
    assert page["gone"] == [{"record": first["id"], "why": "hidden"}]
    later = {"valid_until_ms": now_ms() + 5 * DAY_MS}
    answer = await desk.patch(f"/v1/announcements/{first['id']}", "dispatcher", later, rev=1)
    assert answer.status_code == 200, answer.text
    assert first["id"] in held(await phone.sync())
    assert await sound(store)


async def test_steps_go_on_and_the_doctor_brings_back_what_no_date_let_leave(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone, home = await RawPhone.enrol(client, world.tokens["ann"]), world.households["G1"]
    before = await store.read(feeds)
    visits = [
        phone.change(new_id(), "visit", 0, set={"household": home, "outcome": "not_home"})
        for _ in range(150)
    ]
    await phone.sync(visits)
    assert (await left(store, 401, dry_run=True)).records == 150
    assert (await left(store, 401)).records == 150
    assert await store.read(feeds) == before
    lost = update(RecordRow).where(RecordRow.__table__.c.id == world.households["G1"])
    await store.write(lambda db: db.execute(lost.values(seq=0)))
    done, _ = await repaired(store)
    assert "seq" in {each.what for each in done.found}
    assert done.left == ()
    assert await store.read(feeds) == before
