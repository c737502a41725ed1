"""Writes a photo or recording anew without metadata. Runs as a process of its own.

    python -m server.media.stripping SOURCE TARGET PIXELS [SECONDS]

The parent trusts nothing but the exit code and the line on standard output, which is the media
type. The process limits its own memory, time and output before it looks at the first byte; what
it may take grows with the pixels a picture may have, so that every picture of that size fits.
"""

import errno
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from server.media.sound import (
    ADTS_TYPE,
    WAV_TYPE,
    cleaned_adts,
    cleaned_wav,
    is_adts,
    is_wav,
)

CPU_S = 40
SIDE_MAX = 30_000
DONE, NO_ROOM, OTHER_TYPE, UNREADABLE, TOO_MANY_PIXELS, TOO_COSTLY = 0, 64, 65, 66, 67, 68
_QUALITY = 90
_ORIENTATION = 0x0112
_START_BYTES = 16
_PICTURES = ("JPEG", "PNG", "WEBP")
_SAVED = {
    "JPEG": {"quality": _QUALITY},
    "PNG": {"compress_level": 3},  # higher levels take thrice the time for a tenth of the size
    # Higher methods take four times the time and twice the memory; with lower ones a large
    # picture full of detail does not fit the format (its first partition has 512 KiB).
    "WEBP": {"quality": _QUALITY, "method": 2},
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the process may take: seconds of one processor, and room for a number of pixels.

    At 50 megapixels the dearest picture is a WebP with transparency: it takes 1,340 MiB and 8
    seconds. A lossy WebP takes 810 MiB, a JPEG 410 to 600, a PNG 410. The largest output is
    that of a PNG with a palette: 56 MB.
    """

    pixels: int
    cpu_s: int = CPU_S

    @property
    def memory_bytes(self) -> int:
        """Address space, with Python and its libraries."""
        return 256 * 1024 * 1024 + 26 * self.pixels

    @property
    def output_bytes(self) -> int:
        """Size of what is written; a recording never becomes larger than it came."""
        return 64 * 1024 * 1024 + self.pixels


class TooManyPixels(ValueError):  # noqa: N818 - says what is so
    """The picture is larger than a picture may be."""


def picture_format(start: bytes) -> str | None:
    """Return the format of a picture that begins with `start`, if it is an accepted one."""
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    return None


def strip(source: Path, target: Path, pixels_max: int) -> str | None:
    """Write `source` anew to `target` and return its media type; None for an unknown type.

    Raises:
        Exception: whatever a damaged or hostile file provokes.
    """
    with source.open("rb") as opened:
        start = opened.read(_START_BYTES)
    form = picture_format(start)
    if form is not None:
        _strip_picture(source, target, form, pixels_max)
        return f"image/{form.lower()}"
    if is_wav(start):
        target.write_bytes(cleaned_wav(source.read_bytes()))
        return WAV_TYPE
    if is_adts(start):
        target.write_bytes(cleaned_adts(source.read_bytes()))
        return ADTS_TYPE
    return None


def _strip_picture(source: Path, target: Path, form: str, pixels_max: int) -> None:
    """Copy the pixels, turned upright, onto a new picture: nothing else can come along."""
    from PIL import Image  # noqa: PLC0415 - after the limits of the process are set

    # Pillow refuses more than twice this, for WebP before it makes room for the canvas.
    Image.MAX_IMAGE_PIXELS = (pixels_max + 1) // 2
    try:
        found = Image.open(source, formats=[form])
    except Image.DecompressionBombError:
        raise TooManyPixels from None
    with found:
        width, height = found.size
        if width * height > pixels_max or max(width, height) > SIDE_MAX:
            raise TooManyPixels
        turn = _TURNS.get(found.getexif().get(_ORIENTATION, 1))
        see_through = form != "JPEG" and found.has_transparency_data
        mode = "RGBA" if see_through else "RGB"
        found.load()
        picture: Image.Image = found if found.mode == mode else found.convert(mode)
    del found  # a picture of 50 megapixels takes 200 MB: never hold three of them
    if turn is not None:
        picture = picture.transpose(Image.Transpose(turn))
    fresh = Image.new(mode, picture.size)
    fresh.paste(picture)
    del picture
    fresh.save(target, form, **_SAVED[form])


# How a picture must be transposed to stand upright, by the number its camera wrote.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def limit_process(bounds: Bounds) -> None:
    """Bound what this process can take from the machine; it cannot be undone.

    The second limit of time is later than the first, which ends the process with SIGXCPU: with
    both at once it would be SIGKILL, which anybody may have sent.
    """
    for kind, most, hardest in (
        (resource.RLIMIT_AS, bounds.memory_bytes, bounds.memory_bytes),
        (resource.RLIMIT_CPU, bounds.cpu_s, bounds.cpu_s + 5),
        (resource.RLIMIT_FSIZE, bounds.output_bytes, bounds.output_bytes),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
    ):
        resource.setrlimit(kind, (most, hardest))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def main(arguments: list[str]) -> int:
    """Strip one file and return the exit code that tells the parent what became of it."""
    source, target, *numbers = arguments
    bounds = Bounds(*map(int, numbers))
    limit_process(bounds)
    try:
        media_type = strip(Path(source), Path(target), bounds.pixels)
    except Exception as error:  # noqa: BLE001 - decoders raise anything for a damaged file
        return code_of(error)
    if media_type is None:
        return OTHER_TYPE
    sys.stdout.write(media_type)
    return DONE


def code_of(error: Exception) -> int:
    """Return the exit code for what went wrong."""
    if isinstance(error, TooManyPixels):
        return TOO_MANY_PIXELS
    if isinstance(error, MemoryError):
        return TOO_COSTLY
    return _CODES.get(getattr(error, "errno", None), UNREADABLE)


_CODES: dict[int | None, int] = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EFBIG: TOO_COSTLY,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
