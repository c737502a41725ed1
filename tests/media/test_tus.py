"""Uploads over HTTP: nothing is lost, nothing is written twice, nobody sees another's."""

import asyncio
import fcntl
import hashlib
import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.partials import Partials, receive
from server.media.tus import Checksum
from server.problems import Problem
from server.settings import Limits
from tests.media.pictures import jpeg, plain_jpeg, wav
from tests.media.uploads import CHUNK, TUS, checksum, coded, hash_of, metadata, slug

pytestmark = [pytest.mark.db, pytest.mark.anyio]
PHOTO = plain_jpeg()


async def test_chunks_of_any_size_end_in_one_photo(ann, media):
    address = await ann.begun(PHOTO)
    at = 0
    for size in (1, 10, 500, len(PHOTO)):
        piece = PHOTO[at : at + size]
        answer = await ann.patch(address, at, piece)
        at += len(piece)
        assert answer.status_code == 204
        assert answer.headers["upload-offset"] == str(at)
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert await ann.offset(address) == at
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200
    assert list(media.partials.folder.iterdir()) == []


async def test_what_the_server_speaks_is_told(ann, settings):
    answer = await ann.client.options("/v1/uploads", headers=ann.headers)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "checksum",
        "expiration",
        "termination",
    }
    assert answer.headers["tus-max-size"] == str(settings.limits.upload_bytes)
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"


async def test_the_first_chunk_may_come_with_the_creation(ann):
    answer = await ann.begin(PHOTO, first=PHOTO[:100])
    assert answer.status_code == 201
    assert answer.headers["upload-offset"] == "100"
    assert answer.headers["upload-expires"].endswith("GMT")
    assert await ann.offset(answer.headers["location"]) == 100


async def test_an_empty_file_says_where_it_is_and_is_not_cached(ann):
    answer = await ann.look(await ann.begun(PHOTO))
    assert answer.headers["upload-offset"] == "0"
    assert answer.headers["upload-length"] == str(len(PHOTO))
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_offset_touches_nothing(ann, media):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:100])
    upload = address.rsplit("/", 1)[-1]
    before = media.partials.path(upload).read_bytes()
    for offset in (0, 99, 101, 10**9):
        answer = await ann.patch(address, offset, PHOTO[100:])
        assert answer.status_code == 409
        assert slug(answer) == "offset-mismatch"
        assert answer.json()["upload_offset"] == 100
    assert media.partials.path(upload).read_bytes() == before


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_chunk_with_its_checksum_is_kept_and_another_is_dropped(ann, algorithm):
    address = await ann.begun(PHOTO)
    answer = await ann.patch(address, 0, PHOTO[:100], **checksum(PHOTO[:100], algorithm))
    assert answer.status_code == 204
    answer = await ann.patch(address, 100, PHOTO[100:200], **checksum(b"other", algorithm))
    assert answer.status_code == 460
    assert slug(answer) == "checksum-mismatch"
    assert await ann.offset(address) == 100


@pytest.mark.parametrize(
    "wrong", ["md5 AAAA", "sha1", "sha1 !!!", "sha1 AAAA", "", "sha256 " + coded(b"x" * 20)]
)
async def test_an_unusable_checksum_is_a_bad_parameter(ann, wrong):
    address = await ann.begun(PHOTO)
    answer = await ann.patch(address, 0, PHOTO[:9], **{"upload-checksum": wrong})
    assert (answer.status_code, slug(answer)) == (400, "invalid-parameter")
    assert await ann.offset(address) == 0


async def test_a_chunk_beyond_the_end_is_refused_and_dropped(ann):
    address = await ann.begun(PHOTO)
    answer = await ann.patch(address, 0, PHOTO + b"x")
    assert (answer.status_code, slug(answer)) == (413, "body-too-large")
    assert await ann.offset(address) == 0


async def test_another_version_of_tus_is_refused_with_ours(ann):
    address = await ann.begun(PHOTO)
    for version in ({"tus-resumable": "0.2.2"}, {"tus-resumable": ""}):
        answer = await ann.patch(address, 0, PHOTO[:9], **version)
        assert answer.status_code == 412
        assert answer.headers["tus-version"] == "1.0.0"
    assert await ann.offset(address) == 0


