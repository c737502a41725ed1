"""Writes a photo or recording anew without metadata. Runs as a process of its own.

    python -m server.media.stripping SOURCE TARGET PIXELS

The parent trusts nothing but the exit code and the line on standard output, which is the media
type. The process limits its own memory, time and output before it looks at the first byte.
"""

import errno
import resource
import signal
import sys
from pathlib import Path

from server.media.sound import (
    ADTS_TYPE,
    WAV_TYPE,
    NotThatSound,
    cleaned_adts,
    cleaned_wav,
    is_adts,
    is_wav,
)

MEMORY_BYTES = 768 * 1024 * 1024
CPU_S = 10
OUTPUT_BYTES = 64 * 1024 * 1024
SIDE_MAX = 30_000
DONE, NO_ROOM, OTHER_TYPE, UNREADABLE, TOO_MANY_PIXELS = 0, 64, 65, 66, 67
_QUALITY = 90
_ORIENTATION = 0x0112
_START_BYTES = 16
_PICTURES = ("JPEG", "PNG", "WEBP")
_SAVED = {
    "JPEG": {"quality": _QUALITY},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": _QUALITY, "method": 4},
}


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

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(source, formats=[form]) as found:
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


def limit_process() -> None:
    """Bound what this process can take from the machine; it cannot be undone."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def main(arguments: list[str]) -> int:
    """Strip one file and return the exit code that tells the parent what became of it."""
    source, target, pixels_max = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    limit_process()
    try:
        media_type = strip(source, target, pixels_max)
    except TooManyPixels:
        return TOO_MANY_PIXELS
    except (NotThatSound, MemoryError):
        return UNREADABLE
    except OSError as error:
        return NO_ROOM if error.errno in {errno.ENOSPC, errno.EDQUOT} else UNREADABLE
    except Exception:  # noqa: BLE001 - decoders raise anything for a damaged file
        return UNREADABLE
    if media_type is None:
        return OTHER_TYPE
    sys.stdout.write(media_type)
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
