"""Load what `sync.push.plan_push` needs to know about a batch: records, authority, places.

Records are read without locks, planned on, and only then are the touched buckets locked and the
revisions compared (`apply.decide_and_store`): every writer of a record holds the lock of the
bucket it lives in, so equal revisions under the lock mean that the plan still holds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from server.identity.queries import assignments_of
from server.replication import queries
from server.replication.actor_queries import actor_rows
from server.replication.dependants import ids_below, moved_by
from server.replication.locating import locate_all
from server.replication.queries import DbRow
from server.replication.waiting import Cited, cited_by, held_of
from sync.codec import decode_record
from sync.fields import is_id
from sync.mutation import ClockReading, Malformed, Mutation, Quality
from sync.outcome import Code, Outcome
from sync.push import (
    Acting,
    Author,
    DeviceState,
    Interval,
    Known,
    Located,
    Settled,
    references,
)
from sync.record import Record
from sync.sheet import former_buckets
from sync.state import merged_into
from sync.wire_mutation import group_of

_GRID = "grid:"
_USER = "user:"
ALWAYS = (Interval(lo_ms=0, hi_ms=None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the record table says beside the record itself."""

    record: Record
    seq: int
    hash: str
    area_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Mutations of one device with who sent them and when they arrived.

    `contact` holds device columns to store with the batch, such as the next lease. `faulty` and
    `stopped` are as in `sync.known.Known`.
    """

    device: DbRow
    author: Author
    mutations: Sequence[Mutation | Malformed]
    send: ClockReading | None
    received_ms: int
    contact: Mapping[str, Any] = field(default_factory=dict)
    faulty: frozenset[int] = frozenset()
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the plan is made from, and the rows and area numbers the store step needs again.

    `leaders` are the records that may move, `followers` all that belonged to them when asked.
    """

    known: Known
    stored: Mapping[str, Stored]
    asked: frozenset[str]
    cited: Cited = field(default_factory=Cited)
    leaders: Sequence[str] = ()
    followers: frozenset[str] = frozenset()


def load_records(
    db: Connection, batch: Sequence[Mutation | Malformed], device: str
) -> tuple[dict[str, Stored], frozenset[str]]:
    """Follow the references of a device's batch until nothing new turns up.

    It ends: another round needs a record found in this one. Returns the stored records by id
    and every id that was asked for, existing or not.
    """
    mutations = [each for each in batch if isinstance(each, Mutation)]
    stored: dict[str, Stored] = {}
    records: dict[str, Record] = {}
    asked: set[str] = set()
    while wanted := references(mutations, records, device=device) - asked:
        asked |= wanted
        found = stored_records(db, wanted)
        stored |= found
        records |= {key: each.record for key, each in found.items()}
    return stored, frozenset(asked)


def stored_records(db: Connection, record_ids: Iterable[str]) -> dict[str, Stored]:
    """Return the stored records among `record_ids`, by id."""
    return {
        row.id: Stored(
            record=decode_record(row.id, row.kind, row.bucket, row.rev, row.truth),
            seq=row.seq,
            hash=row.hash,
            area_no=row.area_no,
        )
        for row in queries.record_rows(db, sorted(record_ids))
    }


