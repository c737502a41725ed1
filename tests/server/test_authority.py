"""Authority is judged by the assignments of the time of the act, whenever the work arrives."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, delete, insert

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Assignment
from tests.server.desk import Desk
from tests.server.phones import RawPhone, clock, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
MINUTE_MS = 60_000
SENT_UPTIME_MS = 1_000 * MINUTE_MS


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


async def assigned(
    store: Store, world: World, grid: str, spans: Sequence[tuple[int, int | None]]
) -> None:
    """Let ann have answered for one grid, and nothing else, in these spans of minutes ago."""
    account, area, now = world.accounts["ann"], world.grids[grid], now_ms()

    def write(db: Connection) -> None:
        table = Assignment.__table__
        db.execute(delete(table).where(table.c.account_id == account))
        for since, until in spans:
            row = {
                "id": new_id(),
                "account_id": account,
                "area_id": area,
                "valid_from_ms": now - since * MINUTE_MS,
                "valid_to_ms": None if until is None else now - until * MINUTE_MS,
            }
            db.execute(insert(table).values(**row))

    await store.write(write)


def edit(phone: RawPhone, world: World, minutes_ago: int, door: str) -> dict[str, Any]:
    done = clock(SENT_UPTIME_MS - minutes_ago * MINUTE_MS)
    home = world.households["G1"]
    return phone.change(home, "household", 1, set={"door": door}, clock=done)


@pytest.mark.parametrize(
    ("spans", "minutes_ago", "outcome"),
    [
        ([(300, None)], 10, None),
        ([(300, 60)], 70, None),
        ([(300, 60)], 50, "held"),
        ([(100, None)], 150, "held"),
        ([(300, 200), (100, None)], 250, None),
        ([(300, 200), (100, None)], 150, "held"),
        ([(300, 200), (100, None)], 50, None),
        ([(300, 200), (200, None)], 200, None),
    ],
    ids=[
        "held now",
        "done before it was lost, sent after",
        "done after it was lost",
        "done before it was given",
        "lost and regained: in the first span",
        "lost and regained: between",
        "lost and regained: in the second span",
        "two spans that touch leave no gap",
    ],
)
async def test_an_edit_counts_if_the_grid_was_the_authors_then(
    store: Store,
    ann: RawPhone,
    world: World,
    *,
    spans: list[tuple[int, int | None]],
    minutes_ago: int,
    outcome: str | None,
) -> None:
    await assigned(store, world, "G1", spans)
    work = edit(ann, world, minutes_ago, "1")
    reply = await ann.sync([work], clock=clock(SENT_UPTIME_MS))
    assert outcomes(reply) == ({} if outcome is None else {1: outcome})
    assert [each["code"] for each in reply["outcomes"]] == ["not-in-scope"] * len(
        reply["outcomes"]
    )


async def test_a_day_that_spans_the_loss_is_split_at_it_and_the_phone_drops_the_grid(
    store: Store, desk: Desk, ann: RawPhone, world: World
) -> None:
    await ann.sync()
    await assigned(store, world, "G1", [(300, 60)])
    fresh = await RawPhone.enrol(desk.client, world.tokens["ann"])
    buckets = list(ann.cursors.values())
    visit = {"household": world.households["G1"], "outcome": "done"}
    late = clock(SENT_UPTIME_MS - 30 * MINUTE_MS)
    batch = [
        edit(fresh, world, 90, "morning"),
        edit(fresh, world, 30, "afternoon"),
        fresh.change(new_id(), "visit", 0, set=visit, clock=late),
    ]
    reply = await fresh.sync(batch, clock=clock(SENT_UPTIME_MS), buckets=buckets)
    assert outcomes(reply) == {2: "held"}
    assert f"grid:{world.grids['G1']}" in reply["scope"]["leave"]
    home = (await desk.get(f"/v1/households/{world.households['G1']}", "dispatcher")).json()
    assert home["door"] == "morning"
    (found,) = await desk.items("/v1/held", "dispatcher", status="open")
    assert (found["n"], found["code"], found["area"]) == (2, "not-in-scope", "G1")
    path = f"/v1/held/{fresh.id}/2/release"
    done = await desk.done(path, "dispatcher", {"text": "Agreed."}, rev=1)
    assert done["became"] == "applied"
    home = (await desk.get(f"/v1/households/{world.households['G1']}", "dispatcher")).json()
    assert (home["door"], home["open_conflicts"]) == ("afternoon", [])


async def test_nobody_backdates_work_to_a_time_before_an_earlier_contact(
    store: Store, ann: RawPhone, world: World
) -> None:
    await ann.sync(clock=clock(SENT_UPTIME_MS))
    await assigned(store, world, "G1", [(300, 60)])
    backdated = edit(ann, world, 90, "1")
    reply = await ann.sync([backdated], clock=clock(SENT_UPTIME_MS))
    assert outcomes(reply) == {1: "held"}
    assert reply["outcomes"][0]["code"] == "not-in-scope"


async def test_work_that_was_numbered_before_the_contact_keeps_its_time(
    store: Store, ann: RawPhone, world: World
) -> None:
    work = edit(ann, world, 90, "1")
    await ann.sync(clock=clock(SENT_UPTIME_MS))
    await assigned(store, world, "G1", [(300, 60)])
    assert outcomes(await ann.sync([work], clock=clock(SENT_UPTIME_MS))) == {}


async def test_rights_were_narrowed_facts_count_and_edits_are_for_the_new_owner_to_see(
    store: Store, desk: Desk, ann: RawPhone, world: World
) -> None:
    await assigned(store, world, "G1", [(300, 60)])
    home = world.households["G1"]
    visit = {"household": home, "outcome": "done"}
    resident = {"household": home, "name": "A"}
    reply = await ann.sync(
        [
            ann.change(new_id(), "visit", 0, set=visit, clock=clock(SENT_UPTIME_MS)),
            ann.change(new_id(), "resident", 0, set=resident, clock=clock(SENT_UPTIME_MS)),
        ],
        clock=clock(SENT_UPTIME_MS),
    )
    assert outcomes(reply) == {2: "held"}
    (found,) = await desk.items("/v1/held", "dispatcher", status="open")
    assert (found["kind"], found["area"]) == ("resident", "G1")
    assert await desk.items("/v1/held", "dispatcher-n2") == []
