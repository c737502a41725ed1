"""Photos and the records that name them: what is asked for, what is shown, and to whom."""

import httpx
import pytest
from sqlalchemy import update

from server.clock import new_id, now_ms
from server.db.tables import MediaDeclaration
from server.media.forgetting_queries import erase_media
from sync.media import DAY_MS
from tests.media.pictures import SECRET, jpeg, plain_jpeg, png, wav, webp
from tests.media.uploads import Hand, hash_of, slug
from tests.server.phones import RawPhone, bearer, outcomes
from tests.world import centre_e7

pytestmark = [pytest.mark.db, pytest.mark.anyio]
PHOTO, OTHER = plain_jpeg(), plain_jpeg(1)


def with_photos(phone, *photos, index=0):
    report = phone.report(*centre_e7(index))
    return report | {"add": {"media": [hash_of(each) for each in photos]}}


async def declared(phone, *photos, index=0) -> str:
    """Report with photos from the phone's grid; returns the report's id."""
    report = with_photos(phone, *photos, index=index)
    reply = await phone.sync([report])
    assert outcomes(reply) == {}
    return report["record"]


async def test_the_reply_asks_for_what_was_declared_until_it_is_there(phone, ann):
    reply = await phone.sync([with_photos(phone, PHOTO, OTHER)])
    assert sorted(reply["media_wanted"]) == sorted([hash_of(PHOTO), hash_of(OTHER)])
    await ann.stored(PHOTO)
    assert (await phone.sync())["media_wanted"] == [hash_of(OTHER)]
    await ann.stored(OTHER)
    assert (await phone.sync())["media_wanted"] == []


async def test_a_record_is_whole_for_everybody_before_its_photo_is_there(phone, client, world):
    report = await declared(phone, PHOTO)
    other = await RawPhone.enrol(client, world.tokens["bob"])
    reply = await other.sync()
    [found] = [
        each for page in reply["buckets"] for each in page["put"] if each["record"] == report
    ]
    assert found["state"]["media"] == [hash_of(PHOTO)]
    assert reply["media_wanted"] == []


async def test_the_evidence_of_a_claim_is_asked_for_too(phone, ann, client, world, hand):
    report = await declared(phone)
    boss = bearer(world.tokens["dispatcher"])
    incident = (await client.get(f"/v1/reports/{report}", headers=boss)).json()["incident"]
    case = (await client.get(f"/v1/incidents/{incident}", headers=boss)).json()
    answer = await client.post(
        f"/v1/incidents/{incident}/dispatch",
        json={"assignee": "ann"},
        headers=boss | {"if-match": f'"{case["rev"]}"'},
    )
    assert answer.status_code == 200, answer.text
    reply = await phone.sync()
    [task] = [
        each for page in reply["buckets"] for each in page["put"] if each["kind"] == "task"
    ]
    done = phone.change(
        task["record"], "task", task["rev"], act="finish", args={"media": [hash_of(PHOTO)]}
    )
    assert (await phone.sync([done]))["media_wanted"] == [hash_of(PHOTO)]
    await ann.stored(PHOTO)
    assert await hand("dispatcher").listed(task["record"]) == {hash_of(PHOTO): "stored"}
    assert (await hand("dispatcher").fetch(hash_of(PHOTO))).status_code == 200


async def test_work_that_is_refused_or_set_aside_asks_for_nothing(phone):
    bad = with_photos(phone, PHOTO) | {"set": {"class": "0102", "colour": "red"}}
    reply = await phone.sync([bad])
    assert outcomes(reply) == {1: "invalid"}
    assert reply["media_wanted"] == []


async def test_a_list_of_wishes_is_bounded_and_the_rest_follows(phone):
    for _ in range(2):
        record = phone.report(*centre_e7(0))
        hashes = ["sha256:" + new_id().replace("-", "") * 2 for _ in range(80)]
        await phone.sync([record | {"add": {"media": hashes}}])
    first = (await phone.sync())["media_wanted"]
    assert len(first) == 100
    assert len(set(first)) == 100


