"""A phone that hears nothing drops what it holds by itself, and keeps its outbox."""

import random

import pytest

from clients.phone import Phone, SteppedClock
from sync.outcome import Outcome
from tests.clients.lookups import household_of
from tests.simulation.model import START_MS

DAY_MS = 86_400_000
DAY_S = 86_400
CANARY = "canary-7f31"


@pytest.fixture
def clock():
    return SteppedClock(wall_ms=START_MS, uptime_ms=50_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "phone.sqlite"


@pytest.fixture
def phone(city, clock, path):
    city.server.purge_after_s = 14 * DAY_S
    made = open_phone(city, clock, path)
    made.enrol("", city.handsets[0].worker)
    assert made.sync().up_to_date
    yield made
    made.close()


def open_phone(city, clock, path):
    http = city.handsets[0].http
    return Phone(path, http, clock=clock, chance=random.Random(3))  # noqa: S311


def test_a_day_before_everything_is_there_and_then_nothing_but_the_configuration(phone, clock):
    held = phone.bodies()
    clock.advance(14 * DAY_MS - 1)
    assert phone.bodies() == held
    assert phone.is_up_to_date()
    clock.advance(1)
    assert {each.kind for each in phone.holdings()} == {"class"}
    assert [each.id for each in phone.followed()] == ["config"]
    assert not phone.is_up_to_date()


def test_a_phone_that_starts_again_drops_before_anybody_looks(city, phone, clock, path):
    household = household_of(city.handsets[0]) if city.handsets[0].phone.sync() else ""
    phone.edit(household, set={"contact_phone": CANARY})
    phone.sync()
    phone.close()
    assert any(CANARY.encode() in each.read_bytes() for each in path.parent.iterdir())
    clock.advance(20 * DAY_MS)
    clock.reboot("boot-2")
    again = open_phone(city, clock, path)
    again.close()
    assert not any(CANARY.encode() in each.read_bytes() for each in path.parent.iterdir())


def test_what_waits_is_kept_and_counts_at_the_next_contact(city, phone, clock):
    household = phone.records("household")[0].record
    note = phone.create("note", set={"parent": household, "text": "seen"})
    phone.edit(household, set={"door": "7"})
    clock.advance(15 * DAY_MS)
    city.server.now_ms += 15 * DAY_MS
    assert phone.shown(household) is None
    assert phone.pending() == [1, 2]
    assert phone.shown(note).state["text"] == "seen"
    report = phone.sync()
    assert {each.outcome for each in report.outcomes.values()} == {Outcome.APPLIED}
    assert report.up_to_date
    assert phone.shown(household).state["door"] == "7"


def test_every_reply_begins_the_time_anew(city, phone, clock):
    for _ in range(4):
        clock.advance(10 * DAY_MS)
        city.server.now_ms += 10 * DAY_MS
        assert phone.sync().up_to_date
    assert len(phone.bodies()) > 5


def test_a_failed_contact_does_not(city, phone, clock):
    city.server.devices.clear()
    clock.advance(10 * DAY_MS)
    assert phone.sync().failure is not None
    clock.advance(4 * DAY_MS)
    assert {each.kind for each in phone.holdings()} == {"class"}


def test_setting_the_clock_back_gains_nothing_while_the_phone_runs(phone, clock):
    clock.advance(13 * DAY_MS)
    clock.set_wall(START_MS)
    clock.advance(DAY_MS)
    assert {each.kind for each in phone.holdings()} == {"class"}


def test_restarts_with_the_clock_set_back_add_up(phone, clock):
    for boot in range(14):
        clock.reboot(f"again-{boot}")
        clock.set_wall(START_MS)
        clock.advance(DAY_MS)
        phone.bodies()
    assert {each.kind for each in phone.holdings()} == {"class"}


def test_settled_work_is_forgotten_when_its_own_time_is_over(city, phone, clock):
    city.server.purge_after_s = DAY_S
    household = phone.records("household")[0].record
    phone.edit(household, set={"door": "7"})
    phone.sync()
    clock.advance(2 * DAY_MS)
    assert phone.shown(household) is None
    assert [each.n for each in phone.outcomes()] == [1]
    clock.advance(13 * DAY_MS)
    assert phone.bodies().keys() == {each.record for each in phone.records("class")}
    assert phone.outcomes() == []


def test_a_server_that_says_nothing_of_it_lets_the_phone_keep_everything(city, phone, clock):
    city.server.purge_after_s = None
    phone.sync()
    held = phone.bodies()
    clock.advance(1_000 * DAY_MS)
    assert phone.bodies() == held


def test_the_time_is_the_servers_also_if_it_is_none_at_all(city, phone):
    city.server.purge_after_s = 0
    phone.sync()
    assert {each.kind for each in phone.holdings()} == {"class"}
