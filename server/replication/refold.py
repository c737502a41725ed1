"""Fold the whole mutation log again and compare: has the store lost or invented anything?

Records are what the log makes of nothing (`sync.fold`). It is read in the order of `pos`, a
chunk at a time; the folded records are held in memory, a few kilobytes each.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from server.replication import feed_queries, history_queries
from server.replication.differences import Difference
from server.replication.queries import DbRow
from sync.codec import decode_place, decode_record
from sync.erasing import redacted_body
from sync.errors import ProtocolError
from sync.fold import Entry, fold
from sync.known import Author
from sync.mutation import Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.wire_mutation import stored_mutation

CHUNK_ROWS = 1_000
Progress = Callable[[int], None]


def entry_of(row: DbRow) -> Entry | None:
    """Return a stored mutation as the fold takes it, None for one that could not be read.

    Raises:
        ValueError, LookupError: if the row is not what the write path stores.
    """
    try:
        mutation = stored_mutation(row.body)
    except ProtocolError:
        if row.outcome == Outcome.INVALID:
            return None
        raise ValueError("a body that was decided cannot be read") from None
    redacted = sha256(row.body).hexdigest() != row.body_hash
    if redacted and redacted_body(row.body) != row.body:
        raise ValueError("a body is not what was received")
    account = row.actor or row.account_id
    return Entry(
        author=Author(
            device=row.device_id,
            account=account,
            role=row.role,
            console=row.console,
            home_bucket=f"user:{account}",
        ),
        mutation=mutation,
        at_ms=row.at_ms,
        quality=Quality(row.quality),
        outcome=Outcome(row.outcome),
        code=None if row.code is None else Code(row.code),
        located=None if row.place is None else decode_place(row.place),
        rev=row.rev,
        redacted=redacted,
    )


def _silent(_: int) -> None:
    """Tell nobody."""


def history(
    db: Connection, damaged: list[Difference], told: Progress = _silent
) -> Iterator[Entry]:
    """Yield the whole log as the fold takes it; rows that are damaged are noted instead."""
    done = 0
    for rows in history_queries.log_chunks(db, chunk_rows=CHUNK_ROWS):
        for row in rows:
            try:
                entry = entry_of(row)
            except (AttributeError, LookupError, TypeError, ValueError):
                damaged.append(_damaged(row))
                continue
            if entry is not None:
                yield entry
        done += len(rows)
        told(done)


def _damaged(row: DbRow) -> Difference:
    return Difference(
        record=row.record_id or f"{row.device_id}/{row.n}",
        kind=row.kind or "mutation",
        what=f"mutation {row.device_id}/{row.n}",
    )


def refold(db: Connection, *, told: Progress = _silent) -> Iterator[Difference]:
    """Yield every record that is not what its history makes: names, never values.

    Also gaps in a device's log, and rows of it that cannot be read. `told` hears after each
    chunk how many mutations were read.
    """
    yield from gaps(db)
    damaged: list[Difference] = []
    folded = fold(history(db, damaged, told))
    yield from damaged
    for rows in feed_queries.record_chunks(db, chunk_rows=CHUNK_ROWS):
        for row in rows:
            what = _differs(folded.pop(row.id, None), row)
            if what is not None:
                yield Difference(record=row.id, kind=row.kind, what=what)
    for record in sorted(folded.values(), key=lambda each: each.id):
        yield Difference(record=record.id, kind=record.kind, what="not stored")


def gaps(db: Connection) -> Iterator[Difference]:
    """Yield the devices whose log is not dense."""
    for row in history_queries.devices_with_gaps(db):
        what = f"log has {row.stored} of {row.settled_through} mutations"
        yield Difference(record=row.id, kind="device", what=what)


def _differs(expected: Record | None, row: DbRow) -> str | None:
    """What of a stored record does not follow from its history, None if all does."""
    if expected is None:
        return "has no history"
    try:
        stored = decode_record(row.id, row.kind, row.bucket, row.rev, row.truth)
        found = next((name for name, each in _parts(stored, expected) if not each()), None)
    except (AttributeError, LookupError, TypeError, ValueError):
        return "truth"
    return None if found is None else f"{found} differs from its history"


def _parts(stored: Record, expected: Record) -> Iterator[tuple[str, Callable[[], bool]]]:
    for name in ("kind", "bucket", "rev", "status", "run_device", "run_from"):
        yield name, partial(_same, stored, expected, name)
    yield "fields", lambda: _same_mapping(stored.fields, expected.fields)
    yield "sets", lambda: _same_sets(stored.sets, expected.sets)


def _same(stored: Record, expected: Record, name: str) -> bool:
    return bool(getattr(stored, name) == getattr(expected, name))


def _same_mapping(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    return dict(stored) == dict(expected)


def _same_sets(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    return {name: dict(each) for name, each in stored.items()} == {
        name: dict(each) for name, each in expected.items()
    }
