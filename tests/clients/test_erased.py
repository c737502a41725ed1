"""Erased people are gone from a phone's own file at its next contact, and from its outbox."""

import random

import httpx
import pytest

from clients.phone import Phone, SteppedClock
from server.clock import now_ms
from tests.clients.test_real_server import Town, town
from tests.server.phones import bearer

__all__ = ["town"]
pytestmark = pytest.mark.db
CANARY = "canary"


@pytest.fixture
def phone(town: Town, tmp_path):
    """A phone whose replica is a file."""
    http = httpx.Client()
    town.clients.append(http)
    clock = SteppedClock(wall_ms=now_ms(), uptime_ms=10**7, boot="b")
    made = Phone(tmp_path / "phone.db", http, clock=clock, chance=random.Random(1))  # noqa: S311
    made.enrol(town.url, town.world.tokens["ann"])
    assert made.sync().up_to_date
    town.phones.append(made)
    return made


def whole(tmp_path) -> bytes:
    """Every byte of the phone's file and of its log."""
    return b"".join(each.read_bytes() for each in tmp_path.glob("phone.db*"))


def erase(town: Town, record: str) -> None:
    headers = bearer(town.world.tokens["dispatcher"])
    path = f"{town.url}/v1/households/{record}"
    tag = httpx.get(path, headers=headers).headers["etag"]
    answer = httpx.post(
        f"{town.url}/v1/records/{record}/erase",
        json={"reason": "person_asked"},
        headers=headers | {"if-match": tag},
    )
    assert answer.status_code == 200, answer.text


def test_a_phone_holds_no_byte_of_them_after_its_next_contact(town: Town, phone, tmp_path):
    home = phone.create(
        "household", set={"dwelling": town.world.dwellings["G1"], "door": f"{CANARY}-door"}
    )
    phone.create("resident", set={"household": home, "name": f"{CANARY}-name"})
    phone.create("visit", set={"household": home, "outcome": "done", "text": f"{CANARY}-visit"})
    assert phone.sync().up_to_date
    phone.edit(home, set={"door": f"{CANARY}-later"})
    phone.create("note", set={"parent": home, "text": f"{CANARY}-note"})
    assert CANARY.encode() in whole(tmp_path)
    erase(town, home)
    assert phone.sync().up_to_date
    assert CANARY.encode() not in whole(tmp_path)
    assert phone.sync().up_to_date
