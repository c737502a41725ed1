"""What plans change is written: the log, records, feeds, projections, queues, devices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.db import failpoints
from server.db.bulk import Upsert
from server.db.store import RetryTransaction, touch
from server.replication import feeds, leaving, queries
from server.replication.alias_queries import aliases_replaced
from server.replication.contests import Closer, Contested, save_contests
from server.replication.declaring import declarations
from server.replication.gather import Batch, Gathered, area_no_of
from server.replication.media_queries import media_declared
from server.replication.projections import PROJECTIONS, projection_row
from server.replication.queries import BucketHead
from server.replication.redacting import Spoken
from server.replication.snapshots import drop_snapshots
from server.replication.versions import note_versions
from server.replication.waiting import Desk, queue_changes
from sync.canonical import record_body, record_hash
from sync.codec import encode_place, encode_record
from sync.known import Located
from sync.outcome import Outcome
from sync.push import Plan, Settled
from sync.restricting import written_for
from sync.state import is_tombstone, merged_into, restricted_for, state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A batch, what was known when it was decided, and the plan that came of it."""

    batch: Batch
    gathered: Gathered
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What one draft adds: rows to be saved, new records, and what it waits for.

    `back` are the records that had left by date and are on phones again.
    """

    parts: Sequence[Upsert]
    fresh: Sequence[Mapping[str, Any]] = ()
    awaits: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()


def store(db: Connection, drafts: Sequence[Draft], heads: dict[str, BucketHead]) -> set[str]:
    """Store drafts that share no record, and return the records that something waits for.

    `heads` are the locked buckets; they are moved on.

    Raises:
        RetryTransaction: if a new record meanwhile appeared in another bucket.
    """
    before = dict(heads)
    written = [_written(db, each, heads) for each in drafts]
    fresh = [row for each in written for row in each.fresh]
    if fresh and queries.add_records(db, fresh) != len(fresh):
        raise RetryTransaction
    moved = [head for key, head in heads.items() if head != before[key]]
    parts = [part for each in written for part in each.parts]
    failpoints.reach("storing")
    queries.save(db, [*parts, queries.buckets_replaced(feeds.bucket_rows(moved))])
    failpoints.reach("stored")
    leaving.bring_back(db, frozenset().union(*(each.back for each in written)), heads)
    return {key for each in written for key in each.awaits}


def _changes(plan: Plan, gathered: Gathered, *, now_ms: int) -> list[feeds.Change]:
    changes = []
    hidden = leaving.still_hidden(plan, gathered.stored, now_ms=now_ms)
    for record_id, record in plan.writes.items():
        state = state_of(record)
        body = record_body(record_id, record.kind, record.rev, state)
        changes.append(
            feeds.Change(
                record=record,
                before=gathered.stored.get(record_id),
                state=state,
                body=body,
                hash=record_hash(body),
                hidden=record_id in hidden,
            )
        )
    return sorted(changes, key=lambda each: each.record.id)


def _written(db: Connection, draft: Draft, heads: dict[str, BucketHead]) -> _Written:
    batch, plan, gathered = draft.batch, draft.plan, draft.gathered
    changes = _changes(plan, gathered, now_ms=batch.received_ms)
    spoken = Spoken.of(db, batch, plan, gathered.known.records)
    queue = spoken.without_notes(queue_changes(db, _desk(batch, gathered), plan.settled))
    located = gathered.known.located
    rows = [_mutation_row(batch, each, located.get(each.n)) for each in plan.settled]
    parts = [
        queries.mutations_added([spoken.redacted(row) for row in rows]),
        media_declared(declarations(batch, plan.settled)),
        queue,
        queries.device_changed(batch.device, _device_values(batch, plan)),
    ]
    awaits = frozenset(row["awaits"] for row in queue.rows if row["awaits"] is not None)
    if not changes:
        return _Written(parts=parts, awaits=awaits)
    numbers = area_no_of(db, {each.record.bucket for each in changes}, gathered.stored)
    advance = feeds.advanced(changes, heads, now_ms=batch.received_ms)
    _left_and_entered(db, advance, heads)
    heads |= feeds.heads_after(heads, advance.running)
    fresh, known = _records(changes, numbers, advance.seqs)
    save_contests(db, [_contested(each, numbers) for each in changes], _closer(batch, gathered))
    touch(db, {each.record.bucket for each in changes if each.visible})
    if any(each.record.kind == "grid" and each.visible for each in changes):
        queries.next_number(db, queries.GRIDS_VERSION)
        author, now_ms = batch.author.account, batch.received_ms
        note_versions(db, changes, numbers, by=author, now_ms=now_ms)
    parts += [
        queries.exits_noted(advance.exits),
        queries.records_replaced(known),
        *_projections(db, changes, numbers, batch.received_ms),
        _aliases(changes, batch.received_ms),
    ]
    back = frozenset(each.record.id for each in changes if leaving.came_back(each))
    return _Written(parts=parts, fresh=fresh, awaits=awaits, back=back)


def _left_and_entered(
    db: Connection, advance: feeds.Advance, heads: Mapping[str, BucketHead]
) -> None:
    """Forget the exits of what came back, and the snapshots of buckets that something left."""
    for bucket, record_ids in advance.entered.items():
        if heads[bucket].seq > 0:
            queries.drop_exits(db, bucket, record_ids)
    drop_snapshots(db, sorted({each["bucket"] for each in advance.exits}))


def _desk(batch: Batch, gathered: Gathered) -> Desk:
    stored = gathered.stored
    return Desk(
        device=batch.device.id,
        account=batch.author.account,
        console=batch.author.console,
        now_ms=batch.received_ms,
        mutations=batch.mutations,
        records=gathered.known.records,
        places={each.record.bucket: each.area_no for each in stored.values()},
        cited=gathered.cited,
    )


def _device_values(batch: Batch, plan: Plan) -> dict[str, Any]:
    values = dict(batch.contact)
    if plan.settled:
        values["settled_through"] = plan.settled_through
        values["invalid"] = batch.device.invalid + sum(
            each.outcome is Outcome.INVALID for each in plan.settled
        )
        values["last_at_ms"] = max(
            [batch.device.last_at_ms, *(each.at_ms for each in plan.settled)]
        )
    if plan.flagged and batch.device.status == "active":
        values["status"] = "flagged"
    return values


def _records(
    changes: Sequence[feeds.Change], numbers: Mapping[str, int], seqs: Mapping[str, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of the new records, and those of the known ones."""
    fresh: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for each in changes:
        row = {
            "id": each.record.id,
            "kind": each.record.kind,
            "bucket": each.record.bucket,
            "area_no": numbers[each.record.bucket],
            "rev": each.record.rev,
            "seq": seqs[each.record.id],
            "truth": encode_record(each.record),
            "body": each.body,
            "hash": each.hash,
            "restricted": written_for(restricted_for(each.record)),
        }
        (fresh if each.before is None else known).append(row)
    return fresh, known


