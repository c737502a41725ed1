"""Photos of the reference phone against the running server, on either database."""

import random

import httpx
import pytest

from clients.phone.faults import Fault
from sync.mutation import Datum, Position
from tests.clients.test_real_server import Town, town
from tests.media.pictures import SECRET, jpeg, noisy_jpeg, plain_jpeg
from tests.world import centre_e7

pytestmark = pytest.mark.db
__all__ = ["town"]
CHUNK = 64 * 1024


def report_with(phone, *photos: str) -> str:
    lon_e7, lat_e7 = centre_e7(0)
    place = Position(lon_e7=lon_e7, lat_e7=lat_e7, datum=Datum.WGS84, accuracy_cm=500)
    return phone.create("report", set={"class": "0102"}, add={"media": photos}, position=place)


def fetched(town: Town, login: str, named: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {town.world.tokens[login]}"}
    return httpx.get(f"{town.url}/v1/media/{named}", headers=headers)


def test_a_photo_goes_after_its_record_and_then_leaves_the_phone(town):
    ann = town.phone("ann")
    ann.sync()
    named = ann.keep_photo(jpeg(), "image/jpeg")
    report_with(ann, named)
    assert ann.upload_photos().sent == []  # its record first
    assert ann.sync().up_to_date
    assert fetched(town, "dispatcher", named).status_code == 404
    done = ann.upload_photos()
    assert (done.sent, done.failure) == ([named], None)
    assert ann.kept_photos() == []
    found = fetched(town, "dispatcher", named)
    assert found.status_code == 200
    assert SECRET not in found.content
    ann.sync()
    assert ann.upload_photos().sent == []


def test_a_photo_that_cannot_be_kept_leaves_the_phone_and_is_told(town):
    ann = town.phone("ann")
    ann.sync()
    bad = ann.keep_photo(b"\xff\xd8\xff no picture", "image/jpeg")
    good = ann.keep_photo(plain_jpeg(), "image/jpeg")
    odd = ann.keep_photo(b"GIF89a", "image/gif")
    report_with(ann, bad, good, odd)
    ann.sync()
    done = ann.upload_photos()
    assert done.sent == [good]
    assert sorted(done.refused) == sorted([bad, odd])
    assert ann.kept_photos() == []


def test_through_lost_and_cut_exchanges_at_most_a_chunk_is_sent_again_each_time(town):
    ann = town.phone("ann")
    ann.sync()
    content = noisy_jpeg(3, 700)
    named = ann.keep_photo(content, "image/jpeg")
    report_with(ann, named)
    ann.sync()
    chance = random.Random(5)  # noqa: S311 - the same bad network each time
    faults = [
        chance.choice([Fault.NONE, Fault.LOSE_REQUEST, Fault.LOSE_REPLY, Fault.CUT])
        for _ in range(30)
    ]
    town.weather[id(ann)].coming.extend(faults)
    sent = 0
    for _ in range(40):
        done = ann.upload_photos(chunk_bytes=CHUNK)
        sent += done.bytes_up
        if done.failure is None:
            break
    bad = sum(fault is not Fault.NONE for fault in faults)
    assert sent <= len(content) + bad * CHUNK
    assert ann.kept_photos() == []
    assert fetched(town, "ann", named).status_code == 200


def test_a_phone_with_a_new_identity_begins_its_uploads_again(town):
    ann = town.phone("ann")
    ann.sync()
    named = ann.keep_photo(plain_jpeg(), "image/jpeg")
    report_with(ann, named)
    ann.sync()
    ann._store.photos.goes_on_at(named, "/v1/uploads/00000000-0000-7000-8000-000000000000")
    assert ann.upload_photos().sent == [named]
