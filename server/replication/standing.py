"""Where a record that was merged is to be found."""

from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Response
from sqlalchemy import Connection

from server.paging import PageParameters
from server.problems import RecordMerged
from server.replication.alias_queries import alias_of

MOVED: Final[dict[int | str, dict[str, Any]]] = {
    308: {"description": "Another record stands for it; `Location` says where"}
}
"""The `responses=` of an endpoint that leads on to the record that stands for a merged one."""


def refuse_merged(db: Connection, row: Any) -> None:
    """Raise if another record stands for that of a typed row; asks only if it is put away.

    Raises:
        RecordMerged: naming the one that stands for it.
    """
    into = alias_of(db, row.id) if row.archived else None
    if into is not None:
        raise RecordMerged(into)


def moved_to(address: str, parameters: PageParameters | None = None) -> Response:
    """Answer that what was asked for, a page of it, stands elsewhere, for good."""
    given = {} if parameters is None else parameters.model_dump(exclude_unset=True)
    asked = f"{address}?{urlencode(given)}" if given else address
    return Response(status_code=308, headers={"location": asked})
