"""What is over leaves the phones by date, and comes back if it is opened anew.

Nothing of a record changes: it keeps its bucket and has the seq 0 there, and its phones are
told `gone`, `hidden`. Upkeep takes out what time has made over; the write path brings back.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from server.db.store import Store, touch
from server.replication import leaving_queries, queries
from server.replication.dependants import ids_below
from server.replication.feeds import Change, bucket_rows, heads_after
from server.replication.gather import Stored, stored_records
from server.replication.leaving_queries import Place
from server.replication.queries import BucketHead
from server.replication.snapshots import drop_snapshots
from sync.canonical import digest_toggle
from sync.dependants import leader_of
from sync.exchange import Why
from sync.leaving import FOLLOWING, in_feeds, over_since, stays_hidden
from sync.push import Plan
from sync.record import Record

DAY_MS = 86_400_000
ROOTS_A_STEP = 100
BELOW_MAX = 100_000
START: Place = ("", "00000000-0000-0000-0000-000000000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """How long phones keep what is over: casework since it ended, visits since they were made.

    An announcement goes on its own date.
    """

    casework: int
    visits: int

    def of(self, kind: str) -> int:
        """The days for one kind."""
        return {"visit": self.visits, "announcement": 0}.get(kind, self.casework)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How many records left (or would leave) the phones, of how many buckets."""

    records: int = 0
    buckets: frozenset[str] = frozenset()


# the write path


def left_by_date(stored: Stored) -> bool:
    """Say whether a stored record is on no phone, though nobody put it away."""
    return stored.seq == 0 and in_feeds(stored.record)


def still_hidden(plan: Plan, stored: Mapping[str, Stored], *, now_ms: int) -> frozenset[str]:
    """The records of a plan that are on no phone after it because they, or theirs, left.

    What is made under a record that left is never sent: the phones do not hold the rest of it.
    """
    return frozenset(
        key for key in plan.writes if _is_hidden(key, plan.writes, stored, now_ms=now_ms)
    )


def _is_hidden(
    record_id: str, writes: Mapping[str, Record], stored: Mapping[str, Stored], *, now_ms: int
) -> bool:
    before, record = stored.get(record_id), writes.get(record_id)
    if record is None:
        return before is not None and left_by_date(before)
    if before is not None and before.seq > 0:
        return False
    leader = leader_of(record) if record.kind in FOLLOWING else None
    if leader is not None and _is_hidden(leader, writes, stored, now_ms=now_ms):
        return True
    return before is not None and left_by_date(before) and stays_hidden(record, now_ms)


def came_back(change: Change) -> bool:
    """Say whether a change brings a record back that had left by date."""
    return change.before is not None and left_by_date(change.before) and change.is_there


def bring_back(
    db: Connection, record_ids: Collection[str], heads: dict[str, BucketHead]
) -> None:
    """Put what belongs to records that came back into their feeds again, where they live.

    `heads` are the locked buckets; they are moved on. What lives elsewhere stays away.
    """
    if not record_ids:
        return
    below = stored_records(db, ids_below(db, sorted(record_ids), limit=BELOW_MAX))
    back = {key: each for key, each in below.items() if left_by_date(each)}
    moves = _Moves(heads)
    for key, each in sorted(back.items()):
        if each.record.bucket in heads and each.record.kind in FOLLOWING:
            moves.enter(key, each)
    moves.save(db)


