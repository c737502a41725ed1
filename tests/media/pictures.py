"""Photos as cameras write them, with secrets in every place where metadata can hide."""

import io
import random
import struct
import zlib

from PIL import Image, PngImagePlugin

SECRET = b"SECRET-PLACE"
ORIENTATION, DESCRIPTION, MAKER_NOTE, GPS = 0x0112, 0x010E, 0x927C, 0x8825
COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 30))


def quarters(size: int = 64) -> Image.Image:
    """A picture with another colour in each quarter, so that turning it can be seen."""
    picture = Image.new("RGB", (size, size // 2))
    for number, colour in enumerate(COLOURS):
        box = Image.new("RGB", (size // 2, size // 4), colour)
        picture.paste(box, ((number % 2) * size // 2, (number // 2) * size // 4))
    return picture


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[DESCRIPTION] = SECRET.decode()
    made.get_ifd(GPS)[1] = "N"
    made.get_ifd(GPS)[2] = (31.0, 14.0, 7.0)
    made.get_ifd(0x8769)[MAKER_NOTE] = SECRET
    return made


def jpeg(orientation: int = 1, size: int = 64) -> bytes:
    """JPEG with Exif, XMP, IPTC, an ICC profile, a comment, and bytes after its end."""
    out = io.BytesIO()
    thumbnail = SECRET + b"thumbnail"
    quarters(size).save(
        out,
        "JPEG",
        quality=95,
        exif=exif(orientation).tobytes() + thumbnail,
        comment=SECRET,
        icc_profile=SECRET * 20,
        xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>",
    )
    whole = out.getvalue()
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0c" + SECRET
    segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    return whole[:2] + segment + whole[2:] + b"PK\x03\x04" + SECRET


def png(size: int = 64) -> bytes:
    """PNG with text of all kinds, Exif, a time, an unknown chunk, and bytes after its end."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_text("Zipped", SECRET.decode(), zip=True)
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    info.add(b"tIME", b"\x07\xea\x01\x01\x01\x01\x01")
    info.add(b"seCr", SECRET)
    out = io.BytesIO()
    quarters(size).save(out, "PNG", pnginfo=info, exif=exif().tobytes(), icc_profile=SECRET * 9)
    return out.getvalue() + SECRET


def webp(size: int = 64) -> bytes:
    """WebP with Exif, XMP and an ICC profile."""
    out = io.BytesIO()
    quarters(size).save(
        out,
        "WEBP",
        quality=95,
        exif=exif().tobytes(),
        xmp=SECRET,
        icc_profile=SECRET * 9,
    )
    return out.getvalue()


def plain_jpeg(seed: int = 0, size: int = 64) -> bytes:
    """A small JPEG that differs with `seed`."""
    out = io.BytesIO()
    picture = quarters(size)
    picture.putpixel((1, 1), (seed % 256, seed // 256 % 256, 7))
    picture.save(out, "JPEG", quality=95, comment=f"seed {seed}".encode())
    return out.getvalue()


def noisy_jpeg(seed: int, side: int) -> bytes:
    """A JPEG that does not compress: about half a byte a pixel and more."""
    noise = random.Random(seed).randbytes(side * side * 3)  # noqa: S311 - the same noise each time
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(out, "JPEG", quality=90)
    return out.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    checked = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checked


def png_of(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG that claims a size, whatever its pixels are."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def wav(samples: bytes = b"\x01\x02" * 400) -> bytes:
    """A WAV file with a list of names, and bytes after its end."""
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    parts = [
        (b"fmt ", form),
        (b"LIST", b"INFOIART" + struct.pack("<I", len(SECRET)) + SECRET),
        (b"data", samples),
        (b"bext", SECRET),
    ]
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(each)) + each + b"\0" * (len(each) % 2)
        for name, each in parts
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body + SECRET


def adts(frames: int = 20, size: int = 100) -> bytes:
    """An AAC stream of frames; the sound in them is noise."""
    length = size + 7
    header = bytes(
        [
            0xFF,
            0xF1,
            0x50,
            0x80 | length >> 11,
            length >> 3 & 0xFF,
            (length & 7) << 5 | 0x1F,
            0xFC,
        ]
    )
    return b"".join(header + bytes([number % 256] * size) for number in range(frames))


LARGEST = (8_000, 6_250)
"""Width and height of a picture of exactly 50 megapixels."""


def _full_of_detail(mode: str) -> Image.Image:
    """A picture of 50 megapixels of noise, the same in each of its hundred tiles."""
    picture = Image.new(mode, LARGEST)
    width, height = LARGEST[0] // 10, LARGEST[1] // 10
    noise = random.Random(5).randbytes(width * height * len(mode))  # noqa: S311 - repeatable
    tile = Image.frombytes(mode, (width, height), noise)
    for number in range(100):
        picture.paste(tile, (number % 10 * width, number // 10 * height))
    return picture


def largest(name: str) -> bytes:
    """The dearest picture of 50 megapixels of a kind that fits into one upload."""
    mode, form, how = {
        "jpeg": ("RGB", "JPEG", {"quality": 40}),
        "progressive jpeg": (
            "RGB",
            "JPEG",
            {"quality": 20, "progressive": True, "subsampling": 0},
        ),
        "png": ("RGB", "PNG", {"compress_level": 1}),
        "webp": ("RGB", "WEBP", {"quality": 20, "method": 2}),
        "webp with transparency": ("RGBA", "WEBP", {"quality": 5, "method": 2}),
    }[name]
    picture = _full_of_detail(mode)
    if mode == "RGBA":  # two bits of transparency a pixel
        picture.putalpha(picture.getchannel("A").point(lambda value: value >> 6 << 6))
    elif form == "PNG":  # one bit a pixel: more does not fit into 20 MiB
        picture = picture.convert("1").convert(mode)
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def scanned_again(scans: int) -> bytes:
    """A small progressive JPEG that has its last scan many times: each is decoded anew."""
    out = io.BytesIO()
    Image.new("RGB", (1_000, 1_000), (9, 99, 9)).save(out, "JPEG", progressive=True)
    whole = out.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + b"\xff\xd9"


def huge_webp(width: int, height: int) -> bytes:
    """A WebP that claims a size and has no pixels."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    header = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides
    return b"RIFF" + struct.pack("<I", len(header) + 4) + b"WEBP" + header
