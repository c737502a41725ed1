"""An app is updated while work waits in its file, and meets servers of other versions."""

import json
import random
import sqlite3
from pathlib import Path

import pytest

from clients.phone import Phone, SteppedClock
from clients.phone.schema import STEPS
from sync.canonical import canonical, record_hash
from sync.conversions import renamed
from sync.outcome import Code, Outcome
from sync.versions import SCHEMAS, Schemas
from tests.clients.lookups import household_of, requests_of
from tests.simulation.city import Handset
from tests.simulation.model import START_MS

RECORDED = Path(__file__).parent / "recorded"
FILES = sorted(each.stem for each in RECORDED.glob("phone-*.sql"))
HOUSEHOLD = "00000000-0000-7000-9000-000000000003"


def open_old(name: str, path: Path, handset: Handset) -> Phone:
    """The file of a released app, opened by this one."""
    db = sqlite3.connect(path)
    db.executescript((RECORDED / f"{name}.sql").read_text())
    db.close()
    clock = SteppedClock(wall_ms=START_MS + 600_000, boot="boot-0-0", uptime_ms=600_000)
    return Phone(path, handset.http, clock=clock, chance=random.Random(7))  # noqa: S311


def raw(path: Path, statement: str) -> list[tuple]:
    db = sqlite3.connect(path)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_an_older_app_is_kept_byte_for_byte(name, tmp_path, city):
    path = tmp_path / "phone.sqlite"
    phone = open_old(name, path, city.handsets[0])
    bodies, waiting = phone.bodies(), phone.pending()
    queue = raw(path, "SELECT n, body FROM mutation ORDER BY n")
    phone.close()
    text = (RECORDED / f"{name}.sql").read_text()
    assert len(bodies) > 5
    assert waiting == list(range(1, 11))
    assert all(body.hex().upper() in text for body in bodies.values())
    assert all(body.hex().upper() in text for _, body in queue)
    assert raw(path, "PRAGMA user_version") == [(len(STEPS),)]


@pytest.mark.parametrize("name", FILES)
def test_members_that_an_app_does_not_know_stay_and_are_part_of_the_digest(
    name, tmp_path, city
):
    phone = open_old(name, tmp_path / "phone.sqlite", city.handsets[0])
    held = phone.held(HOUSEHOLD)
    state = json.loads(held.body)["state"]
    assert state["heating"] == {"kind": "district", "since": 1998}
    assert record_hash(held.body) == held.hash
    assert phone.is_up_to_date()
    assert phone.shown(HOUSEHOLD).state["heating"] == state["heating"]
    assert phone.shown(HOUSEHOLD).state["door"] == "7"
    phone.close()


@pytest.mark.parametrize("name", FILES)
def test_what_waited_through_the_update_is_sent_as_it_was_and_counts(name, tmp_path, city):
    path = tmp_path / "phone.sqlite"
    ann = city.handsets[0]
    city.advance(600_000)
    ann.phone.sync()
    phone = open_old(name, path, ann)
    queue = [body for (body,) in raw(path, "SELECT body FROM mutation ORDER BY n")]
    phone.enrol("", ann.worker)
    report = phone.sync()
    assert phone.pending() == []
    assert {each.outcome for each in report.outcomes.values()} == {Outcome.APPLIED}
    sent = [each for request in requests_of(city) for each in request["mutations"]]
    assert [canonical(each) for each in sent] == queue
    phone.close()


def test_the_queue_keeps_members_this_app_does_not_know_under_a_new_identity(city, tmp_path):
    """The app went back to an older one, and then the phone needed a new identity."""
    ann = city.handsets[0]
    clock = SteppedClock(wall_ms=START_MS)
    path = tmp_path / "phone.sqlite"
    phone = Phone(path, ann.http, clock=clock, chance=random.Random(1))  # noqa: S311
    phone.enrol("", ann.worker)
    phone.sync()
    household = household_of(ann) if ann.phone.sync().up_to_date else ""
    phone.edit(household, set={"door": "7"})
    phone.close()
    db = sqlite3.connect(path)
    (body,) = db.execute("SELECT body FROM mutation").fetchone()
    newer = json.loads(body) | {"schema": 9, "mood": {"good": True}}
    db.execute("UPDATE mutation SET body = ?", (canonical(newer),))
    db.commit()
    db.close()
    phone = Phone(path, ann.http, clock=clock, chance=random.Random(2))  # noqa: S311
    assert phone.shown(household).pending == (1,)
    phone.enrol("", ann.worker)
    report = phone.sync()
    sent = [each for request in requests_of(city) for each in request["mutations"]]
    assert sent[-1] == newer
    assert [each.code for each in report.outcomes.values()] == [Code.NEWER_SCHEMA]
    phone.close()


@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
def test_a_file_of_any_earlier_layout_is_brought_up(step, city, tmp_path):
    path = tmp_path / "phone.sqlite"
    db = sqlite3.connect(path)
    for version, script in enumerate(STEPS[:step], start=1):
        db.executescript(f"{script};PRAGMA user_version = {version};")
    body = canonical({"record": HOUSEHOLD, "kind": "x", "rev": 1, "state": {"new": [1]}})
    db.execute(
        "INSERT INTO record (id, bucket, kind, rev, hash, body) VALUES (?, 'b', 'x', 1, ?, ?)",
        (HOUSEHOLD, record_hash(body), body),
    )
    db.commit()
    db.close()
    clock = SteppedClock(wall_ms=START_MS)
    phone = Phone(path, city.handsets[0].http, clock=clock, chance=random.Random(1))  # noqa: S311
    assert phone.bodies() == {HOUSEHOLD: body}
    phone.close()
    assert raw(path, "PRAGMA user_version") == [(len(STEPS),)]


def test_a_newer_server_reads_the_older_app_and_tells_it_to_update(city, ann):
    household = household_of(ann)
    city.server.schemas = Schemas(
        newest=2, steps={1: renamed("household", "door", "contact_phone")}
    )
    ann.phone.edit(household, set={"door": "7"})
    report = ann.phone.sync()
    assert report.outdated
    assert report.up_to_date
    assert ann.phone.shown(household).state["contact_phone"] == "7"
    city.server.schemas = SCHEMAS
    assert not ann.phone.sync().outdated
