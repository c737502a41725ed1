"""Clear what somebody took the consent back for; the history keeps that it was there."""

from functools import partial
from typing import Final

from sqlalchemy import Connection

from server.consents import queries
from server.consents.queries import DbRow
from server.db.store import Store
from server.replication.gather import stored_records
from server.replication.submit import Console, Draft, submit
from sync.outcome import Outcome
from sync.state import live_value

CHUNK: Final = 100
_CLEARED: Final = frozenset({Outcome.APPLIED, Outcome.MERGED})


async def clear_withdrawn(store: Store, *, before_ms: int, now_ms: int, dry_run: bool) -> int:
    """Clear every field whose consent was withdrawn before an instant, or count those.

    It is done in the name of who noted the withdrawal. What cannot be cleared now, because
    nobody may use the record, is tried again the next time.
    """
    done = 0
    after: tuple[str, str] | None = None
    work = partial(_clear, before_ms=before_ms, now_ms=now_ms, dry_run=dry_run)
    run = store.read if dry_run else store.write
    while True:
        cleared, last = await run(partial(work, after=after))
        done += cleared
        if last is None:
            return done
        after = last


def _clear(
    db: Connection, *, after: tuple[str, str] | None, before_ms: int, now_ms: int, dry_run: bool
) -> tuple[int, tuple[str, str] | None]:
    rows = queries.withdrawn(db, before_ms=before_ms, after=after, limit=CHUNK)
    last = (str(rows[-1].record_id), str(rows[-1].field)) if len(rows) == CHUNK else None
    records = stored_records(db, {row.record_id for row in rows})
    cleared = 0
    for row in rows:
        stored = records.get(row.record_id)
        if stored is None or live_value(stored.record, row.field) is None:
            continue
        cleared += 1 if dry_run else _cleared(db, row, now_ms)
    return cleared, last


def _cleared(db: Connection, row: DbRow, now_ms: int) -> int:
    rev = stored_records(db, [row.record_id])[row.record_id].record.rev
    draft = Draft(record=row.record_id, kind=row.about, base=rev, set={row.field: None})
    console = Console(account=row.account_id, role=row.role)
    (settled,) = submit(db, console, [draft], now_ms=now_ms)
    return int(settled.outcome in _CLEARED)
