"""A phone in trouble: bad networks, refusals, doubted identities, lost backups, no power."""

import random
import sqlite3
from dataclasses import replace
from typing import Any

import httpx
import pytest
from typing_extensions import override

from clients.phone import Phone, SteppedClock, SyncReport
from clients.phone.faults import Fault
from clients.phone.phone import EnrolmentRefused
from sync.canonical import EMPTY_DIGEST
from sync.exchange import BucketPage, SyncReply, WireOutcome
from sync.outcome import Code, Outcome
from sync.wire import encode_reply
from tests.clients.lookups import household_of, requests_of
from tests.simulation import checks
from tests.simulation.city import WORKERS, City, Handset
from tests.simulation.model import START_MS
from tests.simulation.network import ModelTransport

DAY_MS = 86_400_000


# a bad server and a bad network


def test_a_failed_page_halves_what_is_asked_for_and_success_doubles_it_again(city, ann):
    city.transport.seen.clear()
    ann.weather.coming.extend([Fault.CUT, Fault.CUT, Fault.CUT])
    for _ in range(6):
        ann.phone.sync()
    asked = [request["max_bytes"] // 1024 for request in requests_of(city)]
    assert asked == [256, 128, 64, 32, 64, 128]


class Refusing(httpx.BaseTransport):
    """Answers as told while `answers` last, then as the server would."""

    def __init__(self, inner: ModelTransport, answers: list[httpx.Response]) -> None:
        self.inner, self.answers, self.count = inner, answers, 0

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        return self.answers.pop(0) if self.answers else self.inner.handle_request(request)


def refused(city: City, *answers: httpx.Response) -> tuple[Phone, SteppedClock, Refusing]:
    transport = Refusing(city.transport, [])
    clock = SteppedClock(wall_ms=START_MS)
    http = httpx.Client(transport=transport, base_url="http://model")
    phone = Phone(":memory:", http, clock=clock, chance=random.Random(1))  # noqa: S311
    phone.enrol("", WORKERS[0])
    phone.sync()
    phone.edit(phone.records("household")[0].record, set={"door": "7"})
    transport.answers, transport.count = list(answers), 0
    return phone, clock, transport


def test_a_pause_the_server_asks_for_is_kept(city):
    phone, clock, transport = refused(city, httpx.Response(503, headers={"retry-after": "120"}))
    report = phone.sync()
    assert report.failure is not None
    assert (report.failure.status, report.wait_s) == (503, 120)
    clock.advance(119_000)
    waiting = phone.sync()
    assert waiting.failure is not None
    assert (waiting.failure.slug, waiting.wait_s, transport.count) == ("waiting", 1, 1)
    clock.advance(1_000)
    assert phone.sync().up_to_date
    phone.close()


def test_a_pause_is_forgotten_with_the_boot_it_was_measured_in(city):
    phone, clock, _ = refused(city, httpx.Response(429, headers={"retry-after": "120"}))
    phone.sync()
    clock.reboot("another")
    assert phone.sync().up_to_date
    phone.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 426, 500, 502])
def test_no_refusal_drops_any_work(city, status):
    answer = httpx.Response(status, json={"type": "https://jingwei.example/problems/x"})
    phone, _, _ = refused(city, answer)
    report = phone.sync()
    assert report.failure is not None
    assert (report.failure.status, report.failure.slug) == (status, "x")
    assert phone.pending() == [1]
    assert phone.sync().outcomes[1].outcome is Outcome.APPLIED
    phone.close()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"settled_through": 1.5}'])
def test_an_unreadable_reply_changes_nothing(city, content):
    phone, _, _ = refused(city, httpx.Response(200, content=content))
    before = phone.bodies()
    report = phone.sync()
    assert report.failure is not None
    assert report.failure.slug == "unreadable-reply"
    assert (phone.bodies(), phone.pending()) == (before, [1])
    phone.close()


def test_automatic_contact_keeps_the_servers_pace(city):
    phone, clock, transport = refused(city)
    city.server.next_sync_s = 900
    assert isinstance(phone.sync_if_due(), SyncReport)
    assert transport.count == 1
    clock.advance(899_000)
    assert (phone.sync_if_due(), phone.due_in_s()) == (None, 1)
    clock.advance(1_000)
    assert phone.sync_if_due() is not None
    phone.close()


# identity


