"""THE write path: plan on unlocked records, lock the touched buckets, check, store.

Every change of every record goes through `decide_and_store`, in one transaction that belongs to
the caller: a phone's batch (`push`), a console's request or an import (`submit`). The order of
locks is: device row, bucket rows in id order. Writers of a record hold its bucket's lock.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.db import failpoints
from server.db.bulk import Upsert
from server.db.store import RetryTransaction, touch
from server.replication import dependants, feeds, queries, waiting_queries
from server.replication.alias_queries import aliases_replaced
from server.replication.contests import Closer, Contested, save_contests
from server.replication.declaring import declarations
from server.replication.gather import Batch, Gathered, Stored, area_no_of, gather
from server.replication.media_queries import media_declared
from server.replication.projections import PROJECTIONS, projection_row
from server.replication.queries import BucketHead
from server.replication.redacting import Spoken
from server.replication.snapshots import drop_snapshots
from server.replication.waiting import Desk, queue_changes
from sync.canonical import record_body, record_hash
from sync.codec import encode_place, encode_record
from sync.known import Located
from sync.outcome import Outcome
from sync.push import Plan, Settled, plan_push
from sync.state import is_tombstone, merged_into, state_of

_PLANS_MAX = 4


def decide_and_store(db: Connection, batch: Batch) -> tuple[Plan, frozenset[str]]:
    """Decide a batch and store its effects; the answer may be given only after commit.

    Returns the plan and the ids of the records it made that something was waiting for.

    Raises:
        RetryTransaction: if other writers kept changing the same records.
    """
    heads: dict[str, BucketHead] = {}
    for _ in range(_PLANS_MAX):
        gathered = gather(db, batch)
        failpoints.reach("gathered")
        plan = plan_push(
            gathered.known,
            batch.mutations,
            author=batch.author,
            send=batch.send,
            received_ms=batch.received_ms,
        )
        failpoints.reach("planned")
        touched = _touched(plan, gathered)
        if not touched <= heads.keys():
            heads |= queries.lock_buckets(db, touched - heads.keys())
        failpoints.reach("buckets-locked")
        checked = _check(db, gathered, plan)
        if checked.unchanged:
            waiting = _store(db, batch, plan, gathered=gathered, heads=heads)
            made = {key for key, before in plan.before.items() if before is None}
            return plan, frozenset(made & {*checked.awaited, *waiting})
    raise RetryTransaction


def _touched(plan: Plan, gathered: Gathered) -> set[str]:
    touched = {each.bucket for each in plan.writes.values()}
    for record_id in plan.writes:
        before: Stored | None = gathered.stored.get(record_id)
        if before is not None:
            touched.add(before.record.bucket)
    return touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Whether the records a plan was made from are what they were, and which are awaited."""

    unchanged: bool
    awaited: Collection[str] = ()


def _check(db: Connection, gathered: Gathered, plan: Plan) -> Checked:
    """Look at the plan's records once more; who waits for one is asked in the same question.

    SQLite has one writer, so nothing can have changed there.
    """
    if not plan.writes:
        return Checked(unchanged=True)
    if db.dialect.name == "sqlite":
        made = [key for key, before in plan.before.items() if before is None]
        awaited = waiting_queries.awaited(db, made) if made else ()
        return Checked(unchanged=True, awaited=awaited)
    ids = sorted(gathered.asked | plan.writes.keys())
    read = {key: (each.record.rev, each.record.bucket) for key, each in gathered.stored.items()}
    revs, waited_for = waiting_queries.revs_and_awaited(db, ids)
    # Who adds to a record holds the lock of its bucket, which is ours by now.
    followed = (
        not gathered.leaders or dependants.ids_below(db, gathered.leaders) == gathered.followers
    )
    return Checked(unchanged=followed and revs == read, awaited=waited_for)


def _changes(plan: Plan, gathered: Gathered) -> list[feeds.Change]:
    changes = []
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
            )
        )
    return sorted(changes, key=lambda each: each.record.id)


def _store(
    db: Connection,
    batch: Batch,
    plan: Plan,
    *,
    gathered: Gathered,
    heads: Mapping[str, BucketHead],
) -> set[str]:
    """Store a plan and return the records that something in it waits for."""
    changes = _changes(plan, gathered)
    spoken = Spoken.of(db, batch, plan, gathered.known.records)
    queue = spoken.without_notes(queue_changes(db, _desk(batch, gathered), plan.settled))
    located = gathered.known.located
    rows = [_mutation_row(batch, each, located.get(each.n)) for each in plan.settled]
    parts = [
        queries.mutations_added([spoken.redacted(row) for row in rows]),
        media_declared(declarations(batch, plan.settled)),
    ]
    if changes:
        numbers = area_no_of(db, {each.record.bucket for each in changes}, gathered.stored)
        advance = feeds.advanced(changes, heads, now_ms=batch.received_ms)
        _forget_exits(db, advance.entered, heads)
        drop_snapshots(db, sorted({each["bucket"] for each in advance.exits}))
        parts += [
            queries.buckets_replaced(feeds.bucket_rows(heads, advance.running)),
            queries.exits_noted(advance.exits),
            _records(db, changes, numbers, advance.seqs),
            *_projections(db, changes, numbers, batch.received_ms),
            _aliases(changes, batch.received_ms),
        ]
        save_contests(
            db, [_contested(each, numbers) for each in changes], _closer(batch, gathered)
        )
        touch(db, {each.record.bucket for each in changes if each.visible})
        if any(each.record.kind == "grid" and each.visible for each in changes):
            queries.next_number(db, queries.GRIDS_VERSION)
    parts += [queue, queries.device_changed(batch.device, _device_values(batch, plan))]
    failpoints.reach("storing")
    queries.save(db, parts)
    failpoints.reach("stored")
    return {row["awaits"] for row in queue.rows if row["awaits"] is not None}


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


def save_contact(db: Connection, device_id: str, values: Mapping[str, Any]) -> None:
    """Store what changed about a device, if anything did."""
    if values:
        queries.save_device(db, device_id, values)


def _forget_exits(
    db: Connection, entered: Mapping[str, list[str]], heads: Mapping[str, BucketHead]
) -> None:
    for bucket, record_ids in entered.items():
        if heads[bucket].seq > 0:
            queries.drop_exits(db, bucket, record_ids)


def _records(
    db: Connection,
    changes: Sequence[feeds.Change],
    numbers: Mapping[str, int],
    seqs: Mapping[str, int],
) -> Upsert:
    """Insert the new records and return the known ones, to be replaced.

    A new record that meanwhile appeared in another bucket means: plan again.
    """
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
        }
        (fresh if each.before is None else known).append(row)
    if fresh and queries.add_records(db, fresh) != len(fresh):
        raise RetryTransaction
    return queries.records_replaced(known)


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