def _projections(
    db: Connection,
    changes: Iterable[feeds.Change],
    numbers: Mapping[str, int],
    now_ms: int,
) -> list[Upsert]:
    """Drop the typed rows of what was erased and return those of everything else."""
    rows: dict[str, list[dict[str, Any]]] = {}
    erased: dict[str, list[str]] = {}
    for each in changes:
        if is_tombstone(each.record):
            erased.setdefault(each.record.kind, []).append(each.record.id)
        elif each.visible:
            row = projection_row(each.record, each.state, area_no=numbers[each.record.bucket])
            times = {"created_ms": now_ms, "updated_ms": now_ms}
            rows.setdefault(each.record.kind, []).append(row | times)
    for kind, ids in erased.items():
        queries.drop_projections(db, PROJECTIONS[kind][0], ids)
    return [
        queries.projections_replaced(PROJECTIONS[kind][0], of_kind)
        for kind, of_kind in rows.items()
    ]


def _aliases(changes: Iterable[feeds.Change], now_ms: int) -> Upsert:
    """What stands for each of the records that were merged."""
    rows = [
        {
            "record_id": each.record.id,
            "kind": each.record.kind,
            "into_id": into,
            "merged_ms": now_ms,
        }
        for each in changes
        if (into := merged_into(each.record)) is not None
    ]
    return aliases_replaced(rows)


def _contested(change: feeds.Change, numbers: Mapping[str, int]) -> Contested:
    return Contested(
        record=change.record,
        before=None if change.before is None else change.before.record,
        state=change.state,
        area_no=numbers[change.record.bucket],
    )


def _closer(batch: Batch, gathered: Gathered) -> Closer:
    """Who ends a conflict; what a release brings is its author's word, not a resolution."""
    resolves = batch.author.console and not gathered.cited.rows
    account = batch.author.account
    return Closer(account=account, console=resolves, now_ms=batch.received_ms)


def _mutation_row(batch: Batch, settled: Settled, located: Located | None) -> dict[str, Any]:
    return {
        "device_id": batch.device.id,
        "n": settled.n,
        "record_id": settled.record,
        "kind": settled.kind,
        "base": settled.base,
        "at_ms": settled.at_ms,
        "quality": settled.quality.value,
        "received_ms": batch.received_ms,
        "actor": settled.actor,
        "place": None if located is None else encode_place(located),
        "body": settled.body,
        "body_hash": settled.body_hash,
        "outcome": settled.outcome.value,
        "code": None if settled.code is None else settled.code.value,
        "field": settled.field,
        "rev": settled.rev,
        "ended_at": settled.ended_at,
    }