def test_a_phone_that_is_refused_enrolment_says_why(city):
    phone, _, transport = refused(city, httpx.Response(401, json={"type": "unauthenticated"}))
    with pytest.raises(EnrolmentRefused) as caught:
        phone.enrol("", "nobody")
    assert caught.value.slug == "unauthenticated"
    assert transport.count == 1
    assert phone.pending() == [1]
    phone.close()


def test_a_new_identity_takes_the_outbox_along(city, ann):
    household = household_of(ann)
    ann.phone.edit(household, set={"door": "6"})
    ann.phone.sync()
    ann.phone.edit(household, set={"door": "7"})
    ann.phone.enrol("", ann.worker)
    ann.phone.edit(household, set={"door": "8"})
    report = ann.phone.sync()
    assert sorted(report.outcomes) == [1, 2]
    assert ann.phone.shown(household).state["door"] == "8"
    checks.check_converged(city, ann)
    checks.check_acknowledged(city, ann)


def test_a_doubted_identity_is_reported_after_every_restart_until_the_phone_enrols(
    tmp_path, city
):
    def opened() -> Phone:
        http = httpx.Client(transport=city.transport, base_url="http://model")
        clock = SteppedClock(wall_ms=START_MS)
        return Phone(tmp_path / "a", http, clock=clock, chance=random.Random(1))  # noqa: S311

    phone = opened()
    phone.enrol("", WORKERS[0])
    phone.sync()
    household = phone.records("household")[0].record
    with sqlite3.connect(tmp_path / "copy") as copy_to:
        phone._store._db.backup(copy_to)
    phone.create("note", set={"parent": household, "text": "first"})
    phone.sync()
    phone.close()
    with sqlite3.connect(tmp_path / "copy") as copy, sqlite3.connect(tmp_path / "a") as file:
        copy.backup(file)
    phone = opened()
    phone.create("note", set={"parent": household, "text": "second"})
    assert phone.sync().identity_doubtful
    for _ in range(2):
        phone.close()
        phone = opened()
        assert phone.sync().identity_doubtful
    phone.enrol("", WORKERS[0])
    assert not phone.sync().identity_doubtful
    phone.close()


def test_a_copied_phone_is_found_out_and_nothing_is_lost(tmp_path, city):
    def phone_on(name: str) -> Phone:
        http = httpx.Client(transport=city.transport, base_url="http://model")
        clock = SteppedClock(wall_ms=START_MS)
        return Phone(tmp_path / name, http, clock=clock, chance=random.Random(name))  # noqa: S311

    first = phone_on("a")
    first.enrol("", WORKERS[0])
    first.sync()
    household = first.records("household")[0].record
    copy_to = sqlite3.connect(tmp_path / "b")
    first._store._db.backup(copy_to)
    copy_to.close()
    second = phone_on("b")
    first.create("note", set={"parent": household, "text": "first"})
    second.create("note", set={"parent": household, "text": "second"})
    reports = [phone.sync() for _ in range(3) for phone in (first, second)]
    assert any(report.identity_doubtful for report in reports)
    for phone in (first, second):
        phone.enrol("", WORKERS[0])
        assert phone.sync().up_to_date
    texts = {
        row.fields["text"].heads[0].value
        for row in city.server.records.values()
        if row.kind == "note"
    }
    assert texts == {"first", "second"}
    first.close()
    second.close()


def test_what_a_revoked_phone_handed_in_waits_for_a_person_and_is_not_sent_again(city, ann):
    household = household_of(ann)
    device = city.server.devices[ann.phone.device or ""]
    device.state = replace(device.state, revoked=True)
    handed_in = ann.phone.create("note", set={"parent": household, "text": "handed in"})
    (outcome,) = ann.phone.sync().outcomes.values()
    assert (outcome.outcome, outcome.code) == (Outcome.QUARANTINED, Code.DEVICE_REVOKED)
    waiting = ann.phone.create("report", set={"class": "leak", "text": "not yet sent"})
    ann.phone.enrol("", ann.worker)
    report = ann.phone.sync()
    assert [each.outcome for each in report.outcomes.values()] == [Outcome.APPLIED]
    assert waiting in city.server.records
    assert handed_in not in city.server.records
    checks.check_converged(city, ann)


# a server restored from a backup


