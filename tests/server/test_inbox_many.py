"""Work of a revoked or doubtful phone: ruled on in bulk, rehearsed, and never done twice."""

from typing import Any

import httpx
import pytest

from server.clock import new_id, now_ms
from tests.server.desk import Desk, pointers, told
from tests.server.phones import RawPhone, clock, outcomes
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
MINUTE_MS = 60_000
SENT_UPTIME_MS = 100 * MINUTE_MS


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


def visit(phone: RawPhone, world: World, minutes_ago: int) -> dict[str, Any]:
    fields = {"household": world.households["G1"], "outcome": "done"}
    done = clock(SENT_UPTIME_MS - minutes_ago * MINUTE_MS)
    return phone.change(new_id(), "visit", 0, set=fields, clock=done)


async def visits(desk: Desk, world: World) -> set[str]:
    found = await desk.items(f"/v1/households/{world.households['G1']}/visits", "dispatcher")
    return {each["id"] for each in found}


async def lost_with_five(
    desk: Desk, phone: RawPhone, world: World
) -> tuple[list[str], list[dict[str, Any]]]:
    """Lost an hour ago, revoked, found; three visits before the loss and two after it."""
    lost = {"lost_at_ms": now_ms() - 60 * MINUTE_MS}
    answer = await desk.post(f"/v1/devices/{phone.id}/revoke", "dispatcher", lost)
    assert answer.status_code == 204
    batch = [visit(phone, world, ago) for ago in (90, 80, 70, 30, 20)]
    reply = await phone.sync(batch, clock=clock(SENT_UPTIME_MS))
    assert set(outcomes(reply).values()) == {"quarantined"}
    return [each["record"] for each in batch], batch


