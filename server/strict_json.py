"""Strict JSON: RFC 8259 in UTF-8 without the parts on which programs disagree.

Refused: a byte order mark and other encodings, NUL, lone surrogates, NaN and Infinity (also
written as 1e999), repeated member names, integers beyond 2^53, more than 32 levels. What is
refused is described by its byte offset or its JSON pointer, never by its content.

The common case costs a few scans in C and the standard library's parser: the exact checks of
strings and numbers run only when a byte pattern says that they could find something.
"""

import json
import math
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NoReturn

from server.pointers import json_pointer
from server.problems import MalformedBody

DEPTH_MAX = 32
INTEGER_MAX = 2**53
_DIGITS_MAX = len(str(INTEGER_MAX))
_LONG_INTEGER = b"0" * 16
_LONG_REAL = b"0" * 300
_BAD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_BAD_CHARACTER = re.compile("[\x00\ud800-\udfff]")
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_STEPS = bytes.maketrans(_BRACKETS, b"\x01\xff\x01\xff")
_DIGITS = bytes.maketrans(b"0123456789", b"0000000000")


@dataclass(frozen=True, slots=True)
class _Fault:
    """Stands where something was refused until its place in the document is known."""

    reason: str


class _Faults:
    """The parser's hooks, and whether any of them refused something."""

    def __init__(self) -> None:
        self.found = False

    def fault(self, reason: str) -> _Fault:
        self.found = True
        return _Fault(reason)

    def members(self, pairs: list[tuple[str, Any]]) -> Any:
        members = dict(pairs)
        if len(members) != len(pairs):
            return self.fault("a member name is repeated")
        return members

    def constant(self, _word: str) -> _Fault:
        return self.fault("NaN and Infinity are not JSON")

    def real(self, digits: str) -> Any:
        value = float(digits)
        return value if math.isfinite(value) else self.fault("the number is too large")

    def integer(self, digits: str) -> Any:
        if len(digits) <= _DIGITS_MAX + 1:
            value = int(digits)
            if -INTEGER_MAX <= value <= INTEGER_MAX:
                return value
        return self.fault("the integer is beyond 2^53")


def parse(body: bytes) -> Any:
    """Return the value of a strict JSON text.

    Raises:
        MalformedBody: with the byte `offset` or the `pointer` of the first thing refused.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        _refuse("a byte order mark is not allowed", offset=0)
    if (nul := body.find(b"\x00")) >= 0:
        _refuse("NUL bytes are not allowed; send UTF-8", offset=nul)
    frame = _frame(body)
    _refuse_depth(frame)
    text = _decoded(body)
    faults = _Faults()
    value = _loaded(text, faults, frame)
    if faults.found:
        _refuse_first(value, lambda each: each.reason if isinstance(each, _Fault) else None)
    if _BAD_ESCAPE.search(body) is not None:
        _refuse_first(value, _bad_text)
    return value


def _refuse(reason: str, **where: Any) -> NoReturn:
    raise MalformedBody(f"The body is not strict JSON: {reason}.", **where)


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        offset = error.start
    _refuse("it is not UTF-8", offset=offset)


def _frame(body: bytes) -> bytes:
    """Return what stands outside strings: brackets, numbers, words.

    Up to the first syntax error, that is: a backslash outside a string is one, so whatever it
    makes of the rest, the parser stops there.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _loaded(text: str, faults: _Faults, frame: bytes) -> Any:
    zeros = frame.translate(_DIGITS)
    exponents = frame.count(b"e") - frame.count(b"true") - frame.count(b"false")
    check_reals = exponents or b"E" in frame or _LONG_REAL in zeros
    try:
        return json.loads(
            text,
            object_pairs_hook=faults.members,
            parse_constant=faults.constant,
            parse_float=faults.real if check_reals else None,
            parse_int=faults.integer if _LONG_INTEGER in zeros else None,
        )
    except json.JSONDecodeError as error:
        position = error.pos
    _refuse("the syntax is wrong", offset=len(text[:position].encode()))


def _refuse_depth(frame: bytes) -> None:
    """Refuse nesting beyond `DEPTH_MAX` before a recursive parser sees it."""
    steps = array("b", frame.translate(_STEPS, _NOT_BRACKETS))
    if max(accumulate(steps), default=0) > DEPTH_MAX:
        _refuse(f"it is nested more than {DEPTH_MAX} levels deep")


def _bad_text(value: Any) -> str | None:
    if isinstance(value, str) and _BAD_CHARACTER.search(value) is not None:
        return "NUL and lone surrogates are not allowed in text"
    return None


def _refuse_first(value: Any, reason_of: Callable[[Any], str | None]) -> None:
    """Refuse the first value or member name for which `reason_of` gives a reason."""
    for path, each in _values((), value):
        reason = reason_of(each)
        if reason is not None:
            _refuse(reason, pointer=json_pointer(path))


def _values(
    path: tuple[str | int, ...], value: Any
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, member in value.items():
            yield (*path, name), name
            yield from _values((*path, name), member)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _values((*path, index), item)
