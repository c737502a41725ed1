"""Of a photo only its pixels are kept, whatever else was in the file, and nothing explodes."""

import errno
import io
import struct
import subprocess
import sys
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from server.media import stripping
from server.media.cleaning import clean
from server.media.sound import NotThatSound, cleaned_adts, cleaned_wav
from server.settings import Limits
from tests.media import pictures

pytestmark = pytest.mark.anyio
PIXELS = 50_000_000
FORMS = {
    "image/jpeg": pictures.jpeg(),
    "image/png": pictures.png(),
    "image/webp": pictures.webp(),
    "audio/wav": pictures.wav(),
}
MARKS = (b"Exif", b"http:", b"Photoshop", b"8BIM", b"ICC_PROFILE", b"iCCP", b"eXIf", b"XMP")
MORE_MARKS = (b"xmpmeta", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"seCr", b"LIST", b"bext", b"PK")


@pytest.fixture(autouse=True)
def any_size():
    """What strips sets the limit of its process; here that is the process of all tests."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    yield
    Image.MAX_IMAGE_PIXELS = limit


@pytest.fixture
def cleaned(tmp_path):
    """Strip some bytes in the real child process; returns the verdict and what was written."""

    async def run(content: bytes, pixels_max: int = PIXELS, **more: int):
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(content)
        target.unlink(missing_ok=True)
        verdict = await clean(source, target, pixels_max=pixels_max, **more)
        return verdict, target.read_bytes() if target.exists() else b""

    return run


@pytest.mark.parametrize("media_type", FORMS)
async def test_no_byte_of_metadata_is_left(cleaned, media_type):
    assert pictures.SECRET in FORMS[media_type]
    verdict, found = await cleaned(FORMS[media_type])
    assert verdict.media_type == media_type
    assert verdict.refused is None
    for mark in (pictures.SECRET, *MARKS, *MORE_MARKS):
        assert mark not in found, mark


async def test_what_is_left_of_a_jpeg_are_the_segments_of_its_pixels(cleaned):
    _, found = await cleaned(pictures.jpeg())
    at, seen = 2, []
    while found[at + 1] != 0xDA:
        seen.append(found[at + 1])
        at += 2 + struct.unpack_from(">H", found, at + 2)[0]
    assert set(seen) == {0xE0, 0xDB, 0xC0, 0xC4}
    assert found.endswith(b"\xff\xd9")
    assert found.count(b"\xff\xd8\xff") == 1


async def test_what_is_left_of_a_png_are_three_kinds_of_chunks(cleaned):
    _, found = await cleaned(pictures.png())
    at, seen = 8, []
    while at < len(found):
        size, name = struct.unpack_from(">I4s", found, at)
        seen.append(name)
        at += 12 + size
    assert at == len(found)
    assert set(seen) == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_picture_stands_upright_without_being_told_how_it_was_held(
    cleaned, orientation
):
    _, found = await cleaned(pictures.jpeg(orientation))
    upright = Image.open(io.BytesIO(pictures.jpeg(orientation)))
    wanted = ImageOps.exif_transpose(upright)
    got = Image.open(io.BytesIO(found))
    assert got.size == wanted.size
    for place in ((2, 2), (got.width - 3, 2), (2, got.height - 3)):
        near = zip(got.getpixel(place), wanted.getpixel(place), strict=True)
        assert all(abs(one - other) < 40 for one, other in near)


async def test_transparent_and_grey_and_indexed_pictures_are_kept_as_seen(cleaned):
    for mode, form in (("RGBA", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("L", "JPEG")):
        out = io.BytesIO()
        Image.new(mode, (8, 8)).save(out, form)
        verdict, found = await cleaned(out.getvalue())
        assert verdict.refused is None, mode
        assert Image.open(io.BytesIO(found)).size == (8, 8)


HOSTILE = {
    "nothing": (b"", "type"),
    "text": (b"<html><script>alert(1)</script>", "type"),
    "gif": (b"GIF89a" + b"\0" * 100, "type"),
    "pdf": (b"%PDF-1.7\n" + b"\0" * 100, "type"),
    "svg": (b"<svg xmlns='x'/>", "type"),
    "heic": (b"\0\0\0\x18ftypheic" + b"\0" * 100, "type"),
    "zip": (b"PK\x03\x04" + b"\0" * 100, "type"),
    "bmp": (b"BM" + b"\0" * 100, "type"),
    "tiff": (b"II*\0" + b"\0" * 100, "type"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "type"),
    "only the start of a jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "unreadable"),
    "half a jpeg": (pictures.plain_jpeg()[:300], "unreadable"),
    "half a png": (pictures.png()[:200], "unreadable"),
    "half a webp": (pictures.webp()[:150], "unreadable"),
    "a png that calls itself jpeg": (b"\xff\xd8\xff" + pictures.png(), "unreadable"),
    "pixels for 4,000,000,000": (pictures.png_of(60_000, 60_000, b""), "pixels"),
    "a webp of 16,000 megapixels": (pictures.huge_webp(1 << 17, 1 << 17), "pixels"),
    "a webp of 150 megapixels": (pictures.huge_webp(15_000, 10_000), "pixels"),
    "pixels in one line": (pictures.png_of(40_000, 1, b""), "pixels"),
    "a png of nothing": (pictures.png_of(0, 0, b""), "unreadable"),
    "a text that unpacks to 200 MB": (
        b"\x89PNG\r\n\x1a\n"
        + pictures.chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
        + pictures.chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 200_000_000, 9))
        + pictures.chunk(b"IDAT", b"")
        + pictures.chunk(b"IEND", b""),
        "unreadable",
    ),
    "wav without samples": (pictures.wav(b""), "unreadable"),
    "wav of another coding": (pictures.wav().replace(b"\x01\0\x01\0", b"\x55\0\x01\0"), None),
    "aac with a name in front": (b"ID3" + pictures.adts(), "type"),
    "aac with a name behind": (pictures.adts() + b"TAG" + b"\0" * 125, "unreadable"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_photo_is_refused_for_a_reason_that_stays(cleaned, name):
    content, code = HOSTILE[name]
    verdict, found = await cleaned(content)
    assert verdict.refused == (code or "unreadable")
    assert found == b""
    assert (await cleaned(content))[0] == verdict


async def test_a_file_with_two_natures_keeps_only_its_pixels(cleaned):
    script = b"<script>" + pictures.SECRET + b"</script>"
    for content in (pictures.plain_jpeg() + b"PK\x03\x04" + script, pictures.png() + script):
        _, found = await cleaned(content)
        assert found
        assert b"<script>" not in found
        assert pictures.SECRET not in found


async def test_a_picture_that_unpacks_to_too_much_takes_no_more_than_its_process_may(cleaned):
    row = b"\0" + b"\0" * (7_000 * 3)
    content = pictures.png_of(7_000, 7_000, zlib.compress(row * 7_000, 1))
    verdict, found = await cleaned(content)
    assert verdict.refused is None
    assert len(content) < 1_000_000
    assert Image.open(io.BytesIO(found)).size == (7_000, 7_000)
    assert (await cleaned(content, 40_000_000))[0].refused == "pixels"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["jpeg", "progressive jpeg", "png", "webp", "webp with transparency"]
)
async def test_the_largest_picture_is_kept_however_dear_it_is(cleaned, name):
    content = pictures.largest(name)
    assert 5_000_000 < len(content) <= Limits().upload_bytes
    verdict, found = await cleaned(content, Limits().photo_pixels)
    assert verdict.refused is None
    assert Image.open(io.BytesIO(found)).size == pictures.LARGEST


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_one_row_more_than_the_largest_picture_is_refused(cleaned, form):
    out = io.BytesIO()
    width, height = pictures.LARGEST
    Image.new("RGB", (width, height + 1)).save(out, form)
    verdict, found = await cleaned(out.getvalue(), Limits().photo_pixels)
    assert verdict.refused == "pixels"
    assert found == b""


async def test_a_picture_that_takes_too_long_is_refused_for_that_reason(cleaned):
    """The verdict is about the bytes, so the phone is not told to come again with them."""
    content = pictures.scanned_again(20_000)
    assert len(content) < 500_000
    verdict, found = await cleaned(content, cpu_s=1)
    assert (verdict.refused, found) == ("effort", b"")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), stripping.TOO_COSTLY),
        (OSError(errno.EFBIG, "too large"), stripping.TOO_COSTLY),
        (OSError(errno.ENOSPC, "full"), stripping.NO_ROOM),
        (OSError("broken data stream"), stripping.UNREADABLE),
        (ValueError("damaged"), stripping.UNREADABLE),
        (stripping.TooManyPixels(), stripping.TOO_MANY_PIXELS),
    ],
)
def test_each_failure_has_the_code_of_its_reason(error, code):
    assert stripping.code_of(error) == code


def test_the_process_limits_itself_before_it_looks(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(pictures.jpeg())
    code = (
        "import resource, sys; from server.media import stripping as s;"
        "s.limit_process(s.Bounds(1_000, 7));"
        "print([resource.getrlimit(k) for k in"
        " (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, check=True, text=True
    )
    memory = stripping.Bounds(1_000).memory_bytes
    assert done.stdout.strip() == str([(memory, memory), (7, 12), (0, 0)])


def test_a_wav_is_its_format_and_its_samples():
    samples = bytes(range(200)) * 4
    found = cleaned_wav(pictures.wav(samples))
    assert found[:4] == b"RIFF"
    assert found[8:16] == b"WAVEfmt "
    assert found[36:40] == b"data"
    assert found[44:] == samples
    assert cleaned_wav(found) == found


def test_an_aac_stream_is_kept_as_it_is():
    whole = pictures.adts()
    assert cleaned_adts(whole) == whole


@given(st.integers(0, 20), st.binary(min_size=1, max_size=20))
def test_nothing_can_stand_between_the_frames_of_an_aac_stream(frame, hidden):
    """Inside a frame anything may be: the sound is not decoded (docs/privacy.md)."""
    assume(not hidden.startswith(b"\xff"))
    whole = pictures.adts()
    place = frame * len(whole) // 20
    with pytest.raises(NotThatSound):
        cleaned_adts(whole[:place] + hidden + whole[place:])


@given(st.binary(max_size=200))
def test_no_bytes_make_the_sound_formats_fail_in_another_way(content):
    for cleaning in (cleaned_wav, cleaned_adts):
        try:
            cleaning(content)
        except NotThatSound:
            continue