async def test_a_photo_that_comes_before_its_record_is_kept_and_attached_later(phone, ann):
    await ann.stored(PHOTO)
    report = with_photos(phone, PHOTO)
    assert (await phone.sync([report]))["media_wanted"] == []
    assert await ann.listed(report["record"]) == {hash_of(PHOTO): "stored"}


async def test_states_are_declared_partial_stored(phone, ann, hand):
    report = await declared(phone, PHOTO)
    boss = hand("dispatcher")
    assert await boss.listed(report) == {hash_of(PHOTO): "declared"}
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:40])
    assert await boss.listed(report) == {hash_of(PHOTO): "partial"}
    await ann.patch(address, 40, PHOTO[40:])
    assert await boss.listed(report) == {hash_of(PHOTO): "stored"}


async def test_a_photo_that_never_came_is_missing_after_a_week_and_still_welcome(
    phone, ann, store
):
    report = await declared(phone, PHOTO)

    def age(db):
        at = now_ms() - 7 * DAY_MS
        db.execute(update(MediaDeclaration.__table__).values(declared_ms=at))

    await store.write(age)
    assert await ann.listed(report) == {hash_of(PHOTO): "missing"}
    assert (await phone.sync())["media_wanted"] == [hash_of(PHOTO)]
    await ann.stored(PHOTO)
    assert await ann.listed(report) == {hash_of(PHOTO): "stored"}


async def test_what_cannot_be_kept_is_not_asked_for_again(phone, ann):
    bad = b"\xff\xd8\xff\xe0 no picture at all"
    report = await declared(phone, bad)
    answer = await ann.begin(bad, first=bad)
    assert (answer.status_code, slug(answer)) == (415, "media-refused")
    assert answer.json()["code"] == "unreadable"
    assert (await phone.sync())["media_wanted"] == []
    assert await ann.listed(report) == {hash_of(bad): "refused"}
    again = await ann.begin(bad)
    assert (again.status_code, again.json()["code"]) == (415, "unreadable")


async def test_a_wrongly_announced_type_does_not_spoil_the_photo_for_others(ann, hand):
    answer = await ann.begin(PHOTO, "image/png", first=PHOTO)
    assert (answer.status_code, answer.json()["code"]) == (415, "type")
    await hand("bob").stored(PHOTO)


@pytest.mark.parametrize(
    ("content", "media_type", "ending"),
    [
        (jpeg(), "image/jpeg", "jpg"),
        (png(), "image/png", "png"),
        (webp(), "image/webp", "webp"),
        (wav(), "audio/wav", "wav"),
    ],
)
async def test_only_the_stripped_photo_exists_after_the_upload(
    ann, media, content, media_type, ending
):
    named = await ann.stored(content, media_type)
    answer = await ann.fetch(named)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert SECRET not in answer.content
    assert answer.headers["etag"] == f'"{hash_of(answer.content)}"'
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-disposition"].endswith(f'.{ending}"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert list(media.partials.folder.iterdir()) == []
    kept = [each for each in media.blobs._folder.rglob("*") if each.is_file()]
    assert [each.read_bytes() for each in kept] == [answer.content]