async def test_a_lost_phone_what_was_done_before_the_loss_counts_the_rest_does_not(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    made, _ = await lost_with_five(desk, ann, world)
    found = await desk.items("/v1/held", "dispatcher", device=ann.id, code="device-revoked")
    assert [each["before_loss"] for each in found] == [False, False, True, True, True]
    assert await visits(desk, world) == set()

    before = {"device": ann.id, "before_loss": True, "text": "The worker remembers them."}
    rehearsed = await desk.done("/v1/held/release", "dispatcher", {**before, "dry_run": True})
    assert [each["became"] for each in rehearsed["items"]] == ["applied"] * 3
    assert await visits(desk, world) == set()
    assert await desk.items("/v1/held", "dispatcher") == found

    done = await desk.done("/v1/held/release", "dispatcher", before)
    assert {**done, "dry_run": True} == rehearsed
    assert await visits(desk, world) == set(made[:3])
    assert (await desk.done("/v1/held/release", "dispatcher", before))["items"] == []

    after = {"device": ann.id, "before_loss": False, "text": "After the loss."}
    refused = await desk.done("/v1/held/refuse", "dispatcher", after)
    assert [(each["n"], each["status"]) for each in refused["items"]] == [
        (4, "refused"),
        (5, "refused"),
    ]
    assert await visits(desk, world) == set(made[:3])
    assert await desk.items("/v1/held", "dispatcher", status="open") == []


async def test_a_revoked_phone_is_told_to_drop_everything_on_every_contact(
    desk: Desk, ann: RawPhone
) -> None:
    await ann.sync()
    held = set(ann.cursors)
    buckets = list(ann.cursors.values())
    assert (await desk.post(f"/v1/devices/{ann.id}/revoke", "admin")).status_code == 204
    for _ in range(2):
        reply = await ann.sync(buckets=buckets)
        assert set(reply["scope"]["leave"]) == held
        assert reply["buckets"] == []


async def test_a_phone_found_again_sends_the_rest_under_a_new_id_and_nothing_counts_twice(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    made, batch = await lost_with_five(desk, ann, world)
    home = world.households["G1"]
    edit = ann.change(home, "household", 1, set={"door": "9"}, clock=clock(SENT_UPTIME_MS))
    await ann.sync([edit], clock=clock(SENT_UPTIME_MS))
    await desk.done("/v1/held/release", "dispatcher", {"device": ann.id})
    assert await visits(desk, world) == set(made)
    rev = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()["rev"]

    again = await RawPhone.enrol(desk.client, world.tokens["ann"])
    again.last_n = len(batch) + 1
    reply = await again.sync([*batch, edit], clock=clock(SENT_UPTIME_MS))
    codes = {each["n"]: each.get("code") for each in reply["outcomes"]}
    assert codes == dict.fromkeys(range(1, 6), "already-exists") | {6: None}
    assert outcomes(reply)[6] == "unchanged"
    after = (await desk.get(f"/v1/households/{home}", "dispatcher")).json()
    assert (after["door"], after["open_conflicts"]) == ("9", [])
    assert after["rev"] in {rev, rev + 1}
    assert len(await visits(desk, world)) == 5


async def test_what_was_sent_again_and_taken_is_not_released_as_well(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await ann.sync([visit(ann, world, 50)])
    other = visit(ann, world, 50) | {"n": 1}
    reply = await ann.sync([other, visit(ann, world, 40) | {"n": 2}])
    assert outcomes(reply) == {1: "quarantined", 2: "quarantined"}
    ann.last_n = 2
    edit = ann.change(world.households["G1"], "household", 1, set={"door": "9"})
    assert outcomes(await ann.sync([edit])) == {3: "quarantined"}
    waiting = await desk.items("/v1/held", "dispatcher", status="open")
    assert [(each["n"], each["code"]) for each in waiting] == [
        (3, "stale-lease"),
        (2, "reused-n"),
    ]

    again = await RawPhone.enrol(desk.client, world.tokens["ann"])
    assert outcomes(await again.sync([edit | {"n": 1}])) == {1: "merged"}  # With the visit.
    path = f"/v1/held/{ann.id}/3"
    read = (await desk.get(path, "dispatcher")).json()
    assert read["sent_again"] == {"device": again.id, "n": 1}
    refused = await desk.post(f"{path}/release", "dispatcher", {}, rev=1)
    assert told(refused) == (409, "transition-refused")
    assert refused.json()["code"] == "already-exists"
    many = await desk.done("/v1/held/release", "dispatcher", {"device": ann.id})
    assert [(each["n"], each["status"], each["code"]) for each in many["items"]] == [
        (2, "released", None),
        (3, "open", "already-exists"),
    ]
    done = await desk.done(f"{path}/refuse", "dispatcher", {"text": "Sent again."}, rev=1)
    assert (done["status"], done["sent_again"]) == ("refused", None)


async def test_a_selection_by_code_time_and_area(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    await lost_with_five(desk, ann, world)
    half_past = now_ms() - 75 * MINUTE_MS
    early = {"device": ann.id, "before_ms": half_past, "dry_run": True}
    done = await desk.done("/v1/held/release", "dispatcher", early)
    assert [each["n"] for each in done["items"]] == [1, 2]
    both = await desk.done(
        "/v1/held/release", "dispatcher", {**early, "before_loss": True, "code": "reused-n"}
    )
    assert both["items"] == []
    tight = {**early, "before_loss": True}
    assert len((await desk.done("/v1/held/release", "admin", tight))["items"]) == 2
    assert (await desk.done("/v1/held/release", "dispatcher-n2", early))["items"] == []
    for login in ("ann", "analyst"):
        answer = await desk.post("/v1/held/release", login, early)
        assert told(answer) == (403, "forbidden")


async def test_nobody_speaks_of_a_loss_that_was_not_reported(desk: Desk, ann: RawPhone) -> None:
    asked = {"device": ann.id, "before_loss": True}
    assert pointers(await desk.post("/v1/held/release", "dispatcher", asked)) == [
        "/before_loss"
    ]
    future = {"lost_at_ms": now_ms() + 10 * MINUTE_MS}
    answer = await desk.post(f"/v1/devices/{ann.id}/revoke", "dispatcher", future)
    assert pointers(answer) == ["/lost_at_ms"]
    (seen,) = (await desk.get("/v1/devices", "ann")).json()["items"]
    assert (seen["status"], seen["lost_at_ms"]) == ("active", None)


async def test_a_reported_loss_is_kept_and_may_be_corrected(desk: Desk, ann: RawPhone) -> None:
    for said, kept in ((5_000, 5_000), (None, 5_000), (4_000, 4_000)):
        body = None if said is None else {"lost_at_ms": said}
        answer = await desk.post(f"/v1/devices/{ann.id}/revoke", "dispatcher", body)
        assert answer.status_code == 204
        (seen,) = (await desk.get("/v1/devices", "ann")).json()["items"]
        assert (seen["status"], seen["lost_at_ms"]) == ("revoked", kept)


async def test_what_cannot_be_applied_stays_open_while_the_rest_is_released(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    assert (await desk.post(f"/v1/devices/{ann.id}/revoke", "admin")).status_code == 204
    first = visit(ann, world, 9)
    lonely = ann.change(new_id(), "note", 0, set={"parent": new_id(), "text": "Where?"})
    await ann.sync([first, lonely, visit(ann, world, 8)])
    done = await desk.done("/v1/held/release", "dispatcher", {"device": ann.id})
    assert [(each["status"], each["code"]) for each in done["items"]] == [
        ("released", None),
        ("open", "unknown-parent"),
        ("released", None),
    ]
    assert done["more"] is False
