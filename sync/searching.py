"""What a name, a telephone number, a door or an address is looked for by: its search key.

A key forgets how something was typed: width, case, spaces, hyphens and other marks. Two texts
that a person reads as the same have the same key, and a text is found by how its key begins
(a name, a door, an address) or ends (a telephone number, an address). Nothing is cut into
pieces: pieces of names are few enough to be guessed from how often they occur.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

KEY_CHARS_MAX: Final = 64
PHONE_DIGITS_MIN: Final = 4
"""Fewer last digits of a telephone number find too many people."""
LAST: Final = "\U0010ffff"
_KEPT: Final = frozenset("LNM")
_NOT_KEPT_ASCII: Final = re.compile("[^0-9a-z]+")
_COUNTRY: Final = ("0086", "86")
_MOBILE_DIGITS: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The keys from `low` to below `high`, in the order of code points."""

    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What one text asks for: how a key begins, how it ends, how a telephone number ends."""

    begins: Span
    ends: Span
    phone_ends: Span | None


def search_key(text: str | None) -> str | None:
    """The first 64 letters and digits of `text` without width and case; None if it has none."""
    return _plain(text)[:KEY_CHARS_MAX] or None


def end_key(text: str | None) -> str | None:
    """The last 64 letters and digits of `text`, the last one first; None if it has none."""
    return _plain(text)[::-1][:KEY_CHARS_MAX] or None


def phone_key(text: str | None) -> str | None:
    """The digits of a telephone number, the last one first; None if it has none.

    The country's own prefix before a mobile number is left out.
    """
    return _national(_digits(text))[::-1][:KEY_CHARS_MAX] or None


def sought(text: str) -> Sought | None:
    """What a person who typed `text` looks for; None if it holds no letter and no digit."""
    begins, ends = search_key(text), end_key(text)
    if begins is None or ends is None:
        return None
    phone = phone_key(text) if begins == _digits(text)[:KEY_CHARS_MAX] else None
    long_enough = phone is not None and len(phone) >= PHONE_DIGITS_MIN
    return Sought(
        begins=_beginning(begins),
        ends=_beginning(ends),
        phone_ends=_beginning(phone) if phone is not None and long_enough else None,
    )


def _beginning(key: str) -> Span:
    return Span(low=key, high=key + LAST)


def _plain(text: str | None) -> str:
    if text is not None and text.isascii():  # most doors and telephone numbers; much faster
        return _NOT_KEPT_ASCII.sub("", text.lower())
    folded = unicodedata.normalize("NFKC", text or "").casefold()
    kept = "".join(
        each for each in unicodedata.normalize("NFKD", folded) if _is_kept(each)
    ).casefold()
    return unicodedata.normalize("NFC", kept)


def _is_kept(character: str) -> bool:
    return unicodedata.category(character)[0] in _KEPT


def _digits(text: str | None) -> str:
    """The decimal digits of `text` as ASCII."""
    return "".join(str(unicodedata.decimal(each)) for each in _plain(text) if each.isdecimal())


def _national(digits: str) -> str:
    for prefix in _COUNTRY:
        rest = digits.removeprefix(prefix)
        if rest != digits and len(rest) == _MOBILE_DIGITS and rest.startswith("1"):
            return rest
    return digits
