"""The one byte form of a JSON value, and the hashes and digests computed from it.

The form is RFC 8785 (JSON Canonicalization Scheme) for values without floats: keys sorted by
UTF-16 code units, no spaces, shortest escapes, UTF-8. Python, Kotlin, Swift and JavaScript
produce the same bytes, so a phone can check what it stores (protocol sections 3 and 6).
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from sync.fields import INT_LIMIT

EMPTY_DIGEST = "0" * 16
DEPTH_MAX = 64
_DIGEST_DIGITS = 16
_HASH_DIGITS = 32
_SORTED = json.JSONEncoder(
    check_circular=False,  # a circle is nested too deep, which is checked before
    ensure_ascii=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
).encode
_AS_GIVEN = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def canonical(value: Any, *, depth: int = DEPTH_MAX) -> bytes:
    """Return the RFC 8785 bytes of a JSON value made of str, int, bool, None, list and dict.

    Raises:
        ValueError: for a float, an integer outside +-2**53, a key that is not text, a lone
            surrogate, any other type, or nesting deeper than `depth`.
    """
    if _check(value, depth):
        return _SORTED(value).encode()
    return _AS_GIVEN(_in_utf16_order(value)).encode()


def _check(value: Any, depth: int) -> bool:
    """Check types and limits; True when sorting keys by code point is sorting by UTF-16."""
    if type(value) is str or value is None or isinstance(value, (str, bool)):
        return True
    if isinstance(value, int):
        if not -INT_LIMIT <= value <= INT_LIMIT:
            raise ValueError("integer beyond 2**53")
        return True
    if depth == 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return _check_members(value, depth)
    if isinstance(value, (list, tuple)):
        plain = True
        for each in value:
            plain &= _check(each, depth - 1)
        return plain
    raise ValueError("not a canonical JSON type")


def _check_members(value: dict[Any, Any], depth: int) -> bool:
    plain = True
    for key, each in value.items():
        if not isinstance(key, str):
            raise ValueError("key is not text")  # noqa: TRY004 - one error type by contract
        if type(each) is not str:  # most members are, and a call costs more than this
            plain &= _check(each, depth - 1)
        if not key.isascii() and max(key) > "\uffff":
            plain = False
    return plain


def _in_utf16_order(value: Any) -> Any:
    """Rebuild a value with keys in UTF-16 order, which differs above the basic plane only."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _in_utf16_order(value[key]) for key in keys}
    if isinstance(value, (list, tuple)):
        return [_in_utf16_order(each) for each in value]
    return value


def record_body(record_id: str, kind: str, rev: int, state: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of `{kind, record, rev, state}`, which phones store and hash.

    `state` comes from `sync.state.state_of`: its types were checked when they were accepted.
    """
    return _SORTED({"kind": kind, "record": record_id, "rev": rev, "state": state}).encode()


def record_hash(body: bytes) -> str:
    """Return the hash of a record body: the first 16 bytes of its SHA-256, 32 hex digits."""
    return sha256(body).hexdigest()[:_HASH_DIGITS]


def feed_item(body: bytes, record_hash: str) -> bytes:
    """Return a record body with its `hash` as first member, as it stands in the feed."""
    return b'{"hash":"' + record_hash.encode() + b'",' + body[1:]


def digest_toggle(digest: str, record_hash: str) -> str:
    """Return a bucket digest with one record's hash put in, or taken out if it was in.

    The digest is the XOR of the first 8 bytes of each hash, 16 hex digits, so order is
    irrelevant and toggling twice is doing nothing.
    """
    return f"{int(digest, 16) ^ int(record_hash[:_DIGEST_DIGITS], 16):016x}"


def digest_of(hashes: Iterable[str]) -> str:
    """Return the digest of a bucket that holds records with these hashes."""
    total = 0
    for each in hashes:
        total ^= int(each[:_DIGEST_DIGITS], 16)
    return f"{total:016x}"
