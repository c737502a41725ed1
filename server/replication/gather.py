"""Load what `sync.push.plan_push` needs to know about a batch: records, authority, places.

Records are read without locks, planned on, and only then are the touched buckets locked and the
revisions compared (`apply.decide_and_store`): every writer of a record holds the lock of the
bucket it lives in, so equal revisions under the lock mean that the plan still holds.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from server.identity.queries import AssignmentSpan, assignments_of_all
from server.replication import queries
from server.replication.actor_queries import actor_rows
from server.replication.dependants import ids_below, moved_by, with_survivors
from server.replication.doubting import doubtful_in
from server.replication.locating import Lying, locate_all
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
from sync.wire_mutation import group_of

_AREA = "area:"
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

    `leaders` may move, `followers` are all that belonged to them when asked. Positions were
    located in the version `boundaries`.
    """

    known: Known
    stored: Mapping[str, Stored]
    asked: frozenset[str]
    cited: Cited = field(default_factory=Cited)
    leaders: Sequence[str] = ()
    followers: frozenset[str] = frozenset()
    boundaries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The mutations whose records are looked for, and the device that made them."""

    mutations: Sequence[Mutation]
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The stored records by id, and every id that was asked for, existing or not."""

    stored: dict[str, Stored] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)


def load_records(db: Connection, wanted: Sequence[Wanted]) -> list[Loaded]:
    """Follow the references of each device's mutations until nothing new turns up.

    All of them are asked for at once. It ends: another round needs a record found in this one.
    """
    loads = [Loaded() for _ in wanted]
    pool: dict[str, Stored] = {}
    looked: set[str] = set()
    while True:
        asks = [
            references(each.mutations, load.records, device=each.device) - load.asked
            for each, load in zip(wanted, loads, strict=True)
        ]
        fresh = frozenset().union(*asks)
        if not fresh:
            return loads
        pool |= stored_records(db, fresh - looked)
        looked |= fresh
        for ask, load in zip(asks, loads, strict=True):
            load.asked.update(ask)
            for key in ask & pool.keys():
                load.stored[key] = pool[key]
                load.records[key] = pool[key].record


def stored_records(db: Connection, record_ids: Collection[str]) -> dict[str, Stored]:
    """Return the stored records among `record_ids`, by id."""
    if not record_ids:
        return {}
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
    records: Mapping[str, Record],
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The stored records that a console may move, and the ids of all that belongs to them."""
    if not author.console:
        return (), frozenset()
    moved = (each for each in moved_by(mutations) if each in records)
    leaders = tuple(sorted({each for one in moved for each in with_survivors(one, records)}))
    return leaders, ids_below(db, leaders) if leaders else frozenset()


def area_no_of(
    db: Connection, buckets: Iterable[str], stored: Mapping[str, Stored]
) -> dict[str, int]:
    """Bucket to the area number its records carry: the grid's, area's, owner's area, or 0.

    Records that are loaded already say it of their bucket; only other buckets are looked up.
    """
    known = {each.record.bucket: each.area_no for each in stored.values()}
    wanted = set(buckets) - known.keys()
    areas = {each.partition(":")[2] for each in wanted if each.startswith((_GRID, _AREA))}
    numbers = queries.area_numbers(db, areas) if areas else {}
    found = {bucket: known[bucket] for bucket in buckets if bucket in known}
    for bucket in wanted:
        if bucket.startswith((_GRID, _AREA)):
            found[bucket] = numbers.get(bucket.partition(":")[2], 0)
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
        if not isinstance(each, Mutation):
            continue
        for prefix, named in ((_GRID, each.set.get("grid")), (_AREA, each.set.get("area"))):
            if is_id(named):
                buckets.add(f"{prefix}{named}")
    return buckets


def authority_of(
    assignments: Iterable[AssignmentSpan], account: str, numbers: Mapping[str, int]
) -> dict[str, tuple[Interval, ...]]:
    """When an account's assignments covered each bucket of `numbers`; absent = never."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brief:
    """A batch with what its device's log and its rulings say.

    `sound` are the mutations without the faulty ones, `subjects` those and what rulings let go.
    """

    batch: Batch
    state: DeviceState
    rows: Sequence[DbRow]
    repeated: Collection[int]
    last: int | None
    sound: Sequence[Mutation | Malformed]
    cited: Cited

    @property
    def subjects(self) -> list[Mutation | Malformed]:
        return [*self.sound, *self.cited.let_go.values()]

    @property
    def wanted(self) -> Wanted:
        device = self.cited.device or self.batch.device.id
        mutations = [each for each in self.subjects if isinstance(each, Mutation)]
        return Wanted(mutations=mutations, device=device)

    @property
    def holder(self) -> str | None:
        """The account whose assignments count; None for consoles and where nothing is said."""
        if self.batch.author.console or not self.batch.mutations:
            return None
        return str(self.batch.device.account_id)


