"""District keys: what wraps data keys and makes blind indexes. Never stored in the database.

A district key is one secret of 32 bytes. Keys for its three uses are derived from it, so that
none of them says anything of the others: wrapping, the index of each field, and a check value
by which a wrong secret under a known id is noticed.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.clock import random_bytes
from server.sealed.envelope import DataKey
from server.sealed.problems import SealingUnavailable
from server.sealed.suites import BY_MARK, NONCE, SUITES, Suite, Tampered, bound_to

SECRET: Final = 32
INDEX: Final = 16
CHECK: Final = 8
KEYS_MAX: Final = 32
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MAGIC: Final = b"JWK1"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DistrictKey:
    """One district key in the clear."""

    id: str
    suite: Suite
    secret: bytes

    def check(self) -> bytes:
        """Return what may be stored to recognise this key: it opens nothing."""
        key = self.suite.derive(self.secret, "check")
        return self.suite.keyed_hash(key, self.id.encode())[:CHECK]

    def index_of(self, field: str, text: str) -> bytes:
        """Return the blind index of `text` in `field`: equal for equal texts, else not."""
        key = self.suite.derive(self.secret, f"index {field}")
        return self.suite.keyed_hash(key, text.encode())[:INDEX]

    def wrap(self, key: DataKey) -> bytes:
        """Return a data key as it may lie in the vault."""
        nonce = random_bytes(NONCE)
        wrapping = self.suite.derive(self.secret, "wrap")
        wrapped = self.suite.encrypt(
            wrapping, nonce, key.key, _bound(self.id, key.id, key.suite)
        )
        name = self.id.encode()
        return _MAGIC + bytes([key.suite.mark, len(name)]) + name + nonce + wrapped

    def unwrap(self, key_id: str, wrapped: bytes) -> DataKey:
        """Return the data key `key_id` that was wrapped by this key.

        Raises:
            Tampered: if it was not, or is damaged.
        """
        if wrapper_of(wrapped) != self.id:
            raise Tampered
        suite = BY_MARK[wrapped[4]]
        rest = wrapped[6 + wrapped[5] :]
        key = self.suite.decrypt(
            self.suite.derive(self.secret, "wrap"),
            rest[:NONCE],
            rest[NONCE:],
            _bound(self.id, key_id, suite),
        )
        return DataKey(id=key_id, suite=suite, key=key)


def _bound(district: str, key_id: str, suite: Suite) -> bytes:
    return bound_to("jingwei data key", district, key_id, suite.name)


def wrapper_of(wrapped: bytes) -> str:
    """Return the id of the district key that wrapped a data key.

    Raises:
        Tampered: if it is not a wrapped data key.
    """
    if wrapped[:4] != _MAGIC or len(wrapped) < 6 or wrapped[4] not in BY_MARK:
        raise Tampered
    name = wrapped[6 : 6 + wrapped[5]]
    try:
        return name.decode("ascii")
    except UnicodeDecodeError as error:
        raise Tampered from error


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """All district keys that can be used, by id; the first seals until another is named."""

    keys: Mapping[str, DistrictKey]

    @property
    def first(self) -> DistrictKey:
        """The first key of the ring."""
        return next(iter(self.keys.values()))


def new_key(key_id: str, suite: str) -> DistrictKey:
    """Return a new district key.

    Raises:
        SealingUnavailable: if `key_id` is not 1 to 40 of a-z, 0-9 and -.
    """
    if not _ID.fullmatch(key_id):
        raise SealingUnavailable("A key id is 1 to 40 of a-z, 0-9 and -.")
    return DistrictKey(id=key_id, suite=SUITES[suite], secret=random_bytes(SECRET))


def write_keyring(keys: Sequence[DistrictKey]) -> str:
    """Return keys as the text that `read_keyring` reads."""
    listed = [
        {"id": each.id, "suite": each.suite.name, "secret": b64encode(each.secret).decode()}
        for each in keys
    ]
    return json.dumps({"keys": listed}, indent=2) + "\n"


def read_keyring(text: str) -> Keyring:
    """Return the keyring of a JSON text `{"keys": [{"id", "suite", "secret"}, …]}`.

    Raises:
        SealingUnavailable: if it is none. What it says never repeats a part of the text.
    """
    try:
        listed = json.loads(text)["keys"]
        keys = [_key_of(each) for each in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise SealingUnavailable("The keyring cannot be read.") from error
    found = {each.id: each for each in keys}
    if not 1 <= len(keys) <= KEYS_MAX or len(found) < len(keys):
        raise SealingUnavailable(f"A keyring holds 1 to {KEYS_MAX} keys of different ids.")
    return Keyring(found)


def _key_of(each: Any) -> DistrictKey:
    key_id, secret = each["id"], b64decode(each["secret"], validate=True)
    if not _ID.fullmatch(key_id) or len(secret) != SECRET:
        raise ValueError("not a key")
    return DistrictKey(id=key_id, suite=SUITES[each["suite"]], secret=secret)
