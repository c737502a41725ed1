"""A device's batch becomes a plan: what to store and what to answer. Pure, and never raises."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from sync.clock import correct, offset_of
from sync.decide import decide
from sync.fields import Ref, is_id
from sync.ids import derived_id
from sync.kinds import KINDS
from sync.known import (
    Acting,
    Author,
    DeviceState,
    Held,
    Interval,
    Known,
    Located,
    Plan,
    Settled,
)
from sync.lifecycle import INCIDENT, acts_of
from sync.mutation import ClockReading, Malformed, Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.release import is_ruling, rule_on
from sync.sheet import Deed, Sheet, Verdict, possible_ids
from sync.state import live_value

__all__ = [
    "Acting",
    "Author",
    "DeviceState",
    "Held",
    "Interval",
    "Known",
    "Located",
    "Plan",
    "Settled",
    "plan_push",
    "references",
]

_NO_RECORD = frozenset({"area", "user"})
_REFS = {
    kind.name: tuple(
        name
        for name, each in kind.fields.items()
        if isinstance(each.type, Ref) and each.type.kind not in _NO_RECORD
    )
    for kind in KINDS.values()
}


def references(
    mutations: Iterable[Mutation], records: Mapping[str, Record], *, device: str = ""
) -> frozenset[str]:
    """Return the ids of the records that deciding a batch may need and `records` does not hold.

    They may exist or not. What is needed can depend on what is found, so a caller asks again
    with the records it found until nothing new is asked for. With the `device` of the batch the
    places of its claims are asked for too, which anybody could have taken.
    """
    batch = tuple(mutations)
    taken = records.keys() | {each.record for each in batch}
    needed = {
        each
        for mutation in batch
        for each in (*_needed(mutation, records), *_made(mutation, taken, device))
        if is_id(each)
    }
    return frozenset(needed - records.keys())


def _needed(mutation: Mutation, records: Mapping[str, Record]) -> Iterator[Any]:
    yield mutation.record
    for name in _REFS.get(mutation.kind, ()):
        yield mutation.set.get(name)
    if mutation.act is None:
        return
    yield mutation.args.get("task")
    record = records.get(mutation.record)
    if record is None or record.status is None:
        return
    yield live_value(record, "task" if record.kind == INCIDENT else "incident")
    act = acts_of(record.kind).get(mutation.act)
    credit = None if act is None else record.status.reached.get(act.claims or "")
    if credit is not None:
        yield derived_id(credit.device, credit.n, "claim")


def _made(mutation: Mutation, taken: Container[str], device: str) -> Iterator[str]:
    """The ids that a mutation's consequences may get, so that none is given twice."""
    if mutation.kind == "report":
        yield from possible_ids(taken, mutation.record, INCIDENT)
    if mutation.act is not None and device:
        yield from possible_ids(taken, device, mutation.n, "claim")


def plan_push(
    known: Known,
    batch: Sequence[Mutation | Malformed],
    *,
    author: Author,
    send: ClockReading | None,
    received_ms: int,
) -> Plan:
    """Decide a device's batch, in the order of the batch.

    Args:
        known: what is stored about the device, and what `references` asked for.
        batch: mutations of this device; those settled before are answered, not applied again.
        author: the signed-in account on the device.
        send: the device's clocks just before it sent; None for a console.
        received_ms: when the request arrived.

    An n that was settled with another body is `quarantined`, flags the device, and from then on
    nothing of the device is applied. A gap in n stops: what follows is `retry` and not stored.
    """
    planning = _Planning(known, author, send, received_ms)
    answers = tuple(planning.answer(each) for each in batch)
    before = known.records
    return Plan(
        settled=tuple(planning.settled.values()),
        answers=answers,
        writes=planning.writes,
        before={record_id: before.get(record_id) for record_id in planning.writes},
        settled_through=planning.through,
        flagged=planning.flagged,
    )


