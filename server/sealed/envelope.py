"""A sealed value: which key sealed it, a nonce, the encrypted text and its tag.

    suite (1) · id of the data key (16) · nonce (12) · text, padded (64 n) · tag (16)

What is sealed is bound to its place, so that a value moved to another row, field or table, or
under the name of another key, is refused like one that was changed.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from server.clock import random_bytes
from server.sealed.suites import BY_MARK, NONCE, TAG, Suite, Tampered, bound_to

TEXT_BYTES_MAX: Final = 4_096
_PADDED: Final = 64
_LENGTH: Final = 2
_KEY_ID: Final = slice(1, 17)
_TEXT: Final = 17 + NONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands; it can be read nowhere else."""

    table: str
    record: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DataKey:
    """The key of one household, in the clear. Lives in memory for as long as one request."""

    id: str
    suite: Suite
    key: bytes


def new_data_key(suite: Suite, key_id: str) -> DataKey:
    """Return a data key that nobody had before, under `key_id` (a UUID)."""
    return DataKey(id=key_id, suite=suite, key=random_bytes(suite.key_bytes))


def seal(key: DataKey, place: Place, text: str) -> bytes:
    """Return `text`, at most `TEXT_BYTES_MAX` bytes in UTF-8, sealed for one place.

    Its length is hidden up to a multiple of 64 bytes.

    Raises:
        ValueError: if the text is too long.
    """
    return seal_with(key, place, text, random_bytes(NONCE))


def seal_with(key: DataKey, place: Place, text: str, nonce: bytes) -> bytes:
    """Do what `seal` does with a nonce of the caller's."""
    plain = text.encode()
    if len(plain) > TEXT_BYTES_MAX:
        raise ValueError(f"at most {TEXT_BYTES_MAX} bytes can be sealed")
    told = len(plain).to_bytes(_LENGTH, "big") + plain
    padded = told + bytes(-len(told) % _PADDED)
    sealed = key.suite.encrypt(key.key, nonce, padded, _bound(key, place))
    return bytes([key.suite.mark]) + uuid.UUID(key.id).bytes + nonce + sealed


def key_id_of(sealed: bytes) -> str:
    """Return the id of the data key that `sealed` names.

    Raises:
        Tampered: if it is not a sealed value.
    """
    if len(sealed) < _TEXT + TAG or sealed[0] not in BY_MARK:
        raise Tampered
    return str(uuid.UUID(bytes=sealed[_KEY_ID]))


def unseal(key: DataKey, place: Place, sealed: bytes) -> str:
    """Return the text that was sealed by this key for this place.

    Raises:
        Tampered: if a bit of value, key or place differs.
    """
    if key_id_of(sealed) != key.id or sealed[0] != key.suite.mark:
        raise Tampered
    nonce, text = sealed[_TEXT - NONCE : _TEXT], sealed[_TEXT:]
    padded = key.suite.decrypt(key.key, nonce, text, _bound(key, place))
    length = int.from_bytes(padded[:_LENGTH], "big")
    return padded[_LENGTH : _LENGTH + length].decode()


def _bound(key: DataKey, place: Place) -> bytes:
    return bound_to(
        "jingwei value", key.suite.name, place.table, place.record, place.field, key.id
    )