async def test_a_body_of_another_type_is_refused(ann):
    address = await ann.begun(PHOTO)
    answer = await ann.patch(address, 0, PHOTO[:9], **{"content-type": "image/jpeg"})
    assert (answer.status_code, slug(answer)) == (415, "unsupported-media")
    packed = await ann.patch(address, 0, PHOTO[:9], **{"content-encoding": "gzip"})
    assert packed.status_code == 415


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"upload-length": "0"}, 400),
        ({"upload-length": ""}, 400),
        ({"upload-length": "-1"}, 400),
        ({"upload-length": "1" * 16}, 400),
        ({"upload-length": str(20 * 1024 * 1024 + 1)}, 413),
        ({"upload-metadata": ""}, 400),
        ({"upload-metadata": f"hash {coded('sha256:12')}"}, 400),
        ({"upload-metadata": metadata(hash_of(b"")).replace("filetype", "type")}, 400),
        ({"upload-metadata": "hash ###,filetype aW1hZ2U="}, 400),
        ({"upload-metadata": "x" * 3_000}, 400),
        ({"upload-metadata": metadata(hash_of(b""), "image/gif")}, 415),
        ({"upload-metadata": metadata(hash_of(b""), "image/heic")}, 415),
        ({"upload-metadata": metadata(hash_of(b""), "application/pdf")}, 415),
    ],
)
async def test_a_creation_that_cannot_end_well_is_refused_at_once(ann, headers, status):
    answer = await ann.begin(PHOTO, **headers)
    assert answer.status_code == status, answer.text


async def test_another_persons_upload_does_not_exist(ann, hand, client):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:50])
    others = [hand("bob"), hand("dispatcher"), hand("ann")]  # Ann's console is not her phone
    for other in others:
        assert (await other.look(address)).status_code == 404
        assert (await other.patch(address, 50, PHOTO[50:])).status_code == 404
        gone = await client.delete(address, headers=other.headers)
        assert gone.status_code == 404
    assert await ann.offset(address) == 50


async def test_nothing_is_read_before_it_is_known_who_sends(client, ann):
    address = await ann.begun(PHOTO)
    read = []

    async def body():
        read.append(1)
        yield PHOTO

    told = TUS | {"upload-offset": "0", "content-type": CHUNK}
    for token in ({}, {"authorization": "Bearer wrong"}):
        answer = await client.patch(address, content=body(), headers=told | token)
        assert answer.status_code == 401
    assert await ann.offset(address) == 0


async def test_analysts_and_administrators_have_no_business_here(hand):
    for login in ("analyst", "admin"):
        assert (await hand(login).begin(PHOTO)).status_code == 403
        assert (await hand(login).fetch(hash_of(PHOTO))).status_code == 403


async def test_a_second_writer_is_sent_away_at_once(ann, media):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:10])
    fd = os.open(media.partials.path(address.rsplit("/", 1)[-1]), os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        answer = await ann.patch(address, 10, PHOTO[10:])
        assert (answer.status_code, slug(answer)) == (423, "upload-locked")
        assert int(answer.headers["retry-after"]) >= 1
        assert await ann.offset(address) == 10
    finally:
        os.close(fd)
    assert (await ann.patch(address, 10, PHOTO[10:])).status_code == 204


async def test_of_two_writers_at_once_one_wins_and_the_file_is_whole(ann):
    for seed in range(5):
        photo = plain_jpeg(seed)
        address = await ann.begun(photo)
        answers = await asyncio.gather(*(ann.patch(address, 0, photo) for _ in range(4)))
        codes = sorted(each.status_code for each in answers)
        assert codes[0] == 204
        assert set(codes[1:]) <= {409, 423}
        assert (await ann.fetch(hash_of(photo))).status_code == 200


async def test_other_bytes_than_announced_are_dropped_and_asked_for_again(ann):
    address = await ann.begun(PHOTO)
    answer = await ann.patch(address, 0, PHOTO[:-1] + b"x")
    assert (answer.status_code, slug(answer)) == (422, "media-hash-mismatch")
    assert (await ann.look(address)).status_code == 404
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 404
    await ann.stored(PHOTO)


async def test_an_upload_given_up_is_gone_with_its_bytes(ann, client, media):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:50])
    assert (await client.delete(address, headers=ann.headers)).status_code == 204
    assert (await ann.look(address)).status_code == 404
    assert list(media.partials.folder.iterdir()) == []


