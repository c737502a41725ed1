"""THE write path: plan on unlocked records, lock the touched buckets, check, store.

Every change of every record goes through `decide_and_store`, in one transaction that belongs to
the caller: batches of phones (`push`), a console's request or an import (`submit`). The order
of locks is: device rows, then bucket rows, each in id order. Writers of a record hold its
bucket's lock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from server.db import failpoints
from server.db.store import RetryTransaction
from server.replication import dependants, queries, waiting_queries
from server.replication.gather import Batch, Gathered, gather
from server.replication.queries import BucketHead
from server.replication.storing import Draft, store
from sync.push import Plan, plan_push

_PLANS_MAX = 4
_Stand = tuple[int, str, bool]
"""`(rev, bucket, fed)` of a record."""


def decide_and_store(
    db: Connection, batches: Sequence[Batch]
) -> tuple[list[Plan], frozenset[str]]:
    """Decide batches of different devices and store their effects, in some order.

    A batch that touches records which another one of them changes is planned again when that
    one is stored. The answers may be given only after commit. Returns the plans, in the order
    of the batches, and the ids of the records made here that something was waiting for.

    Raises:
        RetryTransaction: if other writers kept changing the same records.
    """
    heads: dict[str, BucketHead] = {}
    plans: dict[str, Plan] = {}
    made: set[str] = set()
    awaited: set[str] = set()
    left = list(batches)
    for _ in range(_PLANS_MAX - 1 + len(batches)):
        drafts = _drafts(db, left)
        _lock(db, drafts, heads)
        checked = _check(db, drafts)
        awaited |= {*checked.awaited, *store(db, checked.sound, heads)}
        for each in checked.sound:
            plans[each.batch.device.id] = each.plan
            made |= {key for key, before in each.plan.before.items() if before is None}
        left = [each for each in left if each.device.id not in plans]
        if not left:
            return [plans[each.device.id] for each in batches], frozenset(made & awaited)
    raise RetryTransaction


def _drafts(db: Connection, batches: Sequence[Batch]) -> list[Draft]:
    gathered = gather(db, batches)
    failpoints.reach("gathered")
    drafts = [
        Draft(
            batch=batch,
            gathered=known,
            plan=plan_push(
                known.known,
                batch.mutations,
                author=batch.author,
                send=batch.send,
                received_ms=batch.received_ms,
            ),
        )
        for batch, known in zip(batches, gathered, strict=True)
    ]
    failpoints.reach("planned")
    return drafts


def _lock(db: Connection, drafts: Sequence[Draft], heads: dict[str, BucketHead]) -> None:
    """Lock what all drafts touch and was not locked before, in one statement."""
    touched = {key for each in drafts for key in _touched(each.plan, each.gathered)}
    if not touched <= heads.keys():
        heads |= queries.lock_buckets(db, touched - heads.keys())
    failpoints.reach("buckets-locked")


def _touched(plan: Plan, gathered: Gathered) -> set[str]:
    touched = {each.bucket for each in plan.writes.values()}
    for record_id in plan.writes:
        before = gathered.stored.get(record_id)
        if before is not None:
            touched.add(before.record.bucket)
    return touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The drafts that still hold, in order, and which of the looked up records are awaited."""

    sound: Sequence[Draft]
    awaited: Collection[str] = ()


def _check(db: Connection, drafts: Sequence[Draft]) -> Checked:
    """Look at the drafts' records once more; who waits for one is asked in the same question.

    A draft holds if its records are what it was made from, and no draft before it writes one.
    """
    revs, awaited = _looked_up(db, drafts)
    sound: list[Draft] = []
    written: set[str] = set()
    for each in drafts:
        about = each.gathered.asked | each.plan.writes.keys()
        if written.isdisjoint(about) and _holds(db, each, revs):
            sound.append(each)
            written |= each.plan.writes.keys()
    return Checked(sound=sound, awaited=awaited)


def _looked_up(
    db: Connection, drafts: Sequence[Draft]
) -> tuple[Mapping[str, _Stand] | None, Collection[str]]:
    """How everything stands that writing drafts asked for, and what is awaited of it.

    SQLite has one writer, so nothing can have changed there and None stands for the first.
    """
    writing = [each for each in drafts if each.plan.writes]
    if db.dialect.name == "sqlite":
        before = [pair for each in writing for pair in each.plan.before.items()]
        made = {key for key, known in before if known is None}
        return None, waiting_queries.awaited(db, made) if made else ()
    ids = {key for each in writing for key in (*each.gathered.asked, *each.plan.writes)}
    return waiting_queries.revs_and_awaited(db, ids) if ids else ({}, ())


def _holds(db: Connection, draft: Draft, revs: Mapping[str, _Stand] | None) -> bool:
    if revs is None or not draft.plan.writes:
        return True
    gathered = draft.gathered
    about = gathered.asked | draft.plan.writes.keys()
    read = {
        key: (each.record.rev, each.record.bucket, each.seq > 0)
        for key, each in gathered.stored.items()
    }
    if any(revs.get(key) != read.get(key) for key in about):
        return False
    if _was_redrawn(db, gathered):
        return False
    # Who adds to a record holds the lock of its bucket, which is ours by now.
    leaders = gathered.leaders
    return not leaders or dependants.ids_below(db, leaders) == gathered.followers


def _was_redrawn(db: Connection, gathered: Gathered) -> bool:
    """Whether boundaries changed since positions were located.

    Who closes or redraws a grid holds the lock of its bucket, which is ours by now if anything
    was placed there: a change that this does not see comes after, and moves what it finds.
    """
    located_in = gathered.boundaries
    return located_in is not None and located_in != queries.counter_value(
        db, queries.GRIDS_VERSION
    )
