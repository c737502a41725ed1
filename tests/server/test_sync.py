"""`POST /v1/sync` over HTTP, on both databases."""

import httpx
import pytest
from sqlalchemy import update

from server.app import create_app
from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Assignment, Bucket
from server.identity.queries import assign
from server.settings import Settings
from sync.canonical import canonical, digest_of, record_hash
from tests.server.phones import RawPhone, bearer, held, outcomes
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]


async def test_first_sync_brings_own_grid_and_nothing_else(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    reply = await phone.sync()
    assert set(reply["scope"]["enter"]) == {
        "config",
        f"user:{world.accounts['ann']}",
        f"grid:{world.grids['G1']}",
    }
    items = held(reply)
    assert world.households["G1"] in items
    assert world.households["G2"] not in items
    assert {item["kind"] for item in items.values()} == {
        "class",
        "grid",
        "dwelling",
        "household",
    }


async def test_every_item_hash_and_bucket_digest_can_be_recomputed(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    reply = await phone.sync()
    for page in reply["buckets"]:
        assert page["more"] is False
        for item in page["put"]:
            body = {name: value for name, value in item.items() if name != "hash"}
            assert record_hash(canonical(body)) == item["hash"]
        assert digest_of(item["hash"] for item in page["put"]) == page["digest"]
        assert len(page["put"]) == page["count"]


async def test_reply_contains_the_effects_of_its_own_push(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    household = world.households["G1"]
    change = phone.change(household, "household", 1, set={"contact_phone": "111-1111"})
    reply = await phone.sync([change])
    assert outcomes(reply) == {}
    assert reply["settled_through"] == 1
    assert held(reply)[household]["state"]["contact_phone"] == "111-1111"
    assert held(reply)[household]["rev"] == 2


async def test_report_makes_an_incident_in_the_grid_of_its_place(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    await phone.sync()
    report = phone.report(*centre_e7(1))
    reply = await phone.sync([report])
    items = held(reply)
    assert items[report["record"]]["state"]["grid"] == world.grids["G2"]
    incidents = [item for item in items.values() if item["kind"] == "incident"]
    assert len(incidents) == 1
    assert incidents[0]["state"]["status"] == "reported"


async def test_repeated_request_gets_the_first_outcomes_and_changes_nothing(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    body = phone.body(
        [
            phone.change(world.households["G1"], "household", 1, set={"door": "3"}),
            phone.change(world.households["G1"], "household", 1, set={"colour": "red"}),
        ]
    )
    first = (await phone.post(body)).json()
    again = (await phone.post(body)).json()
    assert outcomes(first) == {2: "invalid"}
    assert outcomes(again) == {1: "applied", 2: "invalid"}
    assert all(each["replayed"] for each in again["outcomes"])
    assert held(first) == held(again)
    assert first["settled_through"] == again["settled_through"] == 2


async def test_lost_replies_do_not_cost_the_lease(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    for _ in range(4):
        answer = await phone.post(phone.body())
        assert answer.status_code == 200
    await phone.sync()
    stale = phone.lease
    for _ in range(4):
        assert (await phone.post(phone.body())).status_code == 200
    await phone.sync()
    await phone.sync()
    refused = await phone.post(phone.body() | {"lease": stale})
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("stale-lease")


async def test_reused_number_with_another_body_is_quarantined(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    household = world.households["G1"]
    first = phone.change(household, "household", 1, set={"door": "3"})
    await phone.sync([first])
    reply = await phone.sync([first | {"set": {"door": "4"}}])
    assert outcomes(reply) == {1: "quarantined"}
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    assert held(await fresh.sync())[household]["state"]["door"] == "3"


async def test_gap_stops_processing_and_later_numbers_wait(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    household = world.households["G1"]
    first = phone.change(household, "household", 1, set={"door": "3"})
    second = phone.change(household, "household", 1, set={"size_band": "1"})
    third = phone.change(household, "household", 1, set={"visit_preference": "any"})
    reply = await phone.sync([first, third])
    assert outcomes(reply) == {3: "retry"}
    assert reply["settled_through"] == 1
    reply = await phone.sync([second, third])
    assert reply["settled_through"] == 3
    assert held(reply)[household]["state"]["visit_preference"] == "any"


async def test_bad_mutations_settle_without_stopping_the_queue(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    household = world.households["G1"]
    batch = [
        phone.change(new_id(), "unicorn", 0, set={"name": "x"}),
        phone.change(household, "household", 1, set={"size_band": "many"}),
        phone.change(household, "household", 99, set={"door": "9"}),
        phone.change(new_id(), "household", 7, set={"door": "9"}),
        phone.change(world.grids["G1"], "grid", 1, set={"name": "Mine"}),
        phone.change(household, "household", 1, set={"door": 1.5}),
        phone.change(household, "household", 1, set={"door": "7"}),
    ]
    reply = await phone.sync(batch)
    assert outcomes(reply) == {
        1: "invalid",
        2: "invalid",
        3: "held",
        4: "held",
        5: "invalid",
        6: "invalid",
    }
    codes = {each["n"]: each["code"] for each in reply["outcomes"]}
    assert codes[3] == "base-from-future"
    assert reply["settled_through"] == 7
    assert held(reply)[household]["state"]["door"] == "7"


async def test_edit_outside_scope_is_held_and_nothing_changes(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    change = phone.change(world.households["G3"], "household", 1, set={"door": "3"})
    assert outcomes(await phone.sync([change])) == {1: "held"}
    other = await RawPhone.enrol(client, world.tokens["cat"])
    assert "door" not in held(await other.sync())[world.households["G3"]]["state"]


async def test_two_phones_editing_one_field_keep_both_values(
    client: httpx.AsyncClient, world: World
) -> None:
    ann = await RawPhone.enrol(client, world.tokens["ann"])
    bob = await RawPhone.enrol(client, world.tokens["bob"])
    household = world.households["G1"]
    first = ann.change(household, "household", 1, set={"size_band": "1"})
    second = bob.change(household, "household", 1, set={"size_band": "2"})
    assert outcomes(await ann.sync([first])) == {}
    reply = await bob.sync([second])
    assert outcomes(reply) == {1: "conflict"}
    state = held(reply)[household]["state"]
    assert state["conflicts"] == ["size_band"]
    listed = await client.get("/v1/conflicts", headers=bearer(world.tokens["dispatcher"]))
    assert listed.status_code == 200, listed.text
    (conflict,) = listed.json()["items"]
    assert {each["value"] for each in conflict["values"]} == {"1", "2"}


async def test_bucket_is_left_when_the_assignment_ends_and_outbox_facts_still_count(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["cat"])
    await phone.sync()
    ended = now_ms()
    await store.write(
        lambda db: db.execute(
            update(Assignment)
            .where(Assignment.account_id == world.accounts["cat"])
            .values(valid_to_ms=ended)
        )
    )
    visit = phone.change(
        new_id(), "visit", 0, set={"household": world.households["G3"], "outcome": "done"}
    )
    listed = list(phone.cursors.values())
    reply = await phone.sync([visit])
    assert f"grid:{world.grids['G3']}" in reply["scope"]["leave"]
    assert outcomes(reply).get(1, "applied") in {"applied", "recorded"}
    assert held(reply) == {}
    again = await phone.post(phone.body() | {"buckets": listed})
    assert f"grid:{world.grids['G3']}" in again.json()["scope"]["leave"]


async def test_new_assignment_enters_a_bucket(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    await store.write(
        lambda db: assign(
            db, account=world.accounts["ann"], area=world.areas["N2"], now_ms=now_ms() - 1
        )
    )
    reply = await phone.sync()
    assert set(reply["scope"]["enter"]) == {
        f"grid:{world.grids[code]}" for code in ("G3", "G4")
    }
    assert world.households["G4"] in held(reply)


async def test_nothing_new_costs_no_page(client: httpx.AsyncClient, world: World) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    reply = await phone.sync()
    assert reply["buckets"] == []
    assert reply["scope"] == {"enter": [], "leave": []}


async def test_pages_within_the_byte_budget_add_up(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    notes = [
        phone.change(
            new_id(), "note", 0, set={"parent": world.households["G1"], "text": "x" * 1_900}
        )
        for _ in range(40)
    ]
    await phone.sync(notes, max_bytes=1)
    fresh = await RawPhone.enrol(client, world.tokens["ann"])
    seen: dict[str, object] = {}
    for _ in range(20):
        reply = await fresh.sync(max_bytes=16_384)
        seen |= held(reply)
        if not any(page["more"] for page in reply["buckets"]):
            break
    else:
        pytest.fail("paging did not end")
    assert {each["record"] for each in notes} <= seen.keys()


async def test_wrong_digest_resets_the_bucket(client: httpx.AsyncClient, world: World) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    bucket = f"grid:{world.grids['G1']}"
    phone.cursors[bucket]["digest"] = "f" * 16
    (page,) = (await phone.sync())["buckets"]
    assert page["reset"] is True
    assert page["from"] == 0
    assert len(page["put"]) == page["count"]


async def test_cursor_below_the_tombstone_floor_resets(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    bucket = f"grid:{world.grids['G1']}"
    head = phone.cursors[bucket]["seq"]
    phone.cursors[bucket]["seq"] = 1
    await store.write(
        lambda db: db.execute(
            update(Bucket).where(Bucket.id == bucket).values(tombstone_floor=head, epoch=2)
        )
    )
    (page,) = (await phone.sync())["buckets"]
    assert page["reset"] is True


async def test_manifest_and_records_repair_a_replica_inside_its_scope(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    items = held(await phone.sync())
    bucket = f"grid:{world.grids['G1']}"
    manifest = (
        await client.get(f"/v1/sync/manifests/{bucket}", headers=bearer(phone.token))
    ).json()
    assert (
        dict(manifest["records"])[world.households["G1"]]
        == (items[world.households["G1"]]["hash"])
    )
    wanted = [world.households["G1"], world.households["G3"]]
    answer = await client.post(
        "/v1/sync/records", json={"records": wanted}, headers=bearer(phone.token)
    )
    assert [each["record"] for each in answer.json()["records"]] == wanted[:1]
    outside = await client.get(
        f"/v1/sync/manifests/grid:{world.grids['G3']}", headers=bearer(phone.token)
    )
    assert outside.status_code == 404


async def test_revoked_device_hands_in_its_work_and_must_drop_everything(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    revoked = await client.post(
        f"/v1/devices/{phone.id}/revoke", headers=bearer(world.tokens["admin"])
    )
    assert revoked.status_code == 204
    change = phone.change(world.households["G1"], "household", 1, set={"door": "3"})
    reply = await phone.sync([change])
    assert outcomes(reply) == {1: "quarantined"}
    assert f"grid:{world.grids['G1']}" in reply["scope"]["leave"]
    assert reply["buckets"] == []


async def test_unknown_protocol_and_unreadable_envelope_are_problems(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    newer = await phone.post(phone.body() | {"protocol": 2})
    assert newer.status_code == 426
    unreadable = await phone.post(phone.body() | {"last_n": "many"})
    assert unreadable.status_code == 400
    assert unreadable.json()["errors"][0]["pointer"] == "/last_n"
    strange = await phone.post(phone.body() | {"surplus": 1})
    assert strange.status_code == 400
    account = await client.post(
        "/v1/sync", json=phone.body(), headers=bearer(world.tokens["ann"])
    )
    assert account.status_code == 403


async def test_every_reply_says_how_long_it_may_be_kept_without_another(
    store: Store, world: World
) -> None:
    """Fourteen days unless the operator says otherwise."""
    for settings, days in ((Settings(), 14), (Settings(offline_days=3), 3)):
        transport = httpx.ASGITransport(app=create_app(settings, store=store))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            phone = await RawPhone.enrol(client, world.tokens["ann"])
            assert (await phone.sync())["purge_after_s"] == days * 86_400


@pytest.mark.parametrize("days", [0, 366, "x"])
def test_an_absence_of_no_days_or_of_more_than_a_year_is_no_setting(days: object) -> None:
    with pytest.raises(ValueError, match="offline_days"):
        Settings.model_validate({"offline_days": days})
