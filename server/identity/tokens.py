"""Opaque bearer tokens: how they look and how they are stored."""

import hashlib

from server.clock import new_secret

PREFIX = "jw_"


def new_token() -> str:
    """Return a new token: a prefix that secret scanners can know and 256 random bits."""
    return PREFIX + new_secret()


def token_hash(token: str) -> str:
    """Return the form in which a token is stored: SHA-256, 64 hexadecimal digits.

    A slow hash is not needed: 256 random bits cannot be guessed from their hash.
    """
    return hashlib.sha256(token.encode()).hexdigest()