class _Planning:
    """The state of one batch being decided."""

    def __init__(
        self, known: Known, author: Author, send: ClockReading | None, received_ms: int
    ) -> None:
        device = known.device
        self.known = known
        self.author = author
        self.send = send
        self.received_ms = received_ms
        self.offset_ms = device.offset_ms if send is None else offset_of(send, received_ms)
        self.records = dict(known.records)
        self.writes: dict[str, Record] = {}
        self.settled: dict[int, Settled] = {}
        self.through = device.settled_through
        self.floor_ms = device.floor_ms
        self.flagged = device.flagged
        self.stopped = known.stopped

    def answer(self, item: Mutation | Malformed) -> Settled:
        """Return what one item of the batch became, settling it if it is the next one."""
        body_hash = sha256(item.body).hexdigest()
        if type(item.n) is not int or item.n < 1:
            verdict = Verdict(outcome=Outcome.INVALID, code=Code.MALFORMED, field="n", rev=0)
            return self._settled(item, verdict, body_hash)
        if item.n <= self.through:
            return self._replay(item, body_hash)
        if self.stopped or item.n != self.through + 1:
            code = Code.AFTER_GAP if self.stopped else Code.GAP
            self.stopped = True
            verdict = Verdict(outcome=Outcome.RETRY, code=code, rev=0)
            return self._settled(item, verdict, body_hash)
        return self._settle(item, body_hash)

    def _replay(self, item: Mutation | Malformed, body_hash: str) -> Settled:
        stored = self.settled.get(item.n) or self.known.settled.get(item.n)
        if stored is None:
            verdict = Verdict(outcome=Outcome.RETRY, code=Code.SERVER_FAULT, rev=0)
            return self._settled(item, verdict, body_hash)
        if stored.body_hash != body_hash:
            self.flagged = True
            return self._settled(item, _quarantined(Code.REUSED_N), body_hash)
        return replace(stored, replayed=True)

    def _settle(self, item: Mutation | Malformed, body_hash: str) -> Settled:
        """Decide the next n for good."""
        if isinstance(item, Malformed):
            at_ms, quality = self.floor_ms, Quality.CLAMPED
            verdict = Verdict(outcome=Outcome.INVALID, code=item.code, field=item.field, rev=0)
        else:
            at_ms, quality = self._time_of(item)
            verdict = self._verdict(item, at_ms, quality)
        settled = self._settled(item, verdict, body_hash, at_ms=at_ms, quality=quality)
        self.settled[item.n] = settled
        self.through = item.n
        return settled

    def _time_of(self, mutation: Mutation) -> tuple[int, Quality]:
        device = self.known.device
        floor_ms = self.floor_ms
        if device.last_contact_ms is not None and mutation.n > device.last_n:
            floor_ms = max(floor_ms, device.last_contact_ms)
        corrected = correct(
            mutation.clock,
            self.send,
            received_ms=self.received_ms,
            offset_ms=self.offset_ms,
            floor_ms=floor_ms,
        )
        self.floor_ms = corrected.at_ms
        return corrected.at_ms, corrected.quality

    def _verdict(self, mutation: Mutation, at_ms: int, quality: Quality) -> Verdict:
        device = self.known.device
        if mutation.n in self.known.faulty:
            return Verdict(outcome=Outcome.HELD, code=Code.SERVER_FAULT, rev=0)
        if device.revoked:
            return _quarantined(Code.DEVICE_REVOKED)
        if self.flagged:
            return _quarantined(Code.STALE_LEASE if device.flagged else Code.REUSED_N)
        try:
            verdict, changed = self._decided(mutation, at_ms, quality)
        except Exception:  # noqa: BLE001 - one bad mutation must not stop a worker's queue
            return Verdict(outcome=Outcome.HELD, code=Code.SERVER_FAULT, rev=0)
        self.records.update(changed)
        self.writes.update(changed)
        return verdict

    def _decided(
        self, mutation: Mutation, at_ms: int, quality: Quality
    ) -> tuple[Verdict, Mapping[str, Record]]:
        known = self.known
        located = known.located.get(mutation.n)
        if is_ruling(self.author, mutation):
            return rule_on(self.records, mutation, known.held.get(mutation.n), located)
        author, authority = self._author_of(mutation, at_ms)
        deed = Deed(
            author=author,
            mutation=mutation,
            at_ms=at_ms,
            quality=quality,
            located=located,
            authority=authority,
        )
        sheet = Sheet(self.records)
        verdict = decide(sheet, deed)
        return verdict, sheet.changed

    def _author_of(
        self, mutation: Mutation, at_ms: int
    ) -> tuple[Author, Mapping[str, tuple[Interval, ...]]]:
        """Whose work a mutation is: the signed-in account's, or that of an accepted actor."""
        actor = None if mutation.actor is None else self.known.actors.get(mutation.actor)
        if actor is None or (actor.until_ms is not None and at_ms >= actor.until_ms):
            return self.author, self.known.authority
        return actor.author, actor.authority

    def _settled(
        self,
        item: Mutation | Malformed,
        verdict: Verdict,
        body_hash: str,
        *,
        at_ms: int | None = None,
        quality: Quality = Quality.EXACT,
    ) -> Settled:
        record, base, actor = item.record, 0, None
        if isinstance(item, Mutation):
            base, actor = item.base, item.actor
        return Settled(
            n=item.n,
            record=record if is_id(record) else None,
            kind=item.kind,
            outcome=verdict.outcome,
            code=verdict.code,
            field=verdict.field,
            rev=verdict.rev,
            at_ms=self.received_ms if at_ms is None else at_ms,
            quality=quality,
            body_hash=body_hash,
            replayed=False,
            base=base,
            actor=actor,
            body=item.body,
        )


def _quarantined(code: Code) -> Verdict:
    return Verdict(outcome=Outcome.QUARANTINED, code=code, rev=0)
