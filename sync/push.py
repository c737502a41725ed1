"""A device's batch becomes a plan: what to store and what to answer. Pure, and never raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sync.clock import correct, offset_of
from sync.decide import decide
from sync.dependants import Family
from sync.fields import is_id
from sync.groups import FAILS, GROUP_MAX, Run, is_fact, runs
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
from sync.mutation import ClockReading, Malformed, Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.references import references
from sync.release import is_ruling, rule_on
from sync.sheet import Deed, Sheet, Verdict

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
    nothing of the device is applied; what a phone keeps of it when people were erased is not
    another body. A gap in n stops: what follows is `retry` and not stored.
    A group is decided together, see `sync.groups`.
    """
    planning = _Planning(known, author, send, received_ms)
    answers = tuple(answer for run in runs(batch) for answer in planning.answers(run))
    before = known.records
    return Plan(
        settled=tuple(planning.settled.values()),
        answers=answers,
        writes=planning.writes,
        before={record_id: before.get(record_id) for record_id in planning.writes},
        settled_through=planning.through,
        flagged=planning.flagged,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """Why a group takes no effect; `culprit` is the member at which it failed, if any."""

    code: Code
    culprit: Settled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """Where a batch stood before a group."""

    records: Mapping[str, Record]
    writes: Mapping[str, Record]
    settled: Mapping[int, Settled]
    through: int
    floor_ms: int
    flagged: bool
    stopped: bool


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
        self.family = Family(self.records)
        self.writes: dict[str, Record] = {}
        self.settled: dict[int, Settled] = {}
        self.through = device.settled_through
        self.floor_ms = device.floor_ms
        self.flagged = device.flagged
        self.stopped = known.stopped
        self.group = known.group
        self.failed: _Failed | None = None

    def answers(self, run: Run) -> list[Settled]:
        """Return what a run became: one mutation, or a group that is decided together.

        If a member fails, the group is taken back and decided again as a failed one. If a gap
        lies in it, nothing of it is taken.
        """
        group = run[0].group
        if group is None:
            self.group = None
            return [self.answer(run[0])]
        self.failed = self._fails_as_a_whole(run)
        self.group = group
        before = self._mark()
        answers = [self.answer(each) for each in run]
        culprit = next((each for each in answers if self._failed_now(each, before)), None)
        if self.stopped and self.through > before.through:
            self._take_back(before)
            self.stopped = True
            answers = [self.answer(each) for each in run]
        elif culprit is not None and self.failed is None and len(run) > 1:
            self._take_back(before)
            self.failed = _Failed(code=Code.GROUP_FAILED, culprit=culprit)
            answers = [self.answer(each) for each in run]
        self.failed = None
        return answers

    def _fails_as_a_whole(self, run: Run) -> "_Failed | None":
        if len(run) > GROUP_MAX:
            return _Failed(code=Code.GROUP_TOO_LARGE)
        if run[0].group == self.group and any(
            type(each.n) is int and each.n > self.through for each in run
        ):
            return _Failed(code=Code.GROUP_CUT)
        return None

    def _failed_now(self, answer: Settled, before: "_Mark") -> bool:
        return (
            answer.outcome in FAILS
            and answer.n > before.through
            and self.settled.get(answer.n) is answer
        )

    def _mark(self) -> "_Mark":
        return _Mark(
            records=dict(self.records),
            writes=dict(self.writes),
            settled=dict(self.settled),
            through=self.through,
            floor_ms=self.floor_ms,
            flagged=self.flagged,
            stopped=self.stopped,
        )

    def _take_back(self, mark: "_Mark") -> None:
        self.records, self.writes = dict(mark.records), dict(mark.writes)
        self.family = Family(self.records)
        self.settled = dict(mark.settled)
        self.through, self.floor_ms = mark.through, mark.floor_ms
        self.flagged, self.stopped = mark.flagged, mark.stopped

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
        if body_hash != stored.body_hash and item.body != stored.body:
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
        if self.failed is not None:
            return self._in_failed_group(self.failed, mutation, at_ms, quality)
        return self._taken(mutation, at_ms, quality)

    def _in_failed_group(
        self, failed: "_Failed", mutation: Mutation, at_ms: int, quality: Quality
    ) -> Verdict:
        """A fact is decided by itself; whoever made the group fail is told why; others wait."""
        if is_fact(mutation):
            verdict = self._taken(mutation, at_ms, quality)
            if verdict.outcome not in FAILS:
                return verdict
        culprit = failed.culprit
        if culprit is not None and culprit.n == mutation.n:
            return Verdict(
                outcome=culprit.outcome,
                code=culprit.code,
                field=culprit.field,
                rev=culprit.rev,
                ended_at=culprit.ended_at,
            )
        return Verdict(outcome=Outcome.HELD, code=failed.code, rev=0)

    def _taken(self, mutation: Mutation, at_ms: int, quality: Quality) -> Verdict:
        """Decide a mutation and lay what it changes over the records.

        What is written in a version of the record schema that is not read here waits, and so
        does what would count at a place that is doubtful.
        """
        if mutation.skew is not None:
            return Verdict(outcome=Outcome.HELD, code=mutation.skew, field="schema", rev=0)
        try:
            verdict, changed = self._decided(mutation, at_ms, quality)
        except Exception:  # noqa: BLE001 - one bad mutation must not stop a worker's queue
            return Verdict(outcome=Outcome.HELD, code=Code.SERVER_FAULT, rev=0)
        if mutation.n in self.known.doubtful and verdict.outcome not in FAILS:
            code = Code.DOUBTFUL_DATUM
            return Verdict(outcome=Outcome.HELD, code=code, field="position", rev=0)
        self.records.update(changed)
        self.family.note(changed.values())
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
        sheet = Sheet(self.records, self.family)
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
            ended_at=verdict.ended_at,
        )


def _quarantined(code: Code) -> Verdict:
    return Verdict(outcome=Outcome.QUARANTINED, code=code, rev=0)