def test_what_a_restored_server_lost_is_offered_again(city, ann):
    household = household_of(ann)
    ann.phone.edit(household, set={"door": "6"})
    ann.phone.sync()
    kept = city.server.backup()
    ann.phone.edit(household, set={"door": "7"})
    note = ann.phone.create("note", set={"parent": household, "text": "seen"})
    ann.phone.sync()
    city.replace_server(kept.restored(city.server))
    assert note not in city.server.records
    report = ann.phone.sync()
    assert sorted(report.outcomes) == [2, 3]
    assert note in city.server.records
    assert ann.phone.shown(household).state["door"] == "7"
    checks.check_converged(city, ann)
    checks.check_acknowledged(city, ann)


def test_a_phone_the_restored_server_never_met_brings_everything(city):
    kept = city.server.backup()
    late = Handset(0, city.transport)
    late.phone.sync()
    note = late.phone.create("note", set={"parent": household_of(late), "text": "seen"})
    late.phone.sync()
    city.replace_server(kept.restored(city.server))
    for handset in city.handsets:
        city.server.devices.pop(late.phone.device or "", None)
        assert handset.phone.sync().failure is None
    report = late.phone.sync()
    assert report.failure is not None
    assert report.failure.status == 401
    late.phone.enrol("", late.worker)
    assert late.phone.sync().up_to_date
    assert note in city.server.records
    checks.check_converged(city, late)
    late.phone.close()


# power


class Failing:
    """A connection that loses power before its `left`-th statement from now."""

    def __init__(self, db: sqlite3.Connection, left: int) -> None:
        self._db, self._left = db, left

    def _count(self, sql: str) -> None:
        self._left -= 1
        if self._left < 0 and sql != "ROLLBACK":
            raise KeyboardInterrupt

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        self._count(sql)
        return self._db.execute(sql, values)

    def executemany(self, sql: str, values: list[Any]) -> sqlite3.Cursor:
        self._count(sql)
        return self._db.executemany(sql, values)

    def close(self) -> None:
        self._db.close()


def test_power_lost_at_any_statement_leaves_a_phone_that_comes_to_rest(city, ann):
    household, cuts = household_of(ann), 0
    store = ann.phone._store
    db = store._db
    while True:
        rev = city.server.records[household].rev
        city.server.decide(
            record=household, kind="household", base=rev, set={"door": f"{cuts}"}
        )
        note = ann.phone.create("note", set={"parent": household, "text": f"{cuts}"})
        store._db = Failing(db, cuts)
        try:
            report = ann.phone.sync()
        except KeyboardInterrupt:
            report = None
        store._db = db
        if report is not None:
            break
        cuts += 1
        assert ann.phone.sync().up_to_date
        assert note in city.server.records
        checks.check_converged(city, ann)
    assert report.up_to_date
    assert cuts > 20
    notes = [each for each in city.server.records.values() if each.kind == "note"]
    assert len(notes) == cuts + 1


# a server that says more than it should


def test_pages_nobody_asked_for_change_nothing(city):
    phone, _, transport = refused(city)
    phone.sync()
    before = phone.bodies()
    strange = BucketPage(
        id="grid:elsewhere", epoch=1, from_seq=0, seq=1, digest=EMPTY_DIGEST, count=0
    )
    out_of_order = BucketPage(
        id="config", epoch=1, from_seq=90, seq=99, digest=EMPTY_DIGEST, count=0
    )
    reply = SyncReply(
        server_time_ms=START_MS,
        incarnation="1",
        lease="l",
        settled_through=1,
        buckets=(strange, out_of_order),
    )
    transport.answers = [httpx.Response(200, content=encode_reply(reply))]
    phone.sync()
    assert phone.bodies() == before
    assert "grid:elsewhere" not in phone.digests()
    phone.close()


def test_a_server_that_settles_nothing_is_not_asked_for_ever(city):
    phone, _, transport = refused(city)
    reply = SyncReply(
        server_time_ms=START_MS,
        incarnation="1",
        lease="l",
        settled_through=0,
        outcomes=(WireOutcome(n=1, outcome=Outcome.RETRY, code=Code.BATCH_LIMIT),),
    )
    transport.answers = [httpx.Response(200, content=encode_reply(reply)) for _ in range(5)]
    report = phone.sync()
    assert report.failure is None
    assert transport.count == 1
    assert phone.pending() == [1]
    phone.close()
