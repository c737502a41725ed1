"""What was erased stays erased after a restore: the list of ids, written out and taken back.

A backup from before an erasure brings people back. The list holds no content, so it can be kept
beside the backups for as long as they exist.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from server.erasure import queries
from server.erasure.forgetting import forget
from server.replication.alias_queries import alias_of
from server.replication.consoles import Console
from server.replication.dependants import ids_below
from server.replication.queries import erased_among
from server.replication.submit import Draft, require_done, submit
from sync.fields import is_id
from sync.lifecycle import ERASE, REASONS, acts_of
from sync.state import KEPT_FACTS

CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of the list; `grid` is where the record lived, "" if in no grid."""

    record: str
    kind: str
    grid: str
    reason: str


def listed_lines(db: Connection) -> Iterator[str]:
    """Yield everything that was erased, by id: record, kind, grid and reason between tabs."""
    after = ""
    while rows := queries.erasures(db, limit=CHUNK_ROWS, after=after):
        for row in rows:
            yield "\t".join((row.record_id, row.kind, row.grid_id or "", row.reason))
        after = rows[-1].record_id


def read_line(line: str) -> Listed | None:
    """Return what a line of the list says, None if it is no such line."""
    parts = line.rstrip("\r\n").split("\t")
    if len(parts) != len(Listed.__slots__):
        return None
    record, kind, grid, reason = parts
    names = is_id(record) and (not grid or is_id(grid))
    if not names or ERASE not in acts_of(kind) or reason not in REASONS:
        return None
    return Listed(record=record, kind=kind, grid=grid, reason=reason)


def erase_again(
    db: Connection, console: Console, listed: Iterable[Listed], *, now_ms: int
) -> int:
    """Erase what of the list is not erased here, known or not; return how many those were.

    A visit that is not known here is left out: if a phone offers it again, it comes under an
    erased household, as a bare fact.
    """
    wanted = {each.record: each for each in listed}
    standing = {row.id: row.rev for row in queries.records_among(db, sorted(wanted))}
    done = 0
    for record, each in wanted.items():
        unknown_fact = record not in standing and each.kind in KEPT_FACTS
        if unknown_fact or erased_among(db, [record]):
            continue
        standing_for = alias_of(db, record) or record
        ids = ids_below(db, [standing_for]) | {standing_for}
        args = {"reason": each.reason, "grid": each.grid or None}
        draft = Draft(
            record=record,
            kind=each.kind,
            base=standing.get(record, 0),
            act=ERASE,
            args={name: value for name, value in args.items() if value is not None},
        )
        require_done(submit(db, console, [draft], now_ms=now_ms))
        forget(db, ids, reason=each.reason, now_ms=now_ms)
        done += 1
    return done
