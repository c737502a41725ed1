"""What an identity number may look like, and how two spellings of one are made equal. Pure."""

import re
import unicodedata
from typing import Final, Literal

Kind = Literal["id_card", "passport", "permit"]
CHARS_MAX: Final = 64
_BETWEEN: Final = re.compile(r"[\s\-\u00b7]+")
_CARD: Final = re.compile(r"[0-9]{17}[0-9X]")
_OTHER: Final = re.compile(r"[A-Z0-9]{5,20}")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"


def normalised(kind: Kind, text: str) -> str:
    """Return the one spelling of a number: capital letters and digits, nothing between them.

    Raises:
        ValueError: if it is no number of that kind; the message never repeats it.
    """
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()
    if kind != "id_card":
        if not _OTHER.fullmatch(plain):
            raise ValueError("must be 5 to 20 letters and digits")
        return plain
    if not _CARD.fullmatch(plain):
        raise ValueError("must be 17 digits and a check character")
    if plain[17] != check_character(plain[:17]):
        raise ValueError("has a wrong check character")
    return plain


def check_character(digits: str) -> str:
    """Return the check character of 17 digits (ISO 7064, MOD 11-2)."""
    total = sum(int(each) * weight for each, weight in zip(digits, _WEIGHTS, strict=True))
    return _CHECKS[total % 11]
