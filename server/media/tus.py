"""The headers of tus 1.0 (core, creation, creation-with-upload, checksum, expiration).

Reading them needs nothing but the text; every fault is a problem that names the header.
"""

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers

from server.problems import InvalidParameter, UnsupportedMedia
from server.upload_problems import TUS_VERSION, OtherTusVersion
from sync.fields import Media

CHUNK_TYPE = "application/offset+octet-stream"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
CHECKSUMS = {"sha1": 20, "sha256": 32}
METADATA_CHARS_MAX = 2_000
TYPE_CHARS_MAX = 100
CREATED, NO_CONTENT = HTTPStatus.CREATED, HTTPStatus.NO_CONTENT
_LENGTH, _OFFSET = "Upload-Length", "Upload-Offset"
_METADATA, _CHECKSUM = "Upload-Metadata", "Upload-Checksum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What a creation says of the file: its content hash, its media type, its size in bytes."""

    hash: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """The digest a chunk must have."""

    algorithm: str
    digest: bytes


def check_version(headers: Headers) -> None:
    """Refuse a request that does not speak tus 1.0."""
    if headers.get("tus-resumable") != TUS_VERSION:
        raise OtherTusVersion


def check_chunk_type(headers: Headers) -> None:
    """Refuse a body that is not announced as a plain piece of the file."""
    if headers.get("content-type", "").strip().lower() != CHUNK_TYPE:
        raise UnsupportedMedia(f"Send {CHUNK_TYPE}.")


def announced(headers: Headers) -> Announced:
    """Return what a creation announces.

    Raises:
        InvalidParameter: if the length, the hash or the type is missing or not usable.
    """
    size = _count(headers, _LENGTH)
    if size == 0:
        raise InvalidParameter(f"{_LENGTH}: must not be 0", parameter=_LENGTH)
    pairs = _metadata(headers.get(_METADATA, ""))
    named = pairs.get("hash", "")
    if Media().fault(named) is not None:
        raise _wrong_metadata("hash must be sha256: and 64 hexadecimal digits")
    media_type = pairs.get("filetype", "").partition(";")[0].strip().lower()
    if not 0 < len(media_type) <= TYPE_CHARS_MAX:
        raise _wrong_metadata("filetype must name the media type")
    return Announced(hash=named, media_type=media_type, size=size)


def offset_of(headers: Headers) -> int:
    """Return the offset at which a chunk begins."""
    return _count(headers, _OFFSET)


def checksum_of(headers: Headers) -> Checksum | None:
    """Return the checksum of a chunk, None if it has none."""
    text = headers.get(_CHECKSUM)
    if text is None:
        return None
    algorithm, _, coded = text.strip().partition(" ")
    length = CHECKSUMS.get(algorithm.lower())
    if length is None:
        known = ", ".join(CHECKSUMS)
        raise InvalidParameter(f"{_CHECKSUM}: known are {known}", parameter=_CHECKSUM)
    digest = _decoded(coded.strip())
    if digest is None or len(digest) != length:
        raise InvalidParameter(f"{_CHECKSUM}: is no digest in Base64", parameter=_CHECKSUM)
    return Checksum(algorithm=algorithm.lower(), digest=digest)


def _count(headers: Headers, name: str) -> int:
    text = headers.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise InvalidParameter(f"{name}: must be a number of bytes", parameter=name)
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """Return the pairs; keys that mean nothing here, such as a file name, are not kept."""
    if len(text) > METADATA_CHARS_MAX:
        raise _wrong_metadata(f"has more than {METADATA_CHARS_MAX} characters")
    pairs = {}
    for each in text.split(","):
        key, _, coded = each.strip().partition(" ")
        if key in {"hash", "filetype"}:
            value = _decoded(coded.strip())
            if value is None or not value.isascii():
                raise _wrong_metadata("values must be Base64")
            pairs[key] = value.decode("ascii")
    return pairs


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _wrong_metadata(why: str) -> InvalidParameter:
    return InvalidParameter(f"{_METADATA}: {why}", parameter=_METADATA)
