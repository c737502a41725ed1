"""Looking at what is masked: for a purpose it is held for, noted before, and counted."""

from typing import Any

import httpx
import pytest

from server.app import create_app
from server.db.store import Store
from server.settings import Limits, Settings
from tests.server.desk import Desk, pointers, told
from tests.server.numbers import Numbers, id_card, kept, residents, revealed
from tests.server.test_access_log import entries
from tests.server.test_masking import HOME_PHONE, NAME, OTHER_PHONE, PHONE, filled
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.db]
WHY = {"purpose": "visits", "reason": "They asked to be called back."}


@pytest.fixture
def desk(client: httpx.AsyncClient, world: World) -> Desk:
    return Desk(client, world)


def asking(*fields: str, **change: Any) -> dict[str, Any]:
    return {**WHY, "fields": list(fields), **change}


async def test_a_look_is_answered_with_the_whole_values_and_noted_with_why(
    desk: Desk, world: World, store: Store
) -> None:
    home = world.households["G1"]
    resident, ann, _ = await filled(desk, world)
    whole = await desk.done(
        f"/v1/records/{resident}/reveal", "ann", asking("name", "phone", "name")
    )
    assert whole["values"] == {"name": NAME, "phone": PHONE}
    assert (whole["kind"], whole["contested"]) == ("resident", {})
    home_path = f"/v1/records/{home}/reveal"
    number = await desk.done(home_path, "dispatcher", asking("contact_phone"))
    assert set(number["contested"]["contact_phone"]) == {HOME_PHONE, OTHER_PHONE}
    assert number["values"]["contact_phone"] in {HOME_PHONE, OTHER_PHONE}
    waits = await desk.done(f"/v1/held/{ann.id}/3/reveal", "dispatcher", WHY)
    assert waits["body"]["set"] == {"name": NAME, "phone": PHONE}
    found = [each for each in await entries(store) if each.act == "reveal"]
    assert [(each.kind, each.records, each.fields) for each in found] == [
        ("resident", f'["{resident}"]', '["name", "phone"]'),
        ("household", f'["{home}"]', '["contact_phone"]'),
        ("resident", f'["{resident}"]', '["name", "phone"]'),
    ]
    assert {(each.purpose, each.reason) for each in found} == {tuple(WHY.values())}
    about = await desk.items("/v1/access-log", "admin", record=resident)
    assert [each["fields"] for each in about] == [["name", "phone"]] * 2
    assert about[0]["reason"] == WHY["reason"]


async def test_what_is_not_allowed_shows_nothing_and_is_not_noted(
    desk: Desk, world: World, store: Store
) -> None:
    resident, ann, _ = await filled(desk, world)
    path = f"/v1/records/{resident}/reveal"
    before = len(await entries(store))
    for login in ("analyst", "admin"):
        assert told(await desk.post(path, login, asking("name"))) == (403, "forbidden")
    for login in ("dispatcher-n2", "cat"):
        assert told(await desk.post(path, login, asking("name"))) == (404, "not-found")
    held = f"/v1/held/{ann.id}/3/reveal"
    assert told(await desk.post(held, "dispatcher-n2", WHY)) == (404, "not-found")
    assert told(await desk.post(held, "ann", WHY)) == (403, "forbidden")
    refused = {
        "/fields/1": asking("name", "birth_year"),
        "/purpose": asking("name", "phone", purpose="registry"),
        "/reason": asking("name", reason=" "),
        "/fields": asking(),
        "/more": asking("name", more=1),
    }
    for pointer, body in refused.items():
        assert pointers(await desk.post(path, "ann", body)) == [pointer]
    for purpose in ("casework", "curiosity"):
        assert pointers(await desk.post(path, "ann", asking("name", purpose=purpose))) == [
            "/purpose"
        ]
    grid = f"/v1/records/{world.grids['G1']}/reveal"
    assert pointers(await desk.post(grid, "dispatcher", asking("name"))) == ["/fields/0"]
    only = await desk.done(path, "ann", asking("name", purpose="registry"))
    assert only["values"] == {"name": NAME}
    assert len(await entries(store)) == before + 1


async def test_nobody_looks_more_often_than_the_day_and_the_minute_allow(
    store: Store, world: World, tmp_path: Any
) -> None:
    (resident,) = await residents(store, world, "G1")
    path = f"/v1/records/{resident}/reveal"

    def app(**limits: int) -> Any:
        settings = Numbers(tmp_path).settings(limits=Limits(**limits))
        assert isinstance(settings, Settings)
        transport = httpx.ASGITransport(app=create_app(settings, store=store))
        return httpx.AsyncClient(transport=transport, base_url="http://test")

    async with app(contact_reveals=2, reveals=1) as client:
        desk = Desk(client, world)
        await kept(desk, resident, id_card(1))
        await desk.done(path, "dispatcher", asking("name"))
        await desk.done(path, "dispatcher", asking("name"))
        refused = await desk.post(path, "dispatcher", asking("name"))
        assert told(refused) == (429, "quota-exceeded")
        assert int(refused.headers["retry-after"]) >= 60
        await desk.done(path, "ann", asking("name"))
        assert await revealed(desk, resident) == id_card(1)
    looks = [each for each in await entries(store) if each.act == "reveal"]
    assert len(looks) == 4
    async with app(reveals_a_minute=2) as client:
        desk = Desk(client, world)
        answers = [await desk.post(path, "bob", asking("name")) for _ in range(5)]
        # Two in each minute; the five may lie in two of them.
        assert 2 <= [each.status_code for each in answers].count(200) <= 4
        (policy,) = {
            each.headers["ratelimit-policy"] for each in answers if each.status_code == 429
        }
        assert policy == '"caller";q=2;w=60'