class _Moves:
    """Records that enter or leave the feeds of locked buckets without being changed."""

    def __init__(self, heads: dict[str, BucketHead]) -> None:
        self._heads = heads
        self._running: dict[str, list[Any]] = {
            key: [one.seq, one.digest, one.count] for key, one in heads.items()
        }
        self._seqs: dict[str, int] = {}
        self._exits: list[dict[str, Any]] = []
        self._entered: dict[str, list[str]] = {}

    def enter(self, record_id: str, stored: Stored) -> None:
        bucket = stored.record.bucket
        self._seqs[record_id] = self._step(stored, 1)
        self._entered.setdefault(bucket, []).append(record_id)

    def leave(self, record_id: str, stored: Stored, *, now_ms: int) -> None:
        self._seqs[record_id] = 0
        self._exits.append(
            {
                "bucket": stored.record.bucket,
                "record_id": record_id,
                "seq": self._step(stored, -1),
                "why": Why.HIDDEN.value,
                "to_bucket": None,
                "left_ms": now_ms,
                "merged_into": None,
            }
        )

    def _step(self, stored: Stored, count: int) -> int:
        head = self._running[stored.record.bucket]
        head[0] += 1
        head[1] = digest_toggle(head[1], stored.hash)
        head[2] += count
        return int(head[0])

    def save(self, db: Connection) -> frozenset[str]:
        """Write everything and return the buckets that changed."""
        if not self._seqs:
            return frozenset()
        after = heads_after(self._heads, self._running)
        moved = [after[key] for key, head in self._heads.items() if after[key] != head]
        for bucket, record_ids in self._entered.items():
            queries.drop_exits(db, bucket, record_ids)
        parts = [
            queries.exits_noted(self._exits),
            queries.buckets_replaced(bucket_rows(moved)),
        ]
        queries.save(db, [each for each in parts if each.rows])
        leaving_queries.set_seqs(db, self._seqs)
        drop_snapshots(db, sorted({each["bucket"] for each in self._exits}))
        touch(db, {each.id for each in moved})
        self._heads |= after
        return frozenset(each.id for each in moved)


# upkeep


async def leave_by_date(store: Store, days: Days, *, now_ms: int, dry_run: bool) -> Left:
    """Take out of the feeds what has been over for long enough, with what belongs to it.

    A step is one small transaction under the locks of its buckets. It may be repeated, and
    stopped between any two.
    """
    done, after = Left(), START
    run = store.read if dry_run else store.write
    while True:
        step, after = await run(
            partial(_step, days=days, after=after, now_ms=now_ms, dry_run=dry_run)
        )
        done = Left(records=done.records + step.records, buckets=done.buckets | step.buckets)
        if after == START:
            return done


def _step(
    db: Connection, *, days: Days, after: Place, now_ms: int, dry_run: bool
) -> tuple[Left, Place]:
    """Do one step behind `after`; return its last place, or `START` at the end."""
    found = leaving_queries.over_before(
        db,
        {kind: now_ms - days.of(kind) * DAY_MS for kind in leaving_queries.KINDS},
        after=after,
        limit=ROOTS_A_STEP,
    )
    last = found[-1] if len(found) == ROOTS_A_STEP else START
    roots = [record_id for _, record_id in found]
    leaving = _leaving(db, roots, days, now_ms)
    if dry_run:
        buckets = frozenset(each.record.bucket for each in leaving.values())
        return Left(records=len(leaving), buckets=buckets), last
    heads = queries.lock_buckets(db, {each.record.bucket for each in leaving.values()})
    # Under the locks, which every writer needs: what was opened anew meanwhile stays.
    leaving = _leaving(db, roots, days, now_ms)
    moves = _Moves(heads)
    here = {key: each for key, each in leaving.items() if each.record.bucket in heads}
    for key, each in sorted(here.items()):
        moves.leave(key, each, now_ms=now_ms)
    return Left(records=len(here), buckets=moves.save(db)), last


def _leaving(
    db: Connection, roots: Sequence[str], days: Days, now_ms: int
) -> dict[str, Stored]:
    """What has to leave of `roots`, and what belongs to it, as far as a feed has it."""
    due = {
        key: each
        for key, each in _fed(stored_records(db, roots))
        if _is_due(each, days, now_ms)
    }
    if not due:
        return {}
    below = stored_records(db, ids_below(db, sorted(due), limit=BELOW_MAX))
    return due | {key: each for key, each in _fed(below) if each.record.kind in FOLLOWING}


def _fed(stored: Mapping[str, Stored]) -> Iterable[tuple[str, Stored]]:
    return ((key, each) for key, each in stored.items() if each.seq > 0)


def _is_due(stored: Stored, days: Days, now_ms: int) -> bool:
    since = over_since(stored.record)
    return since is not None and since <= now_ms - days.of(stored.record.kind) * DAY_MS
