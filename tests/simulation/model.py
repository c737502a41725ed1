"""A server in memory: the pure core with dictionaries where the real one has tables.

It decides nothing itself. What a mutation does comes from `sync.push`, what a phone may see
from `sync.state`; here are only the feed, the scope and the books that the checks read.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sync.canonical import feed_item, record_body, record_hash
from sync.clock import offset_of
from sync.exchange import BucketCursor, BucketPage, RawPage, SyncReply, SyncRequest, Take
from sync.known import Author, DeviceState, Interval, Known, Located, Plan, Settled
from sync.manifest import part_digests, part_of
from sync.mutation import Malformed, Mutation
from sync.outcome import Outcome
from sync.push import plan_push, references
from sync.record import Record
from sync.scope import scope_change
from sync.state import merged_into, state_of
from sync.versions import SCHEMAS
from sync.wire import assemble_reply, reply_head, sealed
from sync.wire_mutation import group_of
from tests.simulation.buckets import Bucket, Row
from tests.simulation.buckets import items_after as _items
from tests.simulation.files import File, Files
from tests.simulation.places import located_in
from tests.simulation.telling import gone, wire_outcome
from tests.sync.backend import fresh

START_MS = 1_795_000_000_000
ALWAYS = (Interval(lo_ms=0, hi_ms=None),)
CONFIG = "config"
CONSOLE = "device-of-the-console"
OTHER_CONSOLE = "device-of-the-other-console"
CONSOLES = frozenset({CONSOLE, OTHER_CONSOLE})
DISPATCHER = "00000000-0000-7000-8000-00000000d15b"
OTHER_DISPATCHER = "00000000-0000-7000-8000-00000000d15c"


class StaleLease(Exception):  # noqa: N818
    """Two phones share an identity."""


@dataclass
class Device:
    """One enrolled device and everything it ever settled."""

    account: str
    state: DeviceState
    settled: dict[int, Settled] = field(default_factory=dict)
    lease: str | None = None
    lease_previous: str | None = None


@dataclass(frozen=True)
class Entry:
    """One batch as it was decided, for the books."""

    author: Author
    batch: tuple[Mutation | Malformed, ...]
    located: Mapping[int, Located]
    received_ms: int
    plan: Plan


class ModelServer:
    """Everything the server knows, and its two calls: `sync` and `decide`."""

    def __init__(self, grids: Sequence[str]) -> None:
        self.grids = tuple(grids)
        self.now_ms = START_MS
        self.incarnation = 1
        self.records: dict[str, Record] = {}
        self.buckets: dict[str, Bucket] = {}
        self.devices: dict[str, Device] = {}
        self.assignments: dict[str, dict[str, list[Interval]]] = {}
        self.journal: list[Entry] = []
        self.next_sync_s = 0
        self.schemas = SCHEMAS
        self.purge_after_s: int | None = None
        self.files = Files()
        self._leases = 0
        self.enrol(DISPATCHER, CONSOLE)
        self.enrol(OTHER_DISPATCHER, OTHER_CONSOLE)

    def enrol(self, account: str, device: str) -> None:
        """Make a device of an account."""
        self.devices[device] = Device(account=account, state=fresh())

    def assign(self, account: str, grid: str) -> None:
        """Give a worker a grid from now on."""
        held = self.assignments.setdefault(account, {}).setdefault(grid, [])
        if not any(each.hi_ms is None for each in held):
            held.append(Interval(lo_ms=self.now_ms, hi_ms=None))

    def unassign(self, account: str, grid: str) -> None:
        """Take a grid from a worker now."""
        held = self.assignments.get(account, {}).get(grid, [])
        held[:] = [
            replace(each, hi_ms=self.now_ms) if each.hi_ms is None else each for each in held
        ]

    def decide(self, *, console: str = CONSOLE, **members: object) -> Settled:
        """Let a dispatcher's console ask for one change."""
        n = self.devices[console].state.settled_through + 1
        mutation = sealed(Mutation(n=n, body=b"", **members))
        return self._push(console, [mutation], None).answers[0]

    def backup(self) -> "ModelServer":
        """Return a copy of everything as it is now."""
        kept = copy.copy(self)
        kept.records = dict(self.records)
        kept.buckets = {
            name: Bucket(seq=each.seq, rows=dict(each.rows), exits=dict(each.exits))
            for name, each in self.buckets.items()
        }
        kept.devices = {
            name: replace(each, settled=dict(each.settled))
            for name, each in self.devices.items()
        }
        kept.assignments = {
            account: {grid: list(spans) for grid, spans in held.items()}
            for account, held in self.assignments.items()
        }
        kept.journal = []
        kept.files = Files(least=self.files.least)
        return kept

    def restored(self, lost: "ModelServer") -> "ModelServer":
        """Return this backup as the server that follows on `lost`, under a new incarnation."""
        again = self.backup()
        again.incarnation = lost.incarnation + 1
        again.now_ms = lost.now_ms
        again._leases = lost._leases
        return again

    def allowed(self, account: str) -> frozenset[str]:
        """Return the buckets an account may hold now."""
        grids = self.assignments.get(account, {}).items()
        now = {f"grid:{grid}" for grid, held in grids if any(e.hi_ms is None for e in held)}
        return frozenset({CONFIG, f"user:{account}", *now})

    def sync(self, device: str, request: SyncRequest) -> bytes:
        """Answer one contact: push, then pull from the state after it."""
        self._rotate_lease(self.devices[device], request.lease)
        plan = self._push(device, request.mutations, request)
        known = self.devices[device]
        allowed = self.allowed(known.account)
        cursors = {cursor.id: cursor for cursor in request.buckets}
        enter, leave = scope_change(cursors, allowed)
        head = SyncReply(
            server_time_ms=self.now_ms,
            incarnation=str(self.incarnation),
            lease=known.lease or "",
            settled_through=known.state.settled_through,
            outcomes=tuple(wire_outcome(each) for each in plan.answers if _is_told(each)),
            enter=enter,
            leave=leave,
            next_sync_s=self.next_sync_s,
            purge_after_s=self.purge_after_s,
            schema=self.schemas.told_to(request.app_schema),
        )
        return assemble_reply(reply_head(head), list(self._pages(allowed, cursors, request)))

    def manifest(self, name: str, wanted: Sequence[str] | None) -> dict[str, object]:
        """List a bucket, or the parts `wanted`; None is the digests of all parts."""
        bucket = self.buckets.get(name, Bucket())
        rows = sorted((record, row.hash) for record, row in bucket.rows.items())
        head = {"id": name, "epoch": self.incarnation, "seq": bucket.seq}
        head |= {"digest": bucket.digest(), "count": len(rows)}
        if wanted is None:
            return {**head, "parts": part_digests(rows)}
        listed = [row for row in rows if not wanted or part_of(row[0]) in wanted]
        return {**head, "records": listed}

    def items(self, allowed: Iterable[str], wanted: Iterable[str]) -> dict[str, object]:
        """Return the records among `wanted` that live in an allowed bucket."""
        rows = {
            record: row
            for name in allowed
            for record, row in self.buckets.get(name, Bucket()).rows.items()
        }
        found = [rows[record] for record in wanted if record in rows]
        return {"records": [json.loads(feed_item(row.body, row.hash)) for row in found]}

    def _rotate_lease(self, device: Device, shown: str | None) -> None:
        ours = f"{self.incarnation}."
        if shown is not None and not shown.startswith(ours):
            shown = device.lease
        if shown == device.lease:
            self._leases += 1
            device.lease, device.lease_previous = f"{ours}{self._leases}", device.lease
        elif shown != device.lease_previous:
            raise StaleLease

    def _push(
        self,
        device: str,
        batch: Sequence[Mutation | Malformed],
        request: SyncRequest | None,
    ) -> Plan:
        known = self.devices[device]
        author = self._author(device)
        located = located_in(batch, self.grids)
        plan = plan_push(
            Known(
                device=known.state,
                settled={
                    each.n: known.settled[each.n] for each in batch if each.n in known.settled
                },
                records=self._referenced(batch),
                authority=self._authority(known.account, console=author.console),
                located=located,
                group=_group_of_last(known),
            ),
            batch,
            author=author,
            send=None if request is None else request.clock,
            received_ms=self.now_ms,
        )
        self._store(device, known, plan, request)
        self.journal.append(
            Entry(
                author=author,
                batch=tuple(batch),
                located=located,
                received_ms=self.now_ms,
                plan=plan,
            )
        )
        return plan

    def _author(self, device: str) -> Author:
        account = self.devices[device].account
        return Author(
            device=device,
            account=account,
            role="dispatcher" if device in CONSOLES else "worker",
            console=device in CONSOLES,
            home_bucket=f"user:{account}",
        )

    def _referenced(self, batch: Iterable[Mutation | Malformed]) -> dict[str, Record]:
        mutations = [each for each in batch if isinstance(each, Mutation)]
        if any("grid" in each.set or each.act is not None for each in mutations):
            return dict(self.records)  # what belongs to a record follows it
        found: dict[str, Record] = {}
        asked: set[str] = set()
        while wanted := references(mutations, found) - asked:
            asked |= wanted
            found |= {each: self.records[each] for each in wanted if each in self.records}
        return found

    def _authority(self, account: str, *, console: bool) -> Mapping[str, tuple[Interval, ...]]:
        if console:
            return dict.fromkeys((f"grid:{grid}" for grid in self.grids), ALWAYS)
        held = self.assignments.get(account, {})
        return {f"grid:{grid}": tuple(spans) for grid, spans in held.items()} | {
            f"user:{account}": ALWAYS
        }

    def _store(
        self, device: str, known: Device, plan: Plan, request: SyncRequest | None
    ) -> None:
        for record in plan.writes.values():
            self._write(record)
        for each in plan.settled:
            assert each.n not in known.settled, "an n was settled twice"
            known.settled[each.n] = each
        state = replace(
            known.state,
            settled_through=plan.settled_through,
            flagged=plan.flagged,
            floor_ms=max([known.state.floor_ms, *(each.at_ms for each in plan.settled)]),
        )
        if request is not None:
            state = replace(
                state,
                last_contact_ms=self.now_ms,
                last_n=max(state.last_n, request.last_n),
                offset_ms=offset_of(request.clock, self.now_ms),
            )
        self.devices[device].state = state

    def _write(self, record: Record) -> None:
        before = self.records.get(record.id)
        self.records[record.id] = record
        body = record_body(record.id, record.kind, record.rev, state_of(record))
        into = merged_into(record)
        if before is not None and (before.bucket != record.bucket or into is not None):
            left = self.buckets[before.bucket]
            if left.rows.pop(record.id, None) is not None:
                left.seq += 1
                left.exits[record.id] = (left.seq, into or record.bucket)
                self.files.drop(before.bucket)
        if into is not None:
            return
        bucket = self.buckets.setdefault(record.bucket, Bucket())
        row = bucket.rows.get(record.id)
        if row is None or row.body != body:
            bucket.seq += 1
            bucket.rows[record.id] = Row(seq=bucket.seq, hash=record_hash(body), body=body)
            bucket.exits.pop(record.id, None)

    def _pages(
        self,
        allowed: Iterable[str],
        cursors: Mapping[str, BucketCursor],
        request: SyncRequest,
    ) -> Iterable[RawPage]:
        room = request.max_bytes or 2**20
        for name in sorted(allowed):
            cursor = cursors.get(name)
            if Take.SNAPSHOT in request.takes and (cursor is None or cursor.seq == 0):
                offered = self._offered(name, listed=cursor is not None)
                if offered is not None:
                    yield offered
                    continue
            page = self._page(name, cursor, room)
            if page is not None:
                room -= sum(len(item) for item in page.items)
                yield page

    def file(self, name: str, wanted: tuple[int, int]) -> File:
        """Return the file of a bucket; another one than `wanted` if that is not kept."""
        bodies = [row.body for row in self.buckets[name].rows.values()]
        return self.files.of(self._head(name), bodies, wanted)

    def _head(self, name: str) -> BucketPage:
        bucket = self.buckets[name]
        return BucketPage(
            id=name,
            epoch=self.incarnation,
            from_seq=0,
            seq=bucket.seq,
            digest=bucket.digest(),
            count=len(bucket.rows),
        )

    def _offered(self, name: str, *, listed: bool) -> RawPage | None:
        """A page that offers a file instead of items; None if the bucket is not worth one."""
        if not self.files.is_large(len(self.buckets.get(name, Bucket()).rows)):
            return None
        head = self._head(name)
        return RawPage(
            id=name,
            epoch=head.epoch,
            from_seq=0,
            seq=0,
            digest=head.digest,
            count=head.count,
            reset=listed,
            more=True,
            snapshot=self.files.offer(head),
        )

    def _page(self, name: str, cursor: BucketCursor | None, room: int) -> RawPage | None:
        bucket = self.buckets.get(name, Bucket())
        digest = bucket.digest()
        reset = cursor is not None and (
            cursor.epoch != self.incarnation
            or cursor.seq > bucket.seq
            or (cursor.seq == bucket.seq and cursor.digest != digest)
        )
        start = 0 if cursor is None or reset else cursor.seq
        if cursor is not None and not reset and start == bucket.seq:
            return None
        items, reached = _items(bucket, start, room)
        left = [
            gone(record, to)
            for record, (seq, to) in sorted(bucket.exits.items(), key=lambda each: each[1][0])
            if 0 < start < seq <= reached
        ]
        return RawPage(
            id=name,
            epoch=self.incarnation,
            from_seq=start,
            seq=reached,
            digest=digest,
            count=len(bucket.rows),
            items=items,
            gone=left,
            reset=reset,
            more=reached < bucket.seq,
        )


def _group_of_last(device: Device) -> str | None:
    last = device.settled.get(device.state.settled_through)
    return None if last is None else group_of(last.body)


def _is_told(settled: Settled) -> bool:
    return settled.outcome is not Outcome.APPLIED or settled.replayed
