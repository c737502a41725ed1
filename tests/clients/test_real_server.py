"""Phones and a console against the running server, over sockets, on either database."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from sqlalchemy import Connection, update

from clients.console import Console, Refused
from clients.phone import Phone, SteppedClock
from clients.phone.faults import Fault, FaultyTransport
from server.clock import now_ms
from server.db.store import open_store
from server.db.tables import Assignment
from server.identity.queries import assign
from server.settings import Settings
from sync.mutation import Datum, Position
from sync.outcome import Outcome
from tests.server.live import live_server
from tests.simulation.city import Weather
from tests.world import World, build_world, centre_e7

pytestmark = pytest.mark.db


@dataclass
class Town:
    """A running server, the world in it, and the phones people carry."""

    url: str
    database_url: str
    world: World
    phones: list[Phone] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)
    weather: dict[int, Weather] = field(default_factory=dict)

    def phone(self, login: str) -> Phone:
        """Enrol a new phone of a worker."""
        weather = Weather()
        http = httpx.Client(transport=FaultyTransport(httpx.HTTPTransport(), weather))
        self.clients.append(http)
        clock = SteppedClock(wall_ms=now_ms(), uptime_ms=10**7, boot=f"b{len(self.phones)}")
        phone = Phone(":memory:", http, clock=clock, chance=random.Random(login))  # noqa: S311
        phone.enrol(self.url, self.world.tokens[login])
        self.weather[id(phone)] = weather
        self.phones.append(phone)
        return phone

    def console(self, login: str) -> Console:
        """Return the console of a person."""
        http = httpx.Client(base_url=self.url)
        self.clients.append(http)
        return Console(http, self.world.tokens[login])

    def move(self, login: str, grid: str) -> None:
        """End all of a worker's assignments and give them one grid."""
        account, area = self.world.accounts[login], self.world.grids[grid]

        def write(db: Connection) -> None:
            ended = update(Assignment).values(valid_to_ms=now_ms())
            db.execute(ended.where(Assignment.account_id == account))
            assign(db, account=account, area=area, now_ms=now_ms())

        async def run() -> None:
            store = open_store(self.database_url, allow_unsafe=True)
            await store.write(write)
            await store.close()

        asyncio.run(run())


@pytest.fixture
def town(database_url: str) -> Iterator[Town]:
    async def build() -> World:
        store = open_store(database_url, allow_unsafe=True)
        world = await build_world(store)
        await store.close()
        return world

    world = asyncio.run(build())
    settings = Settings(database_url=database_url, allow_unsafe=True)
    with live_server(settings) as live:
        made = Town(url=live.url, database_url=database_url, world=world)
        yield made
        for phone in made.phones:
            phone.close()
        for http in made.clients:
            http.close()


def test_a_first_sync_brings_the_grid_and_says_what_it_cost(town):
    phone = town.phone("ann")
    report = phone.sync()
    assert report.failure is None
    assert report.up_to_date
    assert {shown.kind for shown in phone.records()} >= {
        "grid",
        "class",
        "dwelling",
        "household",
    }
    assert f"grid:{town.world.grids['G1']}" in phone.digests()
    assert report.bytes_up > 0
    assert report.bytes_down > 500
    again = phone.sync()
    assert (again.round_trips, again.put, again.up_to_date) == (1, 0, True)


def test_two_phones_that_edit_one_household_agree_and_nobody_loses_a_word(town):
    ann, bob = town.phone("ann"), town.phone("bob")
    ann.sync()
    bob.sync()
    household = town.world.households["G1"]
    ann.edit(household, set={"contact_phone": "0001"}, add={"languages": ["yue"]})
    bob.edit(household, set={"contact_phone": "0002", "door": "7"})
    assert ann.sync().outcomes[1].outcome is Outcome.APPLIED
    assert bob.sync().outcomes[1].outcome is Outcome.CONFLICT
    assert ann.sync().up_to_date
    grid = f"grid:{town.world.grids['G1']}"
    assert ann.digests()[grid] == bob.digests()[grid]
    assert ann.held(household) == bob.held(household)
    conflicts = list(town.console("dispatcher").items("/v1/conflicts"))
    assert len(conflicts) == 1


def test_every_fault_of_the_network_ends_in_one_effect(town):
    phone = town.phone("ann")
    phone.sync()
    household = town.world.households["G1"]
    notes = set()
    for fault in Fault:
        notes.add(phone.create("note", set={"parent": household, "text": fault.value}))
        town.weather[id(phone)].coming.append(fault)
        phone.sync()
    report = phone.sync()
    assert report.failure is None
    assert report.up_to_date
    assert phone.pending() == []
    assert {shown.record for shown in phone.records("note")} == notes
    assert all(each.outcome is Outcome.APPLIED for each in phone.outcomes())


