"""Write what should be stored of one bucket, under its lock.

What phones could have received of it wrongly makes them compare: the bucket begins a new epoch,
in which they start anew and keep their outbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.db.store import RetryTransaction, touch
from server.replication import queries, rebuild_queries
from server.replication.alias_queries import aliases_replaced, drop_aliases
from server.replication.examining import CHUNK_ROWS, BucketExamined, Examined, examine
from server.replication.projections import PROJECTIONS
from server.replication.queries import BucketHead
from server.replication.retelling import Retold
from server.replication.snapshots import drop_snapshots
from sync.codec import encode_record
from sync.restricting import written_for
from sync.state import merged_into, restricted_for

_FED = ("bucket", "seq", "body", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """How many rows one repair wrote, and the epoch that the bucket's phones start anew in."""

    records: int = 0
    typed: int = 0
    exits: int = 0
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """The record rows to be written, and whether phones could tell the difference."""

    known: Sequence[Mapping[str, Any]]
    fresh: Sequence[Mapping[str, Any]]
    last_seq: int
    fed: bool


def repair(db: Connection, bucket: str, told: Retold, *, now_ms: int) -> Repaired:
    """Lock a bucket, derive it once more and write what differs.

    Raises:
        RetryTransaction: if a record appeared or moved meanwhile.
    """
    strayed = told.strayed.get(bucket, ())
    if not strayed and not rebuild_queries.is_used(db, bucket):
        return Repaired()
    homes = {row.bucket for row in rebuild_queries.whole_records(db, strayed)} | {bucket}
    before = queries.bucket_heads(db, sorted(homes))
    heads = queries.lock_buckets(db, before.keys() | {bucket})
    lost = bucket not in before and heads[bucket].seq == 0
    found = examine(db, bucket, None if lost else heads[bucket], told)
    if any(each.row is not None and each.row.bucket not in homes for each in found.faulty):
        raise RetryTransaction
    written = _record_rows(found)
    _write_records(db, written)
    rebuild_queries.drop_exits(db, bucket, found.exits)
    _write_aliases(db, found, now_ms=now_ms)
    epoch = _write_head(db, found, heads[bucket], written, now_ms=now_ms)
    return Repaired(
        records=len(written.known) + len(written.fresh),
        typed=_write_typed(db, found, now_ms=now_ms),
        exits=len(found.exits),
        epoch=epoch,
    )


def _record_rows(found: BucketExamined) -> _Written:
    known: list[Mapping[str, Any]] = []
    fresh: list[Mapping[str, Any]] = []
    last_seq, fed = found.last_seq, False
    for each in found.faulty:
        seq = each.seq
        if seq is None:
            seq = last_seq = last_seq + 1
        stored = {} if each.row is None else each.row._asdict()
        row = stored | _right_columns(each, found, seq)
        if row != stored:
            (known if stored else fresh).append(row)
            there = seq > 0 or stored.get("seq", 0) > 0
            fed |= there and any(row[name] != stored.get(name) for name in _FED)
    return _Written(known=known, fresh=fresh, last_seq=last_seq, fed=fed)


def _right_columns(each: Examined, found: BucketExamined, seq: int) -> dict[str, Any]:
    """The columns that are known; truth stays as it is unless the log was believed."""
    right: dict[str, Any] = {"area_no": found.area_no, "seq": seq, "hash": each.hash}
    if each.derived is None:
        return right | {"body": each.kept_body}
    record = each.derived.record
    right |= {
        "bucket": found.bucket,
        "body": each.derived.body,
        "restricted": written_for(restricted_for(record)),
    }
    if each.retold:
        truth = encode_record(record)
        right |= {"id": each.id, "kind": record.kind, "rev": record.rev, "truth": truth}
    return right


def _write_records(db: Connection, written: _Written) -> None:
    for at in range(0, len(written.known), CHUNK_ROWS):
        rebuild_queries.replace_records(db, written.known[at : at + CHUNK_ROWS])
    for at in range(0, len(written.fresh), CHUNK_ROWS):
        chunk = written.fresh[at : at + CHUNK_ROWS]
        if queries.add_records(db, chunk) != len(chunk):
            raise RetryTransaction


