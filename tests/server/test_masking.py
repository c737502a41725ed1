"""Names and telephone numbers are masked in every answer, whoever asks; on both stores."""

import json
from typing import Any

import httpx
import pytest

from server.clock import new_id
from server.db.store import Store
from tests.server.desk import Desk, pointers
from tests.server.phones import RawPhone, held, outcomes
from tests.server.test_access_log import entries
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
HOME_PHONE, OTHER_PHONE, PHONE = "13900007777", "13900008888", "13900009999"
NAME = "王秘密明"
SECRET = (HOME_PHONE, OTHER_PHONE, PHONE, "秘密")


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


async def filled(desk: Desk, world: World) -> tuple[str, RawPhone, RawPhone]:
    """A resident, two numbers in conflict, and work that waits, all with secrets in them."""
    home = world.households["G1"]
    ann, bob = [await RawPhone.enrol(desk.client, world.tokens[who]) for who in ("ann", "bob")]
    resident = new_id()
    said = {"household": home, "name": NAME, "phone": PHONE}
    made = ann.change(resident, "resident", 0, set=said)
    number = ann.change(home, "household", 1, set={"contact_phone": HOME_PHONE})
    waits = ann.change(
        resident, "resident", 1, set={"name": NAME, "phone": PHONE}, actor=new_id()
    )
    assert outcomes(await ann.sync([made, number, waits])) == {3: "held"}
    later = bob.change(home, "household", 1, set={"contact_phone": OTHER_PHONE})
    assert outcomes(await bob.sync([later])) == {1: "conflict"}
    return resident, ann, bob


async def test_no_answer_tells_a_name_or_a_number_and_the_phone_has_both(
    desk: Desk, world: World
) -> None:
    home = world.households["G1"]
    resident, ann, _ = await filled(desk, world)
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    seen: dict[str, Any] = {}
    for login in ("dispatcher", "ann"):
        for path in (
            "/v1/households",
            f"/v1/households/{home}",
            f"/v1/households/{home}/residents",
            f"/v1/residents/{resident}",
        ):
            seen[path] = (await desk.get(path, login)).json()
        for asked in (HOME_PHONE, OTHER_PHONE, PHONE, NAME):
            answer = await desk.post("/v1/households/search", login, {"q": asked})
            seen[f"{login} {asked[-1]}"] = answer.json()
    for path in (
        f"/v1/records/{resident}/history?values=true",
        f"/v1/records/{home}/history?values=true",
        "/v1/conflicts",
        f"/v1/conflicts/{conflict['id']}",
        "/v1/held",
        f"/v1/held/{ann.id}/3",
    ):
        seen[path] = (await desk.get(path, "dispatcher")).json()
    said = json.dumps(seen, ensure_ascii=False)
    assert [secret for secret in SECRET if secret in said] == []
    shown = seen[f"/v1/residents/{resident}"]
    assert (shown["name"], shown["phone"]) == ("王*明", "139****9999")
    waits = seen[f"/v1/held/{ann.id}/3"]["body"]["set"]
    assert waits == {"name": "王*明", "phone": "139****9999"}
    (first, *_) = seen[f"/v1/records/{resident}/history?values=true"]["items"]
    assert first["asked"]["set"]["name"] == "王*明"
    assert {each["value"] for each in conflict["values"]} == {"139****7777", "139****8888"}
    taken = await desk.done(
        f"/v1/conflicts/{conflict['id']}/take-other", "dispatcher", {}, rev=conflict["rev"]
    )
    assert taken["chosen"] in {"139****7777", "139****8888"}
    fresh = await RawPhone.enrol(desk.client, world.tokens["bob"])
    states = held(await fresh.sync())
    assert states[home]["state"]["contact_phone"] in {HOME_PHONE, OTHER_PHONE}
    assert (states[resident]["state"]["name"], states[resident]["state"]["phone"]) == (
        NAME,
        PHONE,
    )


async def test_conflicts_waiting_work_and_single_reads_of_casework_are_noted(
    desk: Desk, world: World, store: Store
) -> None:
    home = world.households["G1"]
    resident, ann, _ = await filled(desk, world)
    report = new_id()
    said = {"class": "0102", "text": "Beside the door of the Wus", "grid": world.grids["G1"]}
    made = await desk.done("/v1/reports", "dispatcher", {**said, "id": report})
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher")
    for path in (
        f"/v1/conflicts/{conflict['id']}",
        f"/v1/held/{ann.id}/3",
        f"/v1/reports/{report}",
        f"/v1/incidents/{made['incident']}",
    ):
        assert (await desk.get(path, "dispatcher")).status_code == 200
    assert (await desk.get(f"/v1/held/{ann.id}/3", "admin")).json()["body"] is None
    found = [(each.act, each.kind, json.loads(each.records)) for each in await entries(store)]
    assert found == [
        ("list", "conflict", [home]),
        ("read", "conflict", [home]),
        ("read", "held", [resident]),
        ("read", "report", [report]),
        ("read", "incident", [made["incident"], report]),
    ]


async def test_a_masked_value_never_takes_the_place_of_the_real_one(
    desk: Desk, world: World
) -> None:
    home = world.households["G1"]
    resident, ann, bob = await filled(desk, world)
    path = f"/v1/residents/{resident}"
    shown = (await desk.get(path, "dispatcher")).json()
    sent = {"name": shown["name"], "phone": shown["phone"], "birth_year": 1980}
    refused = await desk.patch(path, "dispatcher", sent, rev=shown["rev"])
    assert sorted(pointers(refused)) == ["/name", "/phone"]
    assert "masked" in refused.json()["errors"][0]["reason"]
    whole = (await desk.get(f"/v1/households/{home}", "ann")).json()
    number = {"contact_phone": whole["contact_phone"]}
    refused = await desk.patch(f"/v1/households/{home}", "ann", number, rev=whole["rev"])
    assert pointers(refused) == ["/contact_phone"]
    made = {"dwelling": world.dwellings["G1"], "contact_phone": "139****7777"}
    assert pointers(await desk.post("/v1/households", "ann", made)) == ["/contact_phone"]
    (conflict,) = await desk.items("/v1/conflicts", "dispatcher", status="open")
    chosen = {"value": conflict["live"]}
    settle = f"/v1/conflicts/{conflict['id']}/resolve"
    refused = await desk.post(settle, "dispatcher", chosen, rev=conflict["rev"])
    assert pointers(refused) == ["/value"]
    waits = (await desk.get(f"/v1/held/{ann.id}/3", "dispatcher")).json()
    correction = {"correction": {"set": waits["body"]["set"]}}
    release = f"/v1/held/{ann.id}/3/release"
    refused = await desk.post(release, "dispatcher", correction, rev=waits["version"])
    assert sorted(pointers(refused)) == ["/correction/set/name", "/correction/set/phone"]
    year = await desk.patch(path, "dispatcher", {"birth_year": 1980}, rev=shown["rev"])
    assert year.status_code == 200, year.text
    state = held(await bob.sync())[resident]["state"]
    assert (state["name"], state["phone"], state["birth_year"]) == (NAME, PHONE, 1980)
