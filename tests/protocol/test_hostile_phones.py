"""Phones whose numbers, clocks, identity or places are broken."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from server.clock import new_id, now_ms
from server.db.store import Store
from server.db.tables import Account, MutationRow
from tests.protocol.witness import Witness
from tests.server.phones import RawPhone, bearer, clock, held, outcomes
from tests.world import E7, LAT, LON, STEP, World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
LIMIT = 2**53


def note(phone: RawPhone, world: World, **members: Any) -> dict[str, Any]:
    """The phone's next note about the household of G1."""
    said = {"parent": world.households["G1"], "text": "seen"}
    return phone.change(new_id(), "note", 0, set=said) | members


def codes(reply: dict[str, Any]) -> list[tuple[int, str, str | None]]:
    """n, outcome and code of what the reply lists, in its order."""
    return [(each["n"], each["outcome"], each.get("code")) for each in reply["outcomes"]]


async def test_numbers_out_of_order_wait_and_replays_are_answered_beside_them(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    notes = [note(phone, world) for _ in range(6)]
    first, second, third, fourth, *_ = notes
    huge = note(phone, world, n=LIMIT)
    reply = await phone.sync([second, first])
    assert codes(reply) == [(2, "retry", "gap"), (1, "retry", "after-gap")]
    assert reply["settled_through"] == 0
    reply = await phone.sync([first, first, second, huge, third])
    assert codes(reply) == [
        (1, "applied", None),
        (LIMIT, "retry", "gap"),
        (3, "retry", "after-gap"),
    ]
    reply = await phone.sync([second, third, first, fourth])
    assert codes(reply) == [(2, "applied", None), (1, "applied", None)]
    assert [each.get("replayed") for each in reply["outcomes"]] == [True, True]
    assert reply["settled_through"] == 4
    await witness.unchanged()


async def test_a_gap_stops_a_batch_that_is_stored_in_several_parts(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    notes = [note(phone, world) for _ in range(200)]
    late = notes.pop(50)
    notes.insert(120, late)
    reply = await phone.sync(notes)
    assert reply["settled_through"] == 50
    found = dict(zip(range(51, 201), ["retry"] * 150, strict=True))
    assert outcomes(reply) == found
    reply = await phone.sync(sorted(notes, key=lambda each: int(each["n"])))
    assert reply["settled_through"] == 200
    await witness.unchanged()


async def test_a_number_used_twice_flags_the_phone_and_applies_once(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    one = note(phone, world)
    other = one | {"record": new_id()}
    after = note(phone, world)
    reply = await phone.sync([one, other, after])
    assert codes(reply) == [(1, "quarantined", "reused-n"), (2, "quarantined", "reused-n")]
    items = held(reply)
    assert one["record"] in items
    assert not {other["record"], after["record"]} & items.keys()
    reply = await phone.sync([note(phone, world), one])
    assert [each[1] for each in codes(reply)] == ["quarantined", "applied"]
    await witness.unchanged()


async def test_the_last_number_may_be_told_wrongly(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    for told in (0, LIMIT, 1, 0):
        answer = await phone.post(phone.body([note(phone, world)], last_n=told))
        assert answer.status_code == 200
        assert answer.json()["outcomes"] == []
    await witness.unchanged()


SENT = (
    clock(),
    clock(uptime_ms=0, wall_ms=0),
    clock(uptime_ms=0) | {"wall": "9999-12-31T23:59:59.999Z"},
    clock(uptime_ms=LIMIT) | {"wall": "0001-01-01T00:00:00Z"},
    clock(boot="😀" * 64) | {"wall": "2026-11-23t08:00:60+23:59"},
    clock(uptime_ms=LIMIT, boot="other"),
    clock(uptime_ms=-5) | {"wall": "1970-01-01T00:00:00-23:59"},
    clock(boot=""),
)


async def test_no_clock_is_a_reason_to_refuse_work(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    for sent in SENT:
        batch = [note(phone, world, clock=each) for each in SENT]
        answer = await phone.post(phone.body(batch, clock=sent))
        assert answer.status_code == 200, answer.text
        assert answer.json()["outcomes"] == []
    columns = select(MutationRow.n, MutationRow.at_ms, MutationRow.received_ms)
    stored = await store.read(
        lambda db: db.execute(columns.where(MutationRow.device_id == phone.id)).all()
    )
    times = [row.at_ms for row in sorted(stored, key=lambda row: int(row.n))]
    assert times == sorted(times)
    assert all(row.at_ms <= row.received_ms <= now_ms() for row in stored)
    await witness.unchanged()


async def test_work_is_not_dated_back_before_an_earlier_contact(
    client: httpx.AsyncClient, store: Store, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    before = now_ms()
    await phone.sync()
    early = clock(boot="old", wall_ms=0)
    stamped = note(phone, world, clock=early)
    await phone.sync([stamped])
    columns = select(MutationRow.at_ms, MutationRow.quality)
    (row,) = await store.read(
        lambda db: db.execute(columns.where(MutationRow.device_id == phone.id)).all()
    )
    assert row.at_ms >= before
    assert row.quality == "clamped"


async def test_two_phones_with_one_identity_are_found_out(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await phone.sync()
    clone = RawPhone(client=client, id=phone.id, token=phone.token, lease=phone.lease)
    await phone.sync([note(phone, world)])
    await phone.sync([note(phone, world)])
    stolen = note(clone, world)
    answer = await clone.post(clone.body([stolen]))
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("stale-lease")
    for lease in ("", "x", new_id(), "租" * 200):
        refused = await clone.post(clone.body([stolen], lease=lease))
        assert refused.status_code == (400 if lease == "" else 403), lease
    assert outcomes(await phone.sync([note(phone, world)])) == {}
    await witness.unchanged()


async def test_a_revoked_phone_is_answered_and_changes_nothing(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    first = await phone.sync()
    settled = note(phone, world)
    await phone.sync([settled])
    after = await witness.again()
    await client.post(f"/v1/devices/{phone.id}/revoke", headers=bearer(world.tokens["admin"]))
    listed = [page["id"] for page in first["buckets"]]
    for _ in range(2):
        batch = [settled, note(phone, world), note(phone, world, record="x")]
        reply = (await phone.post(phone.body(batch))).json()
        assert [each[1] for each in codes(reply)][:2] == ["applied", "quarantined"]
        assert set(reply["scope"]["leave"]) >= set(listed)
        assert reply["scope"]["enter"] == reply["buckets"] == []
        phone.last_n -= 2
    for call in (
        client.get("/v1/sync/wait?timeout_s=1", headers=bearer(phone.token)),
        client.get("/v1/sync/manifests/config", headers=bearer(phone.token)),
        client.post("/v1/sync/records", json={"records": []}, headers=bearer(phone.token)),
    ):
        assert (await call).status_code == 403
    now = await witness.again()
    assert now.records == after.records
    await after.unchanged()


async def test_a_phone_of_a_closed_account_is_not_let_in(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    await store.write(
        lambda db: db.execute(
            update(Account).where(Account.id == world.accounts["ann"]).values(active=False)
        )
    )
    assert (await phone.post(phone.body([note(phone, world)]))).status_code == 401
    await witness.nothing_new()


async def test_an_actor_is_never_told_whether_an_account_exists(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    batch = [
        note(phone, world, actor=each)
        for each in (new_id(), world.accounts["bob"], world.accounts["cat"])
    ]
    reply = await phone.sync(batch)
    assert {each[1:] for each in codes(reply)} == {("held", "unknown-actor")}
    await witness.unchanged()


async def test_every_place_on_earth_takes_a_report(
    client: httpx.AsyncClient, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    border = (round((LON + STEP) * E7), round((LAT + STEP / 2) * E7))
    corner = (round((LON + STEP) * E7), round(LAT * E7))
    places = {
        "border": border,
        "corner": corner,
        "elsewhere": centre_e7(3),
        "north pole": (0, 900_000_000),
        "south pole": (-1_800_000_000, -900_000_000),
        "antimeridian": (1_800_000_000, 0),
        "null island": (0, 0),
        "edge of the box": (720_040_000, 8_293_000),
        "far edge of the box": (1_378_347_000, 558_271_000),
    }
    batch = []
    for lon_e7, lat_e7 in places.values():
        for datum in ("wgs84", "cgcs2000", "gcj02", "bd09"):
            for accuracy_cm in (0, 100_000_000):
                report = phone.report(lon_e7, lat_e7)
                report["position"] |= {"datum": datum, "accuracy_cm": accuracy_cm}
                batch.append(report)
    answer = await phone.post(phone.body(batch))
    assert answer.status_code == 200, answer.text
    waiting = answer.json()["outcomes"]
    assert {(each["outcome"], each["code"]) for each in waiting} == {("held", "doubtful-datum")}
    shifted = {"gcj02", "bd09"}  # Beside the own grids, if they truly are of that datum.
    assert {batch[each["n"] - 1]["position"]["datum"] for each in waiting} == shifted
    made = {item["record"]: item["state"] for item in held(await phone.sync()).values()}
    for report in batch:
        state = made.get(report["record"])
        if state is not None:
            assert abs(state["lon_e7"]) <= 1_800_000_000
            assert abs(state["lat_e7"]) <= 900_000_000
    again = await phone.post(phone.body(batch))
    doubted = {each["n"] for each in waiting}
    for each in again.json()["outcomes"]:
        assert each["outcome"] == ("held" if each["n"] in doubted else "applied")
    await witness.unchanged()
    for layer in ("incidents", "grids", "tasks"):
        shown = await client.get(f"/v1/layers/{layer}", headers=bearer(world.tokens["analyst"]))
        assert shown.status_code == 200, shown.text


async def test_the_same_border_is_always_in_the_same_grid(
    client: httpx.AsyncClient, world: World
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["bob"])
    border = (round((LON + STEP) * E7), round((LAT + STEP / 2) * E7))
    batch = [phone.report(*border) for _ in range(3)]
    items = held(await phone.sync(batch))
    assert {items[each["record"]]["state"]["grid"] for each in batch} == {world.grids["G1"]}


async def test_contacts_at_the_same_time_settle_each_number_once(
    client: httpx.AsyncClient, store: Store, world: World, witness: Witness
) -> None:
    phone = await RawPhone.enrol(client, world.tokens["ann"])
    notes = [note(phone, world) for _ in range(12)]
    bodies = [phone.body(notes[: 3 * (each % 4) + 3]) for each in range(8)]
    answers = await asyncio.gather(*(phone.post(body) for body in bodies))
    for answer in answers:
        assert answer.status_code in {200, 503}
        assert answer.status_code == 200 or "retry-after" in answer.headers
    rows = await store.read(
        lambda db: db.execute(
            select(MutationRow.n).where(MutationRow.device_id == phone.id)
        ).all()
    )
    assert sorted(row.n for row in rows) == list(range(1, 13))
    assert len((await witness.again()).records) == len(witness.records) + 12
    await witness.unchanged()
