"""What must be true of phones and server, whatever the network and the people did."""

import json
from typing import Any

from clients.phone import Phone
from sync.canonical import record_hash
from sync.ids import derived_id
from sync.lifecycle import RANKS
from sync.outcome import Outcome
from sync.replica import digest_of_bodies
from sync.wire import decode_reply
from tests.simulation.city import City, Handset
from tests.simulation.model import ModelServer

UNDECIDED = frozenset({Outcome.INVALID, Outcome.HELD, Outcome.QUARANTINED})


class Observer:
    """Watches one phone over time: status never goes down inside an epoch."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}
        self._incarnation = 0

    def look(self, phone: Phone, incarnation: int) -> None:
        """Compare what the phone holds now with what it held before."""
        if incarnation != self._incarnation:
            self._seen.clear()
            self._incarnation = incarnation
        for record, body in phone.bodies().items():
            held: dict[str, Any] = json.loads(body)
            state = held["state"]
            if "epoch" not in state:
                continue
            now = (state["epoch"], RANKS[held["kind"]][state["status"]])
            assert now >= self._seen.get(record, now), f"{held['kind']} went back to {now}"
            self._seen[record] = now


def check_reply(server: ModelServer, device: str, content: bytes) -> None:
    """Nothing outside a worker's scope is sent, and everything sent is one snapshot."""
    allowed = server.allowed(server.devices[device].account)
    for page in decode_reply(json.loads(content)).buckets:
        assert page.id in allowed, "a bucket outside the scope was sent"
        rows = server.buckets[page.id].rows if page.put else {}
        for item in page.put:
            assert server.records[item.record].bucket == page.id
            assert rows[item.record].hash == item.hash


def check_books(city: City) -> None:
    """A batch that settled nothing wrote nothing: every mutation has one effect."""
    for entry in city.server.journal:
        if not entry.plan.settled:
            assert not entry.plan.writes, "a repeated mutation wrote again"
    city.server.journal.clear()


def check_acknowledged(city: City, handset: Handset) -> None:
    """Every outcome the phone was told stands in the server's books, with its effect."""
    phone = handset.phone
    device = phone.device or ""
    settled = city.server.devices[device].settled
    for outcome in phone.outcomes():
        kept = settled[outcome.n]
        assert (kept.outcome, kept.code) == (outcome.outcome, outcome.code)
        if kept.outcome in UNDECIDED:
            continue
        assert kept.record in city.server.records, "an acknowledged record is not there"
        if json.loads(kept.body).get("act") is not None:
            claim = derived_id(device, outcome.n, "claim")
            assert claim in city.server.records, "somebody's work disappeared"


def check_converged(city: City, handset: Handset) -> None:
    """The phone holds exactly what it may, byte for byte, and its digests agree."""
    phone = handset.phone
    assert phone.pending() == []
    assert phone.is_up_to_date()
    allowed = city.server.allowed(handset.worker)
    assert phone.digests().keys() == allowed
    expected = {
        record: row.body
        for name in allowed
        if name in city.server.buckets
        for record, row in city.server.buckets[name].rows.items()
    }
    assert phone.bodies() == expected
    for name, digest in phone.digests().items():
        rows = city.server.buckets[name].rows.values() if name in city.server.buckets else ()
        assert digest == digest_of_bodies(row.body for row in rows)
    for record, body in phone.bodies().items():
        shown = phone.shown(record)
        assert shown is not None
        assert shown.state == json.loads(body)["state"], "work that has arrived is shown twice"
        assert record_hash(body) == city.server.buckets[_bucket(city, record)].rows[record].hash


def _bucket(city: City, record: str) -> str:
    return city.server.records[record].bucket


def heal(handset: Handset) -> None:
    """Give a phone a good network until nothing is left to do."""
    handset.weather.coming.clear()
    report = None
    for _ in range(4):
        report = handset.phone.sync()
        if report.identity_doubtful or (report.failure and report.failure.status == 401):
            handset.phone.enrol("", handset.worker)
        elif report.failure is None and report.up_to_date and not handset.phone.pending():
            return
    raise AssertionError(f"the phone does not come to rest: {report}")


def check_facts(city: City, handset: Handset) -> None:
    """Every fact the worker wrote down is on the server, or waits for a person."""
    undecided = {
        each.record
        for device in city.server.devices.values()
        for each in device.settled.values()
        if each.outcome in UNDECIDED
    }
    lost = handset.facts - city.server.records.keys() - undecided
    assert not lost, "a fact was lost"