async def test_a_photo_can_be_fetched_in_parts_and_kept_by_its_tag(ann):
    named = await ann.stored(PHOTO)
    whole = (await ann.fetch(named)).content
    size = len(whole)
    for asked, start, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=0-{size + 50}", 0, size),
    ):
        answer = await ann.fetch(named, range=asked)
        assert answer.status_code == 206
        assert answer.content == whole[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    for odd in ("bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=9-3"):
        assert (await ann.fetch(named, range=odd)).content == whole
    beyond = await ann.fetch(named, range=f"bytes={size}-")
    assert (beyond.status_code, slug(beyond)) == (416, "range-beyond-end")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    tag = (await ann.fetch(named)).headers["etag"]
    assert (await ann.fetch(named, **{"if-none-match": tag})).status_code == 304


async def test_a_photo_is_seen_through_a_record_one_may_see(phone, ann, hand):
    """Own, own task, or the dispatcher's area; everybody else is told that there is nothing."""
    report = await declared(phone, PHOTO)
    named = await ann.stored(PHOTO)
    for login in ("ann", "dispatcher"):
        assert (await hand(login).fetch(named)).status_code == 200, login
        assert await hand(login).listed(report) == {named: "stored"}
    for login in ("bob", "cat", "dispatcher-n2"):
        assert (await hand(login).fetch(named)).status_code == 404, login
        assert await hand(login).listed(report) == {}


async def test_the_worker_of_the_task_sees_the_photos_of_its_reports(
    phone, ann, hand, client, world
):
    report = await declared(phone, PHOTO)
    named = await ann.stored(PHOTO)
    boss = bearer(world.tokens["dispatcher"])
    incident = (await client.get(f"/v1/reports/{report}", headers=boss)).json()["incident"]
    case = (await client.get(f"/v1/incidents/{incident}", headers=boss)).json()
    await client.post(
        f"/v1/incidents/{incident}/dispatch",
        json={"assignee": "bob"},
        headers=boss | {"if-match": f'"{case["rev"]}"'},
    )
    assert (await hand("bob").fetch(named)).status_code == 200
    assert (await hand("cat").fetch(named)).status_code == 404


async def test_a_hash_copied_from_elsewhere_opens_nothing(ann, hand, client, world):
    """Naming somebody's photo in a report of one's own shows nobody what it is."""
    named = await ann.stored(PHOTO)
    thief = await RawPhone.enrol(client, world.tokens["cat"])
    await thief.sync()
    report = thief.report(*centre_e7(2)) | {"add": {"media": [named]}}
    assert (await thief.sync([report]))["media_wanted"] == [named]
    for login in ("cat", "dispatcher-n2"):
        assert (await hand(login).fetch(named)).status_code == 404
        assert await hand(login).listed(report["record"]) == {named: "declared"}
    answer = await Hand(client, thief.token).begin(PHOTO)
    assert answer.headers["upload-offset"] == "0"
    await Hand(client, thief.token).patch(answer.headers["location"], 0, PHOTO)
    assert (await hand("dispatcher-n2").fetch(named)).status_code == 200


async def test_an_address_that_is_no_hash_is_not_found(ann):
    for odd in ("sha256:" + "g" * 64, "x", "sha256:" + "A" * 64):
        assert (await ann.fetch(odd)).status_code == 404


async def test_a_lost_blob_is_a_problem_and_not_half_an_answer(ann, media):
    named = await ann.stored(PHOTO)
    for each in media.blobs._folder.rglob("*"):
        if each.is_file():
            each.unlink()
    answer = await ann.fetch(named)
    assert (answer.status_code, slug(answer)) == (404, "not-found")


async def test_photos_of_erased_records_are_gone_and_do_not_come_back(phone, ann, hand, store):
    first, second = await declared(phone, PHOTO, OTHER), await declared(phone, OTHER)
    await ann.stored(PHOTO)
    await ann.stored(OTHER)
    erased = await store.write(lambda db: erase_media(db, [first], now_ms()))
    assert erased == [hash_of(PHOTO)]
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 404
    assert (await ann.fetch(hash_of(OTHER))).status_code == 200
    assert await hand("dispatcher").listed(first) == {}
    again = await ann.begin(PHOTO)
    assert (again.status_code, again.json()["code"]) == (415, "erased")
    assert await hand("dispatcher").listed(second) == {hash_of(OTHER): "stored"}


async def test_a_console_attaches_photos_to_the_report_it_takes_in(hand, client, world):
    lon, lat = (each / 10**7 for each in centre_e7(0))
    answer = await client.post(
        "/v1/reports",
        json={
            "class": "0102",
            "media": [hash_of(PHOTO)],
            "position": {"lon": lon, "lat": lat, "datum": "wgs84", "accuracy_m": 8},
        },
        headers=bearer(world.tokens["dispatcher"]),
    )
    assert answer.status_code == 201, answer.text
    boss = hand("dispatcher")
    assert await boss.listed(answer.json()["id"]) == {hash_of(PHOTO): "declared"}
    await boss.stored(PHOTO)
    assert await boss.listed(answer.json()["id"]) == {hash_of(PHOTO): "stored"}
    assert isinstance(await boss.fetch(hash_of(PHOTO)), httpx.Response)
