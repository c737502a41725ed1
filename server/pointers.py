"""Where in a document something is, without telling what somebody wrote there."""

import re
from collections.abc import Iterable

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.\-]{0,39}")


def json_pointer(path: Iterable[str | int]) -> str:
    """Return the RFC 6901 pointer of `path`.

    Member names that a client invented are shown only when they look like field names, else as
    `*`, because a name or a phone number can be sent as a key.
    """
    return "".join(
        f"/{token}" if isinstance(token, int) or _FIELD_NAME.fullmatch(token) else "/*"
        for token in path
    )
