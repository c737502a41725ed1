"""Keyset pages: `limit` and an opaque `cursor` in, `{"items": [...], "next": ...}` out.

A cursor is the sort key of the last item of a page. It holds no scope: whoever presents it sees
only their own area, so it needs no signature.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from server.problems import InvalidParameter
from sync.fields import is_id

LIMIT_DEFAULT = 100
LIMIT_MAX = 500
CURSOR_CHARS_MAX = 300
_INTEGER_MAX = 2**63 - 1


class Id(str):
    """The type of a member of a key that is an id, for `decode_cursor`."""

    __slots__ = ()


Row = TypeVar("Row")
Item = TypeVar("Item")

Cursor = Annotated[
    str | None,
    Field(
        max_length=CURSOR_CHARS_MAX,
        description="`next` of the previous page; keep the other parameters as they were.",
    ),
]


class PageParameters(BaseModel):
    """Query parameters of every list; a parameter that is not named is refused."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Items per page.")
    cursor: Cursor = None


class Page(BaseModel, Generic[Item]):
    """One page of a list. `next` is null on the last one."""

    items: list[Item]
    next: str | None = Field(description="Cursor of the next page, null on the last one.")


def encode_cursor(key: Sequence[int | str]) -> str:
    """Return the opaque text of a sort key."""
    text = json.dumps(list(key), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *types: type[int | str]) -> tuple[Any, ...] | None:
    """Return the sort key in `cursor`, or None when there is no cursor.

    Raises:
        InvalidParameter: if it is not a cursor of `types`: `int`, `str`, or `Id` for an id.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or len(key) != len(types) or not all(map(_is_of, key, types)):
        raise InvalidParameter("cursor: is not one that this list gave out", parameter="cursor")
    return tuple(key)


def _is_of(value: Any, wanted: type[int | str]) -> bool:
    if wanted is Id:
        return is_id(value)
    if wanted is int:
        return type(value) is int and abs(value) <= _INTEGER_MAX
    return type(value) is wanted


def paged(
    rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[int | str]]
) -> tuple[Sequence[Row], str | None]:
    """Split `rows`, asked with `limit + 1`, into a page and the cursor of the next, if any."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode_cursor(key(rows[limit - 1]))