def _brief(db: Connection, batch: Batch) -> _Brief:
    state, mutations = device_state(batch.device), batch.mutations
    repeated = {each.n for each in mutations if each.n <= state.settled_through}
    last = state.settled_through if any(each.group is not None for each in mutations) else None
    wanted = sorted(repeated if last is None else {*repeated, last})
    sound = [each for each in mutations if each.n not in batch.faulty]
    return _Brief(
        batch=batch,
        state=state,
        rows=queries.settled_rows(db, batch.device.id, wanted) if wanted else (),
        repeated=repeated,
        last=last,
        sound=sound,
        cited=cited_by(db, batch.author, sound),
    )


def gather(db: Connection, batches: Sequence[Batch]) -> list[Gathered]:
    """Everything `plan_push` needs for batches of locked devices, asked for at once.

    What a faulty mutation refers to could not be read and is not looked at.
    """
    briefs = [_brief(db, each) for each in batches]
    loads = load_records(db, [each.wanted for each in briefs])
    places = locate_all(db, [[*each.sound, *each.cited.placed()] for each in briefs])
    holders = {each.holder for each in briefs if each.holder is not None}
    spans = assignments_of_all(db, holders) if holders else {}
    return [
        _gathered(db, brief, loaded, lying, spans=spans)
        for brief, loaded, lying in zip(briefs, loads, places, strict=True)
    ]


def _gathered(
    db: Connection,
    brief: _Brief,
    loaded: Loaded,
    lying: Lying,
    *,
    spans: Mapping[str, Sequence[AssignmentSpan]],
) -> Gathered:
    batch, cited, sound, stored = brief.batch, brief.cited, brief.sound, loaded.stored
    located = lying.located
    leaders, followers = _followers(db, batch.author, sound, loaded.records)
    if not followers <= loaded.asked:
        stored |= stored_records(db, followers - loaded.asked)
    buckets = _possible_buckets(brief.subjects, stored, located)
    numbers: dict[str, int] = {}
    if cited.rows or not batch.author.console:
        numbers = area_no_of(db, buckets, stored)
    account = batch.device.account_id
    known = Known(
        device=brief.state,
        settled={row.n: settled_of(row) for row in brief.rows if row.n in brief.repeated},
        records={key: each.record for key, each in stored.items()},
        authority=(
            dict.fromkeys(buckets, ALWAYS)
            if batch.author.console
            else authority_of(spans.get(account, ()), account, numbers)
        ),
        located=located,
        faulty=batch.faulty,
        doubtful=doubtful_in(db, lying, sound, holder=brief.holder, spans=spans),
        stopped=batch.stopped,
        group=next((group_of(row.body) for row in brief.rows if row.n == brief.last), None),
        actors=_actors(db, batch.author, sound, numbers),
        held=held_of(db, cited, _authority_of_owners(db, cited, numbers)),
    )
    return Gathered(
        known=known,
        stored=stored,
        asked=frozenset(loaded.asked | followers),
        cited=cited,
        leaders=leaders,
        followers=followers,
        boundaries=lying.version,
    )


def _authority_of_owners(
    db: Connection, cited: Cited, numbers: Mapping[str, int]
) -> dict[str, dict[str, tuple[Interval, ...]]]:
    """By account, the authority of those whose work rulings are about."""
    owners = {author.account for author, _ in cited.owners.values()}
    spans = assignments_of_all(db, owners) if owners else {}
    return {each: authority_of(spans[each], each, numbers) for each in owners}


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
    rows = actor_rows(db, author.device, sorted(others))
    spans = assignments_of_all(db, [row.account_id for row in rows])
    return {
        row.account_id: Acting(
            author=replace(
                author,
                account=row.account_id,
                role=row.role,
                home_bucket=_USER + row.account_id,
            ),
            authority=authority_of(spans[row.account_id], row.account_id, numbers),
            until_ms=row.ended_ms,
        )
        for row in rows
    }
