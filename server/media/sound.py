"""Recordings: two formats whose every byte can be accounted for without decoding the sound.

WAV is written anew from its format and its samples; an AAC stream (ADTS) is a row of frames and
must be nothing else. Formats that carry places, names and pictures beside the sound (MP4, MP3)
are not taken (docs/decisions/0033-recordings.md).
"""

import struct

ADTS_TYPE = "audio/aac"
WAV_TYPE = "audio/wav"
_PCM = 1
_FORMAT_BYTES = 16
_HEADER = 7
_CRC = 2
_CHUNKS_MAX = 1_000


class NotThatSound(ValueError):  # noqa: N818 - says what is not so
    """The bytes are not a recording of the format they begin like."""


def is_wav(start: bytes) -> bool:
    """Say whether a file that begins with `start` claims to be WAV."""
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def is_adts(start: bytes) -> bool:
    """Say whether a file that begins with `start` claims to be an AAC stream."""
    return len(start) >= _HEADER and start[0] == 0xFF and start[1] & 0xF6 == 0xF0


def cleaned_wav(whole: bytes) -> bytes:
    """Return the same samples in a WAV file that holds nothing but them.

    Raises:
        NotThatSound: if it is not uncompressed WAV.
    """
    found: dict[bytes, bytes] = {}
    at = 12
    for _ in range(_CHUNKS_MAX):
        if at + 8 > len(whole):
            break
        name, size = struct.unpack_from("<4sI", whole, at)
        found.setdefault(name, whole[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    form, samples = found.get(b"fmt ", b""), found.get(b"data", b"")
    if len(form) < _FORMAT_BYTES or not samples:
        raise NotThatSound
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", form)
    if kind != _PCM or not _plausible(channels, rate, bits) or block != channels * bits // 8:
        raise NotThatSound
    samples = samples[: len(samples) - len(samples) % block]
    form = struct.pack("<HHIIHH", _PCM, channels, rate, rate * block, block, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(samples)) + samples + b"\0" * (len(samples) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _plausible(channels: int, rate: int, bits: int) -> bool:
    return channels in {1, 2} and 4_000 <= rate <= 192_000 and bits in {8, 16, 24, 32}


def cleaned_adts(whole: bytes) -> bytes:
    """Return an AAC stream as it is, once every byte of it belongs to a frame of one format.

    Raises:
        NotThatSound: if anything is before, between or after the frames.
    """
    at = 0
    form = whole[1:3]
    while at < len(whole):
        header = whole[at : at + _HEADER]
        if len(header) < _HEADER or not is_adts(header):
            raise NotThatSound
        if header[1] != form[0] or header[2] & 0xFC != form[1] & 0xFC:
            raise NotThatSound
        length = (header[3] & 0x03) << 11 | header[4] << 3 | header[5] >> 5
        if length <= _HEADER + (0 if header[1] & 1 else _CRC):
            raise NotThatSound
        at += length
    if at != len(whole) or not whole:
        raise NotThatSound
    return whole