def test_a_report_goes_round_the_whole_loop(town):
    ann, console = town.phone("ann"), town.console("dispatcher")
    ann.sync()
    lon_e7, lat_e7 = centre_e7(0)
    place = Position(lon_e7=lon_e7, lat_e7=lat_e7, datum=Datum.WGS84, accuracy_cm=500)
    report = ann.create("report", set={"class": "0402", "text": "burst"}, position=place)
    assert ann.sync().outcomes[1].outcome is Outcome.APPLIED
    incident = console.get(f"/v1/reports/{report}")["incident"]
    path = f"/v1/incidents/{incident}"
    case = console.get(path)
    case = console.post(f"{path}/dispatch", {"assignee": "ann"}, rev=case["rev"])
    ann.sync()
    [task] = ann.records("task")
    ann.act(task.record, "start")
    ann.act(task.record, "finish", {"result": "pipe replaced"})
    assert ann.shown(task.record).state["status"] == "done"
    assert ann.sync().up_to_date
    assert console.get(path)["state"] == "handled"


def test_a_worker_who_is_moved_keeps_their_work_and_loses_the_records(town):
    bob = town.phone("bob")
    bob.sync()
    household = town.world.households["G1"]
    note = bob.create("note", set={"parent": household, "text": "seen before the move"})
    town.move("bob", "G3")
    report = bob.sync()
    assert report.failure is None
    assert report.up_to_date
    assert report.outcomes[1].outcome is not Outcome.INVALID
    assert bob.shown(household) is None
    assert bob.shown(note) is None
    assert bob.shown(town.world.households["G3"]) is not None
    assert [name for name in bob.digests() if name.startswith("grid:")] == [
        f"grid:{town.world.grids['G3']}"
    ]


def test_small_pages_and_long_batches_end_in_the_same_replica(town):
    ann, bob = town.phone("ann"), town.phone("bob")
    ann.sync()
    household = town.world.households["G1"]
    for number in range(210):
        ann.create("note", set={"parent": household, "text": f"{number}: {number**9}" * 10})
    report = ann.sync()
    assert report.up_to_date
    assert len(report.outcomes) == 210
    bob._store.keep_setting("page_bytes", 16_384)
    assert bob.sync().round_trips > 2
    assert bob.is_up_to_date()
    assert len(bob.records("note")) == 210


def test_damage_on_the_phone_is_noticed_and_repaired(town):
    ann = town.phone("ann")
    ann.sync()
    household = town.world.households["G1"]
    whole = ann.held(household)
    ann._store._db.execute("UPDATE record SET body = x'7b7d' WHERE id = ?", (household,))
    assert not ann.is_up_to_date()
    assert ann.sync().up_to_date
    assert ann.held(household) == whole


def test_a_new_identity_carries_the_outbox_to_the_server(town):
    ann = town.phone("ann")
    ann.sync()
    household = town.world.households["G1"]
    ann.edit(household, set={"door": "1"})
    ann.sync()
    ann.edit(household, set={"door": "2"})
    ann.enrol(town.url, town.world.tokens["ann"])
    report = ann.sync()
    assert list(report.outcomes) == [1]
    assert report.up_to_date
    assert ann.shown(household).state["door"] == "2"


def test_a_phone_handed_over_offline_credits_each_worker_once_the_other_is_accepted(town):
    ann, cat = town.phone("ann"), town.world.accounts["cat"]
    ann.sync()
    own = {"household": town.world.households["G1"], "outcome": "done"}
    other = {"household": town.world.households["G3"], "outcome": "done"}
    mine = ann.create("visit", set=own)
    ann.hand_over(cat)
    first, second = ann.create("visit", set=other), ann.create("visit", set=other)
    report = ann.sync()
    assert [each.code for each in report.outcomes.values()] == [
        None,
        "unknown-actor",
        "unknown-actor",
    ]
    assert [each.became for each in ann.ask_again().outcomes.values()] == [None, None]
    town.console("cat").post(f"/v1/devices/{ann.device}/actors", {})
    asked = ann.ask_again()
    assert {n: (each.outcome, each.became) for n, each in asked.outcomes.items()} == {
        2: (Outcome.HELD, "applied"),
        3: (Outcome.HELD, "applied"),
    }
    assert asked.up_to_date
    assert ann.pending() == []
    desk = town.console("dispatcher")
    seen = {
        each["id"]: each["visitor"]
        for household in (own["household"], other["household"])
        for each in desk.items(f"/v1/households/{household}/visits")
    }
    assert seen == {mine: town.world.accounts["ann"], first: cat, second: cat}
    assert ann.shown(mine) is not None


def test_a_phone_learns_that_the_office_released_or_refused_its_work(town):
    bob, desk = town.phone("bob"), town.console("dispatcher")
    bob.sync()
    far = {"dwelling": town.world.dwellings["G3"], "door": "7"}
    kept, dropped = bob.create("household", set=far), bob.create("household", set=far)
    bob.sync()
    desk.post(f"/v1/held/{bob.device}/1/release", {}, rev=1)
    desk.post(f"/v1/held/{bob.device}/2/refuse", {"text": "Not ours."}, rev=1)
    outcomes = bob.ask_again().outcomes
    assert {n: each.became for n, each in outcomes.items()} == {1: "applied", 2: "refused"}
    cat = town.phone("cat")
    cat.sync()
    assert cat.shown(kept).state["door"] == "7"
    assert cat.shown(dropped) is None


def test_a_console_is_told_what_it_may_not_do(town):
    with pytest.raises(Refused) as caught:
        town.console("analyst").get("/v1/sync/manifests/config")
    assert caught.value.status in {403, 404}
    assert caught.value.slug
