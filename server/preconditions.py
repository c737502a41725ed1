"""Revisions as HTTP preconditions: `ETag` out, `If-Match` in (RFC 9110, section 13).

The tag of a record is its revision in quotes. A change needs exactly one tag, so that nobody
replaces what they have not seen; `*` would say "whatever it is now" and is not accepted.
"""

import re
from typing import Annotated

from fastapi import Depends, Header

from server.problems import InvalidParameter, PreconditionRequired

_TAG = re.compile(r'"([1-9][0-9]{0,17})"')


def etag_of(rev: int) -> str:
    """Return the entity tag of a record at `rev`."""
    return f'"{rev}"'


def expected_rev(
    if_match: Annotated[
        str | None, Header(description="The `ETag` you read.", examples=['"7"'])
    ] = None,
) -> int:
    """Return the revision the caller read.

    Raises:
        PreconditionRequired: without the header, or with `*`.
        InvalidParameter: if it is not one strong tag made by `etag_of`.
    """
    if if_match is None or if_match.strip() == "*":
        raise PreconditionRequired
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidParameter("If-Match: must be one ETag as given", parameter="If-Match")
    return int(found[1])


IfMatch = Annotated[int, Depends(expected_rev)]
