"""Eyes on the whole world while it runs: each promise of the protocol, checked as it happens.

`ServerWatch` looks at every batch the server decided and every exchange it answered,
`PhoneWatch` at what one phone holds and shows. They keep books of their own and do not believe
the code that they watch.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.canonical import EMPTY_DIGEST
from sync.fold import Entry as Folded
from sync.fold import fold
from sync.lifecycle import RANKS
from sync.mutation import Mutation
from sync.outcome import Code, Outcome
from sync.record import Cell, Head, Record
from sync.wire import decode_reply
from tests.simulation.device import Replica
from tests.simulation.files import File
from tests.simulation.model import CONFIG, Entry, ModelServer

FACTS = frozenset({"report", "visit", "note"})
WITHOUT_EFFECT = frozenset({Outcome.INVALID, Outcome.HELD, Outcome.QUARANTINED})
FACT_MAY_WAIT_FOR = frozenset({Code.UNKNOWN_PARENT, Code.UNKNOWN_ACTOR})
CRASHED = "the rules never raise"
Place = tuple[str, str]
Said = tuple[str, int]


class PromiseBroken(AssertionError):  # noqa: N818 - named as the condition it reports
    """One promise did not hold; `promise` is its short name, the same for every occurrence."""

    def __init__(self, promise: str, detail: str = "") -> None:
        super().__init__(f"{promise}: {detail}" if detail else promise)
        self.promise = promise


def promise(kept: object, name: str, detail: str = "") -> None:
    """Raise `PromiseBroken` unless `kept`."""
    if not kept:
        raise PromiseBroken(name, detail)


@dataclass
class Books:
    """What the watch knows by itself; a restored server goes on with the books of its backup.

    `assigned` are the grids of each account now. `replaced` are the heads, as (device, n), that
    an author who knew them replaced, by record and field.
    """

    assigned: dict[str, frozenset[str]] = field(default_factory=dict)
    history: list[Folded] = field(default_factory=list)
    replaced: dict[Place, frozenset[Said]] = field(default_factory=dict)
    latest_ms: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Books":
        return Books(
            assigned=dict(self.assigned),
            history=list(self.history),
            replaced=dict(self.replaced),
            latest_ms=dict(self.latest_ms),
        )


class ServerWatch:
    """Checks what the server decides and sends."""

    def __init__(self) -> None:
        self.books = Books()
        self.answered: set[Outcome] = set()
        self._leases: dict[str, list[str]] = {}
        self._reply: tuple[str, str, frozenset[str]] = ("", "", frozenset())

    def renewed(self, books: Books) -> None:
        """Go on from a backup's books; leases of the time before it are accepted once."""
        self.books = books
        self._leases.clear()

    def allowed(self, account: str) -> frozenset[str]:
        """Return the buckets an account may hold now, by the watch's own books."""
        grids = self.books.assigned.get(account, frozenset())
        return frozenset({CONFIG, f"user:{account}", *(f"grid:{each}" for each in grids)})

    # what is sent

    def reply(self, server: ModelServer, device: str, content: bytes) -> None:
        """Check a reply at the moment it is given: its scope, and that it is one snapshot."""
        decoded = decode_reply(json.loads(content))
        allowed = self.allowed(server.devices[device].account)
        sent = [each for page in decoded.buckets for each in page.put]
        promise(len({each.record for each in sent}) == len(sent), "one snapshot", "sent twice")
        for page in decoded.buckets:
            promise(page.id in allowed, "nothing outside the scope is sent", page.id)
            for item in page.put:
                row = server.buckets[page.id].rows.get(item.record)
                current = row is not None and row.hash == item.hash
                promise(current, "one snapshot", f"an older {item.kind} was sent")
        anew = frozenset(page.id for page in decoded.buckets if page.reset)
        self._reply = device, decoded.lease, anew

    def file(self, server: ModelServer, device: str, bucket: str, file: File) -> None:
        """Check a snapshot when it is given: its scope, and that nothing in it has left."""
        allowed = self.allowed(server.devices[device].account)
        promise(bucket in allowed, "nothing outside the scope is sent", bucket)
        for each in file.records():
            there = each["record"] in server.buckets[bucket].rows
            promise(there, "nothing that left is in a file", each["kind"])

    def exchange(self, replica: Replica, request: Mapping[str, Any], *, read: bool) -> None:
        """Check an answered request: its lease, and that nothing is compared without need.

        `read` says whether the phone was waiting for this answer; an old request that arrives
        at last says what held when it was made.
        """
        device, lease, anew = self._reply
        issued = self._leases.setdefault(device, [])
        shown = request.get("lease")
        if issued and shown is not None and shown in issued:
            promise(shown in issued[-2:], "an identity has one phone", "an old lease passed")
        if not issued or shown == issued[-1]:
            promise(lease not in issued, "an identity has one phone", "the lease stays")
        if lease not in issued:
            issued.append(lease)
        if read and not replica.damaged:
            for each in request["buckets"]:
                followed = each["seq"] > 0
                reset = followed and each["id"] in anew
                promise(not reset, "no missed change", "a digest differs")
                fetched = not followed and each["digest"] != EMPTY_DIGEST
                promise(not fetched, "no missed change", "a bucket is fetched anew")

    # what is decided

    def decided(self, entry: Entry) -> None:
        """Check one batch, and write it into the books."""
        plan = entry.plan
        self.answered |= {each.outcome for each in plan.answers}
        promise(plan.settled or not plan.writes, "one effect per mutation", "a repeat wrote")
        through = plan.settled_through
        for each in plan.settled:
            promise(each.n <= through, "one effect per mutation", "settled out of order")
            promise(each.code is not Code.SERVER_FAULT, CRASHED, f"a {each.kind}")
        self._check_times(entry)
        self._check_facts(entry)
        _check_groups(entry)
        for record_id, after in plan.writes.items():
            before = plan.before[record_id]
            _check_status(before, after)
            self._check_cells(entry, before, after)
        self._remember(entry)

    def _check_times(self, entry: Entry) -> None:
        device = entry.author.device
        for each in entry.plan.settled:
            promise(each.at_ms <= entry.received_ms, "time is possible", "after its arrival")
            latest_ms = self.books.latest_ms.get(device, 0)
            promise(each.at_ms >= latest_ms, "time is possible", "before an earlier act")
            self.books.latest_ms[device] = each.at_ms

    def _check_facts(self, entry: Entry) -> None:
        for each in entry.plan.settled:
            if each.kind not in FACTS or each.outcome is Outcome.QUARANTINED:
                continue
            refused = each.outcome is Outcome.INVALID or (
                each.outcome is Outcome.HELD and each.code not in FACT_MAY_WAIT_FOR
            )
            promise(not refused, "facts are never refused", f"a {each.kind} is {each.code}")

    def _check_cells(self, entry: Entry, before: Record | None, after: Record) -> None:
        for name, cell in after.fields.items():
            old = before.fields.get(name) if before is not None else None
            if old != cell:
                self._check_cell(entry, (after.id, name), old, cell)

    def _check_cell(self, entry: Entry, place: Place, before: Cell | None, after: Cell) -> None:
        """Heads an author knew are gone for good, and no others are."""
        device = entry.author.device
        bases = {each.n: each.base for each in entry.plan.settled if each.record == place[0]}
        old = before.heads if before is not None else ()
        new = [each for each in after.heads if each.device == device and each.n in bases]
        for mine in new:
            for other in after.heads:
                known = other is not mine and _is_known(other, mine, bases[mine.n])
                promise(not known, "an edit that saw a value never loses to it", place[1])
        if len(new) == len(bases) == 1:
            base = bases[new[0].n]
            stay = {_said(each) for each in old if not _is_known(each, new[0], base)}
            left = {_said(each) for each in after.heads} - {_said(new[0])}
            promise(left == stay, "no value is dropped unseen", place[1])
        gone = {_said(each) for each in old} - {_said(each) for each in after.heads}
        replaced = self.books.replaced.get(place, frozenset()) | gone
        back = replaced & {_said(each) for each in after.heads}
        promise(not back, "an edit that saw a value never loses to it", f"{place[1]} is back")
        self.books.replaced[place] = replaced

    def _remember(self, entry: Entry) -> None:
        by_n = {each.n: each for each in reversed(entry.batch)}
        for settled in entry.plan.settled:
            mutation = by_n[settled.n]
            if isinstance(mutation, Mutation):
                self.books.history.append(
                    Folded(
                        author=entry.author,
                        mutation=mutation,
                        at_ms=settled.at_ms,
                        quality=settled.quality,
                        outcome=settled.outcome,
                        code=settled.code,
                        located=entry.located.get(settled.n),
                    )
                )

    def check_fold(self, server: ModelServer) -> None:
        """The whole history folded anew is what the server stores."""
        folded = fold(self.books.history)
        promise(folded.keys() == server.records.keys(), "the fold agrees", "other records")
        for record_id, record in folded.items():
            same = server.records[record_id] == record
            promise(same, "the fold agrees", f"another {record.kind}")