async def test_starting_again_takes_the_place_of_what_was_begun(ann):
    first = await ann.begun(PHOTO)
    await ann.patch(first, 0, PHOTO[:50])
    second = await ann.begun(PHOTO)
    assert (await ann.look(first)).status_code == 404
    assert await ann.offset(second) == 0


async def test_a_finished_upload_can_still_be_asked_about(ann):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO)
    assert await ann.offset(address) == len(PHOTO)
    assert (await ann.patch(address, len(PHOTO), b"")).status_code == 204
    assert (await ann.patch(address, 0, PHOTO)).status_code == 409


async def test_bytes_that_were_complete_when_the_server_died_are_finished_by_the_next_look(
    ann, media
):
    address = await ann.begun(PHOTO)
    await ann.patch(address, 0, PHOTO[:-5])
    with media.partials.path(address.rsplit("/", 1)[-1]).open("ab") as partial:
        partial.write(PHOTO[-5:])
    assert await ann.offset(address) == len(PHOTO)
    assert (await ann.fetch(hash_of(PHOTO))).status_code == 200


async def test_what_the_caller_has_sent_before_is_finished_at_once(ann, hand):
    await ann.stored(PHOTO)
    answer = await ann.begin(PHOTO)
    assert answer.headers["upload-offset"] == str(len(PHOTO))
    assert await ann.offset(answer.headers["location"]) == len(PHOTO)
    stranger = await hand("cat").begin(PHOTO)
    assert stranger.headers["upload-offset"] == "0"


@pytest.mark.parametrize("limits", [Limits(uploads_open=2)])
async def test_an_account_has_a_number_of_unfinished_uploads(ann):
    await ann.begun(plain_jpeg(1))
    await ann.begun(plain_jpeg(2))
    answer = await ann.begin(plain_jpeg(3))
    assert (answer.status_code, slug(answer)) == (429, "quota-exceeded")
    assert (await ann.begin(plain_jpeg(2))).status_code == 201


@pytest.mark.parametrize(
    "limits", [Limits(device_upload_bytes=2_000), Limits(account_upload_bytes=2_000)]
)
async def test_a_device_and_an_account_have_a_number_of_bytes(ann):
    small, large = wav(b"ab" * 200), wav(b"ab" * 900)
    await ann.begun(small, "audio/wav")
    answer = await ann.begin(large, "audio/wav")
    assert (answer.status_code, slug(answer)) == (429, "quota-exceeded")


async def test_a_revoked_phone_sends_no_photos(ann, phone, client, world):
    boss = {"authorization": f"Bearer {world.tokens['dispatcher']}"}
    answer = await client.post(f"/v1/devices/{phone.id}/revoke", headers=boss)
    assert answer.status_code == 204
    refused = await ann.begin(PHOTO)
    assert (refused.status_code, slug(refused)) == (403, "device-revoked")


@given(data=st.data())
async def test_any_sequence_of_right_and_wrong_chunks_keeps_the_prefix(data):
    """The model: a file is a prefix of the photo and grows only by chunks at its end."""

    content = jpeg()[:400]
    with tempfile.TemporaryDirectory() as folder:
        partials = Partials(folder)
        at = 0
        for _ in range(data.draw(st.integers(1, 6))):
            size = data.draw(st.integers(0, 200))
            piece = content[at : at + size]
            sound = data.draw(st.booleans())
            digest = hashlib.sha1(piece if sound else piece + b"x").digest()  # noqa: S324

            async def pieces(piece=piece):
                yield piece[:7]
                yield piece[7:]

            with partials.locked("one") as partial:
                assert partial.size == at
                try:
                    await receive(
                        partial,
                        pieces(),
                        room=len(content) - at,
                        checksum=Checksum(algorithm="sha1", digest=digest),
                    )
                    at += len(piece)
                    assert sound
                except Problem:
                    assert not sound
        assert partials.path("one").read_bytes() == content[:at]