def _followers(
    db: Connection,
    author: Author,
    mutations: Sequence[Mutation | Malformed],
    stored: Mapping[str, Stored],
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The stored records that a console may move, and the ids of all that belongs to them."""
    if not author.console:
        return (), frozenset()
    moved = (each for each in moved_by(mutations) if each in stored)
    leaders = tuple(sorted({each for one in moved for each in _with_survivors(one, stored)}))
    return leaders, ids_below(db, leaders) if leaders else frozenset()


def _with_survivors(record_id: str, stored: Mapping[str, Stored]) -> Iterator[str]:
    """A stored record, and whatever stands for it: what asks to erase it erases that."""
    found: Stored | None = stored.get(record_id)
    while found is not None:
        yield found.record.id
        into = merged_into(found.record)
        found = None if into is None else stored.get(into)


def area_no_of(
    db: Connection, buckets: Iterable[str], stored: Mapping[str, Stored]
) -> dict[str, int]:
    """Bucket to the area number its records carry: the grid's, or the owner's area, or 0.

    Records that are loaded already say it of their bucket; only other buckets are looked up.
    """
    known = {each.record.bucket: each.area_no for each in stored.values()}
    wanted = set(buckets) - known.keys()
    grids = {each[len(_GRID) :] for each in wanted if each.startswith(_GRID)}
    numbers = queries.area_numbers(db, grids) if grids else {}
    found = {bucket: known[bucket] for bucket in buckets if bucket in known}
    for bucket in wanted:
        if bucket.startswith(_GRID):
            found[bucket] = numbers.get(bucket[len(_GRID) :], 0)
        elif bucket.startswith(_USER):
            found[bucket] = queries.account_area_no(db, bucket[len(_USER) :])
        else:
            found[bucket] = 0
    return found


def _possible_buckets(
    batch: Sequence[Mutation | Malformed],
    stored: Mapping[str, Stored],
    located: Mapping[int, Located],
) -> set[str]:
    buckets = {each.record.bucket for each in stored.values()}
    for known in stored.values():
        buckets.update(former_buckets(known.record))
    buckets |= {_GRID + each.grid for each in located.values() if each.grid is not None}
    for each in batch:
        grid = each.set.get("grid") if isinstance(each, Mutation) else None
        if is_id(grid):
            buckets.add(f"{_GRID}{grid}")
    return buckets


def authority_of(
    db: Connection, account: str, numbers: Mapping[str, int]
) -> dict[str, tuple[Interval, ...]]:
    """When an account's assignments covered each bucket of `numbers`; absent = never."""
    assignments = assignments_of(db, account)
    held: dict[str, tuple[Interval, ...]] = {}
    for bucket, number in numbers.items():
        intervals = tuple(
            Interval(lo_ms=each.lo_ms, hi_ms=each.hi_ms)
            for each in assignments
            if each.area.covers(number)
        )
        if intervals:
            held[bucket] = intervals
    held[_USER + account] = ALWAYS
    return held


def settled_of(row: DbRow) -> Settled:
    """A stored mutation row as the pure core sees it."""
    return Settled(
        n=row.n,
        record=row.record_id,
        kind=row.kind,
        outcome=Outcome(row.outcome),
        code=None if row.code is None else Code(row.code),
        field=row.field,
        rev=row.rev,
        at_ms=row.at_ms,
        quality=Quality(row.quality),
        body_hash=row.body_hash,
        replayed=True,
        base=row.base,
        actor=row.actor,
        body=row.body,
        became="refused" if row.refused else row.became,
        ended_at=row.ended_at,
    )


def device_state(row: DbRow) -> DeviceState:
    """A locked device row as the pure core sees it."""
    return DeviceState(
        settled_through=row.settled_through,
        flagged=row.status == "flagged",
        revoked=row.status == "revoked",
        floor_ms=row.last_at_ms,
        last_contact_ms=row.last_contact_ms,
        last_n=row.last_n,
        offset_ms=row.offset_ms,
    )


def gather(db: Connection, batch: Batch) -> Gathered:
    """Everything `plan_push` needs for a batch of a locked device.

    What a faulty mutation refers to is not looked at: that is what could not be read.
    """
    device, mutations = batch.device, batch.mutations
    state = device_state(device)
    repeated = {each.n for each in mutations if each.n <= state.settled_through}
    last = [state.settled_through] if any(each.group is not None for each in mutations) else []
    wanted = sorted({*repeated, *last})
    rows = queries.settled_rows(db, device.id, wanted) if wanted else ()
    sound = [each for each in mutations if each.n not in batch.faulty]
    cited = cited_by(db, batch.author, sound)
    subjects = [*sound, *cited.let_go.values()]
    stored, asked = load_records(db, subjects, cited.device or device.id)
    leaders, followers = _followers(db, batch.author, sound, stored)
    if followers - asked:
        stored |= stored_records(db, followers - asked)
    located = locate_all(db, [*sound, *cited.placed()])
    buckets = _possible_buckets(subjects, stored, located)
    numbers: dict[str, int] = {}
    if cited.rows or not batch.author.console:
        numbers = area_no_of(db, buckets, stored)
    authority = (
        dict.fromkeys(buckets, ALWAYS)
        if batch.author.console
        else authority_of(db, device.account_id, numbers)
    )
    owners = {author.account for author, _ in cited.owners.values()}
    known = Known(
        device=state,
        settled={row.n: settled_of(row) for row in rows if row.n in repeated},
        records={key: each.record for key, each in stored.items()},
        authority=authority,
        located=located,
        faulty=batch.faulty,
        stopped=batch.stopped,
        group=next((group_of(row.body) for row in rows if row.n in last), None),
        actors=_actors(db, batch.author, sound, numbers),
        held=held_of(db, cited, {each: authority_of(db, each, numbers) for each in owners}),
    )
    return Gathered(
        known=known,
        stored=stored,
        asked=asked | followers,
        cited=cited,
        leaders=leaders,
        followers=followers,
    )


def _actors(
    db: Connection,
    author: Author,
    mutations: Sequence[Mutation | Malformed],
    numbers: Mapping[str, int],
) -> dict[str, Acting]:
    """The accepted actors that mutations name, with their authority; no query if none does."""
    named = {each.actor for each in mutations if isinstance(each, Mutation) and each.actor}
    others = named - {author.account}
    if author.console or not others:
        return {}
    return {
        row.account_id: Acting(
            author=replace(
                author,
                account=row.account_id,
                role=row.role,
                home_bucket=_USER + row.account_id,
            ),
            authority=authority_of(db, row.account_id, numbers),
            until_ms=row.ended_ms,
        )
        for row in actor_rows(db, author.device, sorted(others))
    }
