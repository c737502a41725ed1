"""The two suites of algorithms: what encrypts, what derives keys, what makes an index.

`intl` is AES-256-GCM-SIV, HKDF and HMAC with SHA-256. `gm` is SM4-GCM, HKDF and HMAC with SM3,
for where national algorithms are prescribed. Lengths in bytes.

A repeated nonce costs `intl` nothing but that equal values look equal. `gm` relies on nonces
that differ: 96 random bits under a key that seals the few values of one household.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE: Final = 12
TAG: Final = 16
Cipherwork = Callable[[bytes, bytes, bytes, bytes], bytes]
"""`(key, nonce, input, what it is bound to)` to the output."""


class Tampered(Exception):  # noqa: N818 - a state of what was stored
    """What was sealed is not what is there, or the key or the place are others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One set of algorithms. `mark` is the byte that stands in what it sealed."""

    name: str
    mark: int
    key_bytes: int
    hashed: Callable[[], hashes.HashAlgorithm]
    encrypt: Cipherwork
    decrypt: Cipherwork

    def derive(self, secret: bytes, purpose: str) -> bytes:
        """Return a key of this suite for one purpose; it says nothing of that of another."""
        info = f"jingwei {self.name} {purpose}".encode()
        return HKDF(self.hashed(), self.key_bytes, None, info).derive(secret)

    def keyed_hash(self, key: bytes, text: bytes) -> bytes:
        """Return the HMAC of `text`."""
        made = hmac.HMAC(key, self.hashed())
        made.update(text)
        return made.finalize()


def _siv_encrypt(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    return AESGCMSIV(key).encrypt(nonce, plain, bound)


def _siv_decrypt(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCMSIV(key).decrypt(nonce, sealed, bound)
    except (InvalidTag, ValueError) as error:
        raise Tampered from error


def _sm4_encrypt(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    encryptor = Cipher(SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(bound)
    return encryptor.update(plain) + encryptor.finalize() + encryptor.tag


def _sm4_decrypt(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
    text, tag = sealed[:-TAG], sealed[-TAG:]
    try:
        decryptor = Cipher(SM4(key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(bound)
        return decryptor.update(text) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise Tampered from error


INTL: Final = Suite(
    name="intl",
    mark=1,
    key_bytes=32,
    hashed=hashes.SHA256,
    encrypt=_siv_encrypt,
    decrypt=_siv_decrypt,
)
GM: Final = Suite(
    name="gm",
    mark=2,
    key_bytes=16,
    hashed=hashes.SM3,
    encrypt=_sm4_encrypt,
    decrypt=_sm4_decrypt,
)
SUITES: Final = {suite.name: suite for suite in (INTL, GM)}
BY_MARK: Final = {suite.mark: suite for suite in (INTL, GM)}


def bound_to(*parts: str) -> bytes:
    """Return `parts` as bytes from which each can be told: two lists never give the same."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(each).to_bytes(4, "big") + each for each in encoded)
