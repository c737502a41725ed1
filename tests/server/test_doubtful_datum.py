"""Positions that seem to be labelled with the wrong datum: they wait, and nothing is lost."""

from typing import Any

import httpx
import pytest

from geo.datum import from_wgs84
from server.clock import new_id
from server.db.store import Store
from server.replication.refold import refold
from tests.server.desk import Desk, pointers
from tests.server.phones import RawPhone, outcomes
from tests.world import World, centre_e7

pytestmark = [pytest.mark.anyio, pytest.mark.db]
E7 = 10**7


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


@pytest.fixture
async def ann(client: httpx.AsyncClient, world: World) -> RawPhone:
    return await RawPhone.enrol(client, world.tokens["ann"])


def measured(phone: RawPhone, true: str, label: str, index: int = 0) -> dict[str, Any]:
    """A report in the middle of a grid, by a map of datum `true` that says it is `label`."""
    lon_e7, lat_e7 = centre_e7(index)
    lon, lat = from_wgs84(lon_e7 / E7, lat_e7 / E7, true)
    made = phone.report(round(lon * E7), round(lat * E7))
    made["position"]["datum"] = label
    return made


def path(phone: RawPhone, n: int, act: str = "") -> str:
    return f"/v1/held/{phone.id}/{n}{act}"


async def test_a_wrong_label_waits_with_a_proposal_and_counts_as_a_person_says(
    desk: Desk, ann: RawPhone, store: Store, world: World
) -> None:
    wrong, right, other = (
        measured(ann, "bd09", "wgs84"),
        measured(ann, "bd09", "bd09"),
        measured(ann, "gcj02", "cgcs2000"),
    )
    reply = await ann.sync([wrong, right, other])
    assert outcomes(reply) == {1: "held", 3: "held"}
    assert {each["code"] for each in reply["outcomes"]} == {"doubtful-datum"}
    listed = await desk.items("/v1/held", "admin", code="doubtful-datum")
    assert [(each["n"], each["proposed_datum"], each["field"]) for each in listed] == [
        (3, "gcj02", "position"),
        (1, "bd09", "position"),
    ]
    shown = (await desk.get(path(ann, 1), "dispatcher")).json()
    assert (shown["proposed_datum"], shown["body"]["position"]) == ("bd09", wrong["position"])
    # Corrected: it lies where the worker stood, and what was received is kept beside it.
    corrected = {"text": "A map of BD-09", "correction": {"datum": "bd09"}}
    done = await desk.done(path(ann, 1, "/release"), "dispatcher", corrected, rev=1)
    assert (done["became"], done["proposed_datum"]) == ("applied", None)
    report = (await desk.get(f"/v1/reports/{wrong['record']}", "dispatcher")).json()
    lon_e7, lat_e7 = centre_e7(0)
    assert (report["lon"], report["lat"]) == pytest.approx((lon_e7 / E7, lat_e7 / E7), abs=2e-7)
    assert (report["grid"], report["datum"]) == (world.grids["G1"], "bd09")
    assert report["measured"] == {
        "lon": wrong["position"]["lon_e7"] / E7,
        "lat": wrong["position"]["lat_e7"] / E7,
        "datum": "wgs84",
        "accuracy_m": 5.0,
    }
    # As it was sent: the worker truly was beside the own grids.
    as_sent = await desk.done(path(ann, 3, "/release"), "admin", {}, rev=1)
    assert as_sent["became"] == "applied"
    beside = (await desk.get(f"/v1/reports/{other['record']}", "dispatcher")).json()
    assert (beside["datum"], beside["measured"]["datum"]) == ("cgcs2000", "cgcs2000")
    assert beside["lon"] == pytest.approx(other["position"]["lon_e7"] / E7)
    assert await store.read(lambda db: list(refold(db))) == []


async def test_what_hangs_on_it_waits_with_it_and_follows(desk: Desk, ann: RawPhone) -> None:
    seen = measured(ann, "bd09", "wgs84")
    note = ann.change(new_id(), "note", 0, set={"parent": seen["record"], "text": "Smells."})
    assert outcomes(await ann.sync([seen, note])) == {1: "held", 2: "held"}
    await desk.done(
        path(ann, 1, "/release"), "dispatcher", {"correction": {"datum": "bd09"}}, rev=1
    )
    assert await desk.items("/v1/held", "dispatcher", status="open") == []
    (followed,) = await desk.items("/v1/held", "dispatcher", code="unknown-parent")
    assert (followed["became"], followed["why"]) == ("applied", "arrived")


async def test_only_new_places_of_phones_beside_own_ground_are_doubted(
    desk: Desk, ann: RawPhone, world: World
) -> None:
    cat = await RawPhone.enrol(desk.client, world.tokens["cat"])
    far = ann.report(1_160_000_000, 399_000_000)
    near = measured(ann, "wgs84", "wgs84", index=1)  # in the grid of a colleague, as said
    assert outcomes(await ann.sync([far, near])) == {}
    # Ann on Cat's phone: measured from Ann's own grid.
    hers = measured(cat, "bd09", "wgs84") | {"actor": world.accounts["ann"]}
    accepted = await desk.client.post(
        f"/v1/devices/{cat.id}/actors",
        headers={"authorization": f"Bearer {world.tokens['ann']}"},
    )
    assert accepted.status_code == 200, accepted.text
    reply = await cat.sync([hers])
    assert [each.get("code") for each in reply["outcomes"]] == ["doubtful-datum"]
    (row,) = await desk.items("/v1/held", "dispatcher", status="open")
    assert row["proposed_datum"] == "bd09"
    # An office that takes a report in by telephone is not asked.
    lon_e7, lat_e7 = centre_e7(0)
    lon, lat = from_wgs84(lon_e7 / E7, lat_e7 / E7, "bd09")
    taken = {"class": "0102", "channel": "hotline", "position": {"lon": lon, "lat": lat}}
    await desk.done("/v1/reports", "dispatcher", taken)
    # A datum belongs to a position.
    visit = cat.change(new_id(), "visit", 0, set={"household": new_id(), "outcome": "done"})
    assert outcomes(await cat.sync([visit])) == {2: "held"}
    wrong = {"correction": {"datum": "bd09"}}
    refused = await desk.post(path(cat, 2, "/release"), "dispatcher", wrong, rev=1)
    assert pointers(refused) == ["/correction/datum"]
