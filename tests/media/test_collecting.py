"""What is no longer wanted goes; what a record names stays, whatever happens in between."""

import asyncio
import os
from collections.abc import Callable

import pytest
from sqlalchemy import select

from server.app import create_app
from server.clock import now_ms
from server.db.tables import MediaBlob, MediaUpload
from server.media.collecting import MARKED_MS, STRAY_MS, Collected, collect, keep_collecting
from server.media.forgetting_queries import erase_media
from sync.media import DAY_MS
from tests.media.pictures import plain_jpeg
from tests.media.uploads import hash_of
from tests.world import centre_e7

pytestmark = [pytest.mark.db, pytest.mark.anyio]
PHOTO = plain_jpeg()


def files(media):
    return [each for each in media.blobs._folder.rglob("*") if each.is_file()]


def age(media, address: str, days: int) -> None:
    then = (now_ms() - days * DAY_MS) / 1000
    os.utime(media.partials.path(address.rsplit("/", 1)[-1]), (then, then))


async def test_an_unattached_photo_goes_after_thirty_days_and_an_hour(ann, store, media):
    await ann.stored(PHOTO)
    now = now_ms()
    assert (await collect(store, media, now_ms=now + 29 * DAY_MS)).blobs == 0
    later = now + 31 * DAY_MS
    assert (await collect(store, media, now_ms=later)).blobs == 0
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200
    done = await collect(store, media, now_ms=later + MARKED_MS + 1)
    assert done.blobs == 1
    assert files(media) == []
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 404
    await ann.stored(PHOTO)


async def test_a_photo_that_a_record_names_never_goes(ann, phone, store, media):
    """Neither when it was named before, nor between the mark and the removal."""
    await ann.stored(PHOTO)
    later = now_ms() + 400 * DAY_MS
    await collect(store, media, now_ms=later)
    report = phone.report(*centre_e7(0)) | {"add": {"media": [hash_of(PHOTO)]}}
    await phone.sync([report])
    for hours in (2, 50, 500):
        done = await collect(store, media, now_ms=later + hours * MARKED_MS)
        assert done.blobs == 0
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200


async def test_sending_it_again_keeps_an_unattached_photo_for_longer(ann, store, media):
    await ann.stored(PHOTO)
    later = now_ms() + 31 * DAY_MS
    await collect(store, media, now_ms=later)
    await ann.begin(PHOTO)
    assert (await collect(store, media, now_ms=later + 2 * MARKED_MS)).blobs == 0
    assert len(files(media)) == 1


async def test_erased_photos_go_at_once_and_only_their_hash_stays(ann, phone, store, media):
    report = phone.report(*centre_e7(0)) | {"add": {"media": [hash_of(PHOTO)]}}
    await phone.sync([report])
    await ann.stored(PHOTO)
    await store.write(lambda db: erase_media(db, [report["record"]], now_ms()))
    assert (await collect(store, media, now_ms=now_ms())).blobs == 1
    assert files(media) == []
    rows = await store.read(lambda db: db.execute(select(*MediaBlob.__table__.c)).all())
    [row] = rows
    assert (row.hash, row.state, row.blob, row.served_hash) == (
        hash_of(PHOTO),
        "erased",
        None,
        None,
    )
    assert await collect(store, media, now_ms=now_ms()) == Collected()


async def test_an_upload_expires_two_weeks_after_its_last_byte(ann, store, media):
    old, fresh, empty = [await ann.begun(plain_jpeg(seed)) for seed in range(3)]
    await ann.patch(old, 0, plain_jpeg(0)[:10])
    await ann.patch(fresh, 0, plain_jpeg(1)[:10])
    later = now_ms() + 20 * DAY_MS
    age(media, fresh, -10)
    done = await collect(store, media, now_ms=later)
    assert done.uploads == 2
    assert (await ann.look(old)).status_code == 404
    assert (await ann.look(empty)).status_code == 404
    assert await ann.offset(fresh) == 10


async def test_an_upload_in_someones_hands_is_left_alone(ann, store, media):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:10])
    with media.partials.locked(address.rsplit("/", 1)[-1]):
        done = await collect(store, media, now_ms=now_ms() + 20 * DAY_MS)
    assert done == Collected()
    assert await ann.offset(address) == 10


async def test_notes_on_finished_uploads_go_and_the_photo_stays(ann, phone, store, media):
    report = phone.report(*centre_e7(0)) | {"add": {"media": [hash_of(PHOTO)]}}
    await phone.sync([report])
    await ann.stored(PHOTO)
    assert (await collect(store, media, now_ms=now_ms() + 20 * DAY_MS)).uploads == 1
    rows = await store.read(lambda db: db.execute(select(MediaUpload.__table__.c.id)).all())
    assert rows == []
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200