def _write_aliases(db: Connection, found: BucketExamined, *, now_ms: int) -> None:
    """Say anew of the records whose alias differs what stands for them, if anything does."""
    into = {
        each.id: (each.kind, merged_into(each.derived.record))
        for each in found.faulty
        if "alias" in each.what and each.derived is not None
    }
    rows = [
        {"record_id": key, "kind": kind, "into_id": one, "merged_ms": now_ms}
        for key, (kind, one) in into.items()
        if one is not None
    ]
    drop_aliases(db, sorted(key for key, (_, one) in into.items() if one is None))
    queries.save(db, [aliases_replaced(rows)])


def _write_head(
    db: Connection, found: BucketExamined, head: BucketHead, written: _Written, *, now_ms: int
) -> int | None:
    """Put the head right; return the new epoch if what phones hold may be wrong."""
    right: dict[str, Any] = {
        "seq": written.last_seq,
        "digest": found.digest,
        "count": found.count,
    }
    changed = {name: each for name, each in right.items() if getattr(head, name) != each}
    again = written.fed or bool({"exits", "epoch", "head missing"} & {*found.what})
    if again:
        epoch = _next_epoch(found.head, now_ms)
        changed |= {"epoch": epoch, "first_epoch": epoch}
    if not changed:
        return None
    rebuild_queries.put_head(db, found.bucket, changed)
    drop_snapshots(db, [found.bucket])
    touch(db, [found.bucket])
    return changed.get("epoch")


def _next_epoch(head: BucketHead | None, now_ms: int) -> int:
    """A number that no phone can have; of a lost head nobody knows how far it had counted."""
    return now_ms // 1_000 if head is None else max(head.epoch, head.first_epoch) + 1


def _write_typed(db: Connection, found: BucketExamined, *, now_ms: int) -> int:
    """Write or drop the typed rows that differ and return how many those are."""
    faulty = [
        each
        for each in found.faulty
        if any(what.startswith("projection") for what in each.what)
    ]
    for at in range(0, len(faulty), CHUNK_ROWS):
        _write_typed_chunk(db, faulty[at : at + CHUNK_ROWS], now_ms=now_ms)
    if any(each.kind == "grid" for each in faulty):
        queries.next_number(db, queries.GRIDS_VERSION)
    return len(faulty)


def _write_typed_chunk(db: Connection, faulty: Sequence[Examined], *, now_ms: int) -> None:
    lost = [each.id for each in faulty if each.typed is None]
    mentioned = rebuild_queries.mentions(db, lost)
    rows: dict[str, list[dict[str, Any]]] = {}
    dropped: dict[str, list[str]] = {}
    for each in faulty:
        typed = None if each.derived is None else each.derived.typed
        if typed is None:
            dropped.setdefault(each.kind, []).append(each.id)
        else:
            times = _times(each, mentioned.get(each.id), now_ms)
            rows.setdefault(each.kind, []).append({**typed, **times})
    for kind, ids in dropped.items():
        queries.drop_projections(db, PROJECTIONS[kind][0], ids)
    queries.save(
        db,
        [
            queries.projections_replaced(PROJECTIONS[kind][0], of_kind)
            for kind, of_kind in rows.items()
        ],
    )


def _times(each: Examined, mentioned: queries.DbRow | None, now_ms: int) -> dict[str, int]:
    """When a record was made and last changed: as stored, else by the log, else now."""
    if each.typed is not None:
        return {name: each.typed[name] for name in ("created_ms", "updated_ms")}
    if mentioned is not None:
        return {"created_ms": mentioned.first_ms, "updated_ms": mentioned.last_ms}
    return {"created_ms": now_ms, "updated_ms": now_ms}


def drop_alone(db: Connection, kind: str, ids: Sequence[str]) -> int:
    """Remove typed rows that belong to no record of the kind; return how many those were.

    Raises:
        RetryTransaction: if a record of that id was made meanwhile.
    """
    table = PROJECTIONS[kind][0]
    alone = sorted(set(ids) - rebuild_queries.of_kind(db, kind, ids))
    done = rebuild_queries.drop_typed_rows(db, table, alone)
    if rebuild_queries.of_kind(db, kind, alone):
        raise RetryTransaction
    if done and kind == "grid":
        queries.next_number(db, queries.GRIDS_VERSION)
    return done
