"""A record's history, from the mutation log."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from server.history.schemas import HistoryItem
from server.replication.history_queries import history_of
from server.replication.queries import DbRow
from sync.errors import ProtocolError
from sync.masking import shown_within
from sync.mutation import Mutation
from sync.wire_mutation import stored_mutation

Line = tuple[int, HistoryItem]


def history_lines(
    db: Connection, record: str, *, after: int, limit: int, values: bool
) -> Sequence[Line]:
    """Return `(pos, item)` of at most `limit` mutations about a record after position `after`.

    With `values` the items say what was asked for; else they name fields only.
    """
    rows = history_of(db, record, after=after, limit=limit)
    return [(row.pos, _item(row, values=values)) for row in rows]


def _item(row: DbRow, *, values: bool) -> HistoryItem:
    mutation = _read(row.body)
    return HistoryItem(
        at_ms=row.at_ms,
        quality=row.quality,
        received_ms=row.received_ms,
        login=row.login,
        device=row.device_id,
        device_name=row.device_name,
        console=row.console,
        n=row.n,
        record=row.record_id,
        act=None if mutation is None else mutation.act,
        fields=[] if mutation is None else _fields(mutation),
        base=row.base,
        rev=row.rev,
        ended_at=row.ended_at,
        outcome=row.outcome,
        code=row.code,
        field=row.field,
        asked=_asked(mutation) if values and mutation is not None else None,
    )


def _read(body: bytes) -> Mutation | None:
    """Return the mutation in a stored body, None if it never could be read."""
    try:
        return stored_mutation(body)
    except (ProtocolError, ValueError):
        return None


def _fields(mutation: Mutation) -> list[str]:
    return sorted({*mutation.set, *mutation.add, *mutation.remove, *mutation.args})


def _asked(mutation: Mutation) -> dict[str, Any]:
    """What it said, masked."""
    said: dict[str, Mapping[str, Any]] = {
        "set": mutation.set,
        "add": mutation.add,
        "remove": mutation.remove,
        "args": mutation.args,
    }
    return {name: shown_within(mutation.kind, each) for name, each in said.items() if each}
