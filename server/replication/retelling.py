"""What the mutation log says about records that cannot be believed, or are not there.

The log is folded only when something looks as if truth itself were damaged. It is believed only
when it is whole: no gap, no unreadable row.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from server.replication import queries, rebuild_queries
from server.replication.differences import Difference
from server.replication.queries import DbRow
from server.replication.refold import gaps, history
from sync.fold import fold
from sync.record import Record
from sync.state import is_erased

CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """Records as the log makes them: those asked about, and those that are not where it says.

    `strayed` are the latter by bucket: not stored at all, or in another bucket at the same
    revision. `rows` counts the mutations that named each record when the log was read, `damage`
    says what is wrong with the log; with any of it nothing else is here.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    strayed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    damage: tuple[Difference, ...] = ()

    def of(self, db: Connection, ids: Iterable[str]) -> dict[str, Record]:
        """Those of `ids` that the log can still vouch for, by id.

        Not what was named since the log was read; not what was erased unless it is so here.
        """
        asked = sorted(set(ids) & self.records.keys())
        if not asked:
            return {}
        named = rebuild_queries.mentions(db, asked)
        erased = queries.erased_among(db, asked)
        return {
            each: self.records[each]
            for each in asked
            if _rows(named.get(each)) == self.rows[each]
            and (each not in erased or is_erased(self.records[each]))
        }


def _rows(mentioned: DbRow | None) -> int:
    return 0 if mentioned is None else int(mentioned.rows)


def retell(db: Connection, asked: Collection[str]) -> Retold:
    """Fold the whole log; all records are in memory meanwhile, a few kilobytes each."""
    damage = list(gaps(db))
    folded = fold(history(db, damage))
    if damage:
        return Retold(damage=tuple(damage))
    strayed: dict[str, list[str]] = {}
    for record in _strayed(db, folded):
        strayed.setdefault(record.bucket, []).append(record.id)
    wanted = {each for ids in strayed.values() for each in ids} | (asked & folded.keys())
    return Retold(
        records={each: folded[each] for each in wanted},
        strayed={bucket: tuple(sorted(ids)) for bucket, ids in strayed.items()},
        rows=_mentioned(db, sorted(wanted)),
    )


def _strayed(db: Connection, folded: Mapping[str, Record]) -> Iterator[Record]:
    seen: set[str] = set()
    for rows in rebuild_queries.record_places(db, chunk_rows=CHUNK_ROWS):
        for row in rows:
            seen.add(row.id)
            record = folded.get(row.id)
            if record is not None and has_strayed(row, record):
                yield record
    yield from (record for key, record in folded.items() if key not in seen)


def has_strayed(row: DbRow, record: Record) -> bool:
    """Say whether a stored row is in another bucket than the log's record of that revision."""
    return bool(row.bucket != record.bucket and row.rev == record.rev)


def _mentioned(db: Connection, ids: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for at in range(0, len(ids), CHUNK_ROWS):
        chunk = ids[at : at + CHUNK_ROWS]
        named = rebuild_queries.mentions(db, chunk)
        found |= {each: _rows(named.get(each)) for each in chunk}
    return found