def _said(head: Head) -> Said:
    return head.device, head.n


def _is_known(other: Head, mine: Head, base: int) -> bool:
    return other.rev <= base or (other.device == mine.device and not other.carried)


def _check_status(before: Record | None, after: Record) -> None:
    if before is None or before.status is None or after.status is None:
        return
    ranks = RANKS[after.kind]
    was = (before.status.epoch, ranks[before.status.state])
    now = (after.status.epoch, ranks[after.status.state])
    promise(now >= was, "status never goes down inside an epoch", after.kind)


def _check_groups(entry: Entry) -> None:
    """What one form says counts as a whole or not at all, but for the facts in it."""
    form = {each.n: each.group for each in entry.batch}
    effects: dict[str, set[bool]] = {}
    for each in entry.plan.settled:
        name = form[each.n]
        if name is not None and each.kind not in FACTS:
            effects.setdefault(name, set()).add(each.outcome in WITHOUT_EFFECT)
    whole = all(len(each) == 1 for each in effects.values())
    promise(whole, "a form counts as a whole", "only a part of it")


class PhoneWatch:
    """Checks what one phone holds and shows, as its worker would notice."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._revs: dict[str, int] = {}
        self._status: dict[str, tuple[int, int]] = {}

    def forget(self) -> None:
        """Start anew: the phone or the server went back to an earlier copy."""
        self._revs.clear()
        self._status.clear()

    def look(self) -> None:
        """Compare what the phone holds with what it held, and with what it was told.

        A phone that has not yet followed a server that went back may go back itself, once.
        """
        phone = self._replica.phone
        if self._replica.damaged:
            self.forget()
        for held in phone._store.held_of_kind(None):
            earlier = self._revs.get(held.record, 0)
            promise(held.rev >= earlier, "reads are monotonic", held.kind)
            self._revs[held.record] = held.rev
            if held.kind in RANKS:
                self._look_at_status(held.record, held.kind, json.loads(held.body)["state"])
        self._look_at_own_work()

    def _look_at_status(self, record: str, kind: str, state: Mapping[str, Any]) -> None:
        if "status" not in state:
            return
        now = (state["epoch"], RANKS[kind][state["status"]])
        earlier = self._status.get(record, now)
        promise(now >= earlier, "status never goes down inside an epoch", kind)
        self._status[record] = now

    def _look_at_own_work(self) -> None:
        """What was answered with a revision is shown at that one or a later, or laid over."""
        phone = self._replica.phone
        laid = {each.n for each in self.laid_over()}
        for outcome in phone.outcomes():
            if outcome.n in laid or not outcome.rev or outcome.record is None:
                continue
            held = phone.held(outcome.record)
            seen = held is None or held.rev >= outcome.rev
            promise(seen, "a worker reads what the worker wrote", str(outcome.outcome))

    def laid_over(self) -> Iterable[Any]:
        """Return the rows of work that is still laid over the replica."""
        return self._replica.phone._store._outbox("overlay = 1 ORDER BY n")