async def test_a_photo_made_visible_by_a_server_that_died_then_survives_its_upload(
    ann, store, media
):
    """The row of the photo names the upload's key; giving the upload up must not remove it."""
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO)

    def as_if_it_had_died(db):
        db.execute(MediaUpload.__table__.update().values(finished_ms=None))

    await store.write(as_if_it_had_died)
    await collect(store, media, now_ms=now_ms() + 20 * DAY_MS)
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200


async def test_files_of_no_upload_go_after_an_hour(ann, store, media):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:10])
    age(media, address, 1)
    folder = media.partials.folder
    for name in ("00000000-0000-7000-8000-000000000001", "rubbish", "x.clean"):
        (folder / name).write_bytes(b"x")
    assert (await collect(store, media, now_ms=now_ms())).files == 0
    assert (await collect(store, media, now_ms=now_ms() + 2 * MARKED_MS)).files == 3
    assert await ann.offset(address) == 10


async def stored_by_a_server_that_died(ann, media) -> str:
    """An upload with all its bytes whose photo is in the store, and nothing says so yet."""
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:-1])
    upload = address.rsplit("/", 1)[-1]
    path = media.partials.path(upload)
    path.write_bytes(PHOTO)
    await media.blobs.put(upload, path)
    return address


async def test_of_two_uploads_of_a_photo_only_one_is_kept_though_a_server_died_in_between(
    ann, hand, media
):
    address = await stored_by_a_server_that_died(ann, media)
    await hand("bob").stored(PHOTO)
    assert len(files(media)) == 2
    assert await ann.offset(address) == len(PHOTO)
    assert len(files(media)) == 1
    for each in (ann, hand("bob")):
        assert (await each.fetch(hash_of(PHOTO))).status_code == 200


async def test_starting_again_removes_what_a_server_that_died_had_stored(ann, hand, media):
    await stored_by_a_server_that_died(ann, media)
    await hand("bob").stored(PHOTO)
    await ann.stored(PHOTO)
    assert len(files(media)) == 1
    assert list(media.partials.folder.iterdir()) == []
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200


async def test_what_a_server_stored_before_it_died_goes_with_the_file_of_its_upload(
    ann, store, media
):
    """The row went while somebody held the file: the next collection looks at it."""
    address = await stored_by_a_server_that_died(ann, media)
    with media.partials.locked(address.rsplit("/", 1)[-1]):
        second = await ann.begun(PHOTO)
        late = now_ms() + 2 * STRAY_MS
        assert await collect(store, media, now_ms=late) == Collected()
    assert len(files(media)) == 1
    assert (await collect(store, media, now_ms=late)).files == 1
    assert files(media) == []
    assert list(media.partials.folder.iterdir()) == []
    assert await ann.offset(second) == 0


async def test_the_file_of_a_finished_upload_goes_and_its_photo_stays(ann, store, media):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO)
    media.partials.path(address.rsplit("/", 1)[-1]).write_bytes(PHOTO)
    assert (await collect(store, media, now_ms=now_ms() + 2 * STRAY_MS)).files == 1
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200


async def test_half_a_copy_in_the_media_store_goes_with_its_upload(ann, client, media):
    address = await ann.begun(PHOTO)
    half = media.blobs.path(address.rsplit("/", 1)[-1]).with_suffix(".part")
    half.parent.mkdir(parents=True)
    half.write_bytes(PHOTO[:10])
    assert (await client.delete(address, headers=ann.headers)).status_code == 204
    assert files(media) == []


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.05)


async def test_collecting_goes_on_when_the_media_store_was_away(ann, phone, store, media):
    """The folder of the photo is a file for a while, so that nothing in it can be removed."""
    report = phone.report(*centre_e7(0)) | {"add": {"media": [hash_of(PHOTO)]}}
    await phone.sync([report])
    await ann.stored(PHOTO)
    await store.write(lambda db: erase_media(db, [report["record"]], now_ms()))
    [photo] = files(media)
    folder, aside = photo.parent, photo.parent.with_name("aside")
    folder.rename(aside)
    folder.write_bytes(b"")
    stray = media.partials.folder / "rubbish"
    collecting = asyncio.create_task(keep_collecting(store, media, pause_s=0.01))
    await asyncio.sleep(1.5)
    assert not collecting.done()
    folder.unlink()
    aside.rename(folder)
    await until(lambda: not photo.exists())
    stray.write_bytes(b"x")
    os.utime(stray, (0, 0))
    await until(lambda: not stray.exists())
    collecting.cancel()
    await asyncio.wait([collecting])
    assert collecting.cancelled()


async def test_an_application_that_stops_waits_for_its_collector(settings, store):
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app):
        [collecting] = [
            each
            for each in asyncio.all_tasks()
            if each.get_coro().__name__ == keep_collecting.__name__
        ]
        await asyncio.sleep(0)
        assert not collecting.done()
    assert collecting.cancelled()
