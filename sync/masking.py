"""Masks: what is shown of a name or a telephone number to somebody who does not need all of it.

`MASKS` is the one table of what is masked. A masked value depends on nothing but the characters
it shows: two values which differ only in what is hidden, or in how much is hidden, are masked
alike. It always holds a `*`, and no value that holds one is taken back, so that a masked value
never takes the place of the real one.

Phones hold their grids unmasked: a worker at the door needs the name, and the number to call.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sync.fields import DataClass, Field
from sync.kinds import KINDS
from sync.searching import phone_key

STAR: Final = "*"
IS_MASKED: Final = "is a masked value: give the whole one, or leave it out"
_HIDDEN: Final = "****"
_ENDS_FROM: Final = 5
_FOUR_FROM: Final = 8
_MOBILE_FROM: Final = 11
_BOTH_ENDS_FROM: Final = 3
_LETTERS: Final = frozenset("LNPS")


class Mask(StrEnum):
    """How much of a value is shown.

    NAME: the first character, and the last of three or more. PHONE: the first three and the
    last four digits of a number with eleven or more, the last four of one with eight or more,
    the last two of one with five or more. WHOLE: nothing.
    """

    NAME = "name"
    PHONE = "phone"
    WHOLE = "whole"


MASKS: Final[Mapping[str, Mapping[str, Mask]]] = MappingProxyType(
    {
        "household": MappingProxyType({"contact_phone": Mask.PHONE}),
        "resident": MappingProxyType({"name": Mask.NAME, "phone": Mask.PHONE}),
    }
)
_ANYWHERE: Final = MappingProxyType(
    {name: mask for masks in MASKS.values() for name, mask in masks.items()}
)


def mask_of(kind: str | None, name: str) -> Mask | None:
    """How a field is masked; None if it is shown.

    What no kind of record declares is masked as a field of its name is anywhere: it was meant
    as one. Fields of class P2 are hidden wholly.
    """
    declared = None if kind is None or kind not in KINDS else KINDS[kind].fields.get(name)
    if kind is None or declared is None:
        return _ANYWHERE.get(name)
    return declared_mask(kind, declared)


def declared_mask(kind: str, field: Field) -> Mask | None:
    """How a field that a kind declares is masked; None if it is shown."""
    if field.data_class is DataClass.P2:
        return Mask.WHOLE
    return MASKS.get(kind, {}).get(field.name)


def masked(mask: Mask, value: str) -> str:
    """Return what `mask` shows of a value; it holds a `*`, also for an empty value."""
    if mask is Mask.NAME:
        return _name(value)
    return _phone(value) if mask is Mask.PHONE else _HIDDEN


def shown(kind: str | None, name: str, value: Any) -> Any:
    """Return a field's value as it is shown; None stays None."""
    mask = mask_of(kind, name)
    return value if mask is None else _covered(mask, value)


def fault_of(kind: str, name: str, value: Any) -> str | None:
    """Say what is wrong with a value that somebody gives for a field, if it is a masked one."""
    if mask_of(kind, name) is None or not isinstance(value, str):
        return None
    return IS_MASKED if STAR in unicodedata.normalize("NFKC", value) else None


def shown_within(kind: str | None, said: Any) -> Any:
    """Return a JSON value that speaks of a record of a kind, with all in it masked.

    A member named like a masked field is masked wherever it stands, and so is the `value`
    beside a `field` that names one.
    """
    if isinstance(said, list | tuple):
        return [shown_within(kind, each) for each in said]
    if not isinstance(said, Mapping):
        return said
    spoken_of = said.get("field")
    about = mask_of(kind, spoken_of) if isinstance(spoken_of, str) else None
    return {name: _member(kind, name, each, about) for name, each in said.items()}


def masked_within(kind: str | None, said: Any) -> tuple[str, ...]:
    """Return the names of the fields that `shown_within` masks, each once, sorted."""
    return tuple(sorted(set(_names(kind, said))))


def _names(kind: str | None, said: Any) -> Iterator[str]:
    if isinstance(said, list | tuple):
        for each in said:
            yield from _names(kind, each)
    if not isinstance(said, Mapping):
        return
    spoken_of = said.get("field")
    if isinstance(spoken_of, str) and mask_of(kind, spoken_of) is not None:
        yield spoken_of
    for name, value in said.items():
        if mask_of(kind, name) is None:
            yield from _names(kind, value)
        elif value is not None:
            yield name


def _member(kind: str | None, name: str, value: Any, about: Mask | None) -> Any:
    mask = about if about is not None and name == "value" else mask_of(kind, name)
    return shown_within(kind, value) if mask is None else _covered(mask, value)


def _covered(mask: Mask, value: Any) -> Any:
    if value is None:
        return None
    return masked(mask, value) if isinstance(value, str) else _HIDDEN


def _name(value: str) -> str:
    plain = [each for each in unicodedata.normalize("NFC", value) if _is_seen(each)]
    first = plain[0] if plain[1:] else ""
    last = plain[-1] if len(plain) >= _BOTH_ENDS_FROM else ""
    return f"{first}{STAR}{last}"


def _is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] in _LETTERS and character != STAR


def _phone(value: str) -> str:
    digits = (phone_key(value) or "")[::-1]
    if len(digits) >= _MOBILE_FROM:
        return f"{digits[:3]}{_HIDDEN}{digits[-4:]}"
    if len(digits) >= _FOUR_FROM:
        return f"{_HIDDEN}{digits[-4:]}"
    return f"{_HIDDEN}{digits[-2:]}" if len(digits) >= _ENDS_FROM else _HIDDEN
