"""The records one mutation works on, and the facts of the act itself.

A `Sheet` lies over the records known so far: reads fall through, writes stay on it until the
mutation is decided, so a mutation that fails half-way leaves no trace.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.cells import overlay
from sync.dependants import Family
from sync.fields import Ref
from sync.ids import derived_id
from sync.kinds import KINDS
from sync.known import Author, Interval, Located
from sync.lifecycle import TERMINAL
from sync.merge import Stamp, accept
from sync.mutation import EMPTY, Mutation, Quality
from sync.outcome import Code, Outcome
from sync.record import Cell, Credit, Record, Status
from sync.state import is_tombstone, rules_of

CONFIG_BUCKET = "config"
_GRID = "grid:"
_NAMES_PEOPLE = {
    kind.name: tuple(each.name for each in kind.fields.values() if each.type == Ref("user"))
    for kind in KINDS.values()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What an author asks for, when by the server's clock, and where: judged once, on arrival.

    `granted` is a judgement made earlier, of authority and of what the author may know of; None
    means that it is made now.
    """

    author: Author
    mutation: Mutation
    at_ms: int
    quality: Quality
    located: Located | None = None
    authority: Mapping[str, tuple[Interval, ...]] = field(default_factory=lambda: EMPTY)
    granted: bool | None = None

    @property
    def credit(self) -> Credit:
        """The act as something that can be credited."""
        return Credit(
            at_ms=self.at_ms,
            by=self.author.account,
            device=self.author.device,
            n=self.mutation.n,
            quality=self.quality,
        )

    def stamp(self, *, rev: int, base: int, decisive: bool = False) -> Stamp:
        """The act as the author of a value at revision `rev`."""
        author = self.author
        return Stamp(
            rev=rev,
            base=base,
            device=author.device,
            n=self.mutation.n,
            at_ms=self.at_ms,
            console=author.console,
            decisive=decisive,
        )

    def may_write(self, bucket: str) -> bool:
        """Say whether the author's assignments covered a bucket when the act took place."""
        if self.granted is not None:
            return self.granted
        if self.author.console or bucket == self.author.home_bucket:
            return True
        return any(
            each.lo_ms <= self.at_ms and (each.hi_ms is None or self.at_ms < each.hi_ms)
            for each in self.authority.get(bucket, ())
        )

    def knows(self, record: Record) -> bool:
        """Say whether the author may know of a record: was it ever theirs to hold or to write?

        It was if the author's assignments covered, at any time, the bucket it lives in or a
        grid it was moved from, or if it names the author: as its assignee, once, or as who
        wrote it. What is not known to an author is answered as if it did not exist.
        """
        if self.granted is not None:
            return self.granted
        if self.author.console or self._held(record.bucket):
            return True
        return any(self._held(each) for each in former_buckets(record)) or any(
            self.author.account in ever(record.fields.get(name))
            for name in _NAMES_PEOPLE[record.kind]
        )

    def _held(self, bucket: str) -> bool:
        own = bucket in {self.author.home_bucket, CONFIG_BUCKET}
        return own or bool(self.authority.get(bucket))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one mutation became, and the revision its record has now (0 = there is none).

    `ended_at` is the record it had its effect on if that is not the one it named, and `rev` is
    of that one then.
    """

    outcome: Outcome
    rev: int
    code: Code | None = None
    field: str | None = None
    ended_at: str | None = None


class Sheet:
    """Records as one mutation sees and changes them."""

    __slots__ = ("changed", "family", "known")

    def __init__(self, known: Mapping[str, Record], family: Family | None = None) -> None:
        self.known = known
        self.changed: dict[str, Record] = {}
        self.family = Family(known) if family is None else family

    def get(self, record_id: str | None) -> Record | None:
        """Return a record as it is now, None if there is none."""
        if record_id is None:
            return None
        return self.changed.get(record_id) or self.known.get(record_id)

    def of_kind(self, record_id: str | None, kind: str) -> Record | None:
        """Return a record if it is of `kind`, else None."""
        record = self.get(record_id)
        return record if record is not None and record.kind == kind else None

    def unused_id(self, *parts: str | int) -> str:
        """Return the derived id of `parts`, or of its first variant that is not taken."""
        return unused_id(self, *parts)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self.changed or record_id in self.known

    def create(self, record: Record) -> None:
        """Add a new record."""
        self.changed[record.id] = record

    def revise(  # noqa: PLR0913 - the parts of a record, by name
        self,
        record: Record,
        deed: Deed,
        *,
        values: Mapping[str, Any] = EMPTY,
        cells: Mapping[str, Cell] = EMPTY,
        sets: Mapping[str, Mapping[str, Cell]] | None = None,
        status: Status | None = None,
        bucket: str | None = None,
    ) -> Record:
        """Write the next revision of a record; call it once for each record and mutation.

        `values` are written by rule: with knowledge of everything that is there. `cells` are
        already merged. What belongs to the record and lives in its bucket follows it into
        another `bucket`.
        """
        rev = record.rev + 1
        merged = dict(cells)
        if values:
            rules = rules_of(record.kind)
            stamp = deed.stamp(rev=rev, base=record.rev)
            for name, value in values.items():
                cell = accept(record.fields.get(name), value, stamp, rules[name])
                if cell is not None:
                    merged[name] = cell
        device = deed.author.device
        revised = Record(
            id=record.id,
            kind=record.kind,
            bucket=record.bucket if bucket is None else bucket,
            rev=rev,
            fields=overlay(record.fields, merged),
            sets=record.sets if sets is None else sets,
            status=record.status if status is None else status,
            run_device=device,
            run_from=record.run_from if record.run_device == device else record.rev,
        )
        self.changed[record.id] = revised
        if revised.bucket != record.bucket:
            self._bring_along(record, revised.bucket, deed)
        return revised

    def _bring_along(self, leader: Record, bucket: str, deed: Deed) -> None:
        """Let what belongs to a record follow it, and what belongs to that in its turn."""
        values = {"grid": bucket[len(_GRID) :]} if bucket.startswith(_GRID) else EMPTY
        for record_id in self.family.below(leader.id):
            record = self.get(record_id)
            if record is None or is_tombstone(record):
                continue
            if record.bucket == leader.bucket:
                self.revise(record, deed, values=values, bucket=bucket)


def _variants(*parts: str | int) -> Iterator[str]:
    """The derived id of `parts`, and after it the ids to take when that one is taken."""
    yield derived_id(*parts)
    variant = 0
    while True:
        variant += 1
        yield derived_id(*parts, variant)


def unused_id(taken: Container[str], *parts: str | int) -> str:
    """Return the derived id of `parts`, or of its first variant that is not in `taken`."""
    return next(each for each in _variants(*parts) if each not in taken)


def possible_ids(taken: Container[str], *parts: str | int) -> Iterator[str]:
    """Yield every id that `unused_id` may return once more of what exists is known.

    As many are guessed as are known to be taken, so that asking again and again ends soon even
    if somebody took them all.
    """
    passed = 0
    variants = enumerate(_variants(*parts))
    while True:
        position, each = next(variants)
        yield each
        if each in taken:
            passed = position + 1
        if position >= 2 * passed:
            return


def ever(cell: Cell | None) -> Iterator[Any]:
    """Yield every value a field is remembered to have had, shown or standing beside."""
    if cell is None:
        return
    for head in (*cell.heads, *cell.kept, *(each.head for each in cell.past)):
        yield head.value


def former_buckets(record: Record) -> Iterator[str]:
    """Yield the buckets of the grids a record is remembered to have lain in."""
    for grid in ever(record.fields.get("grid")):
        if grid is not None:
            yield _GRID + grid


def met_nobody(record: Record, base: int, device: str) -> bool:
    """Say whether every revision after `base` was made by `device` itself."""
    return base == record.rev or (record.run_device == device and base >= record.run_from)


def is_over(record: Record) -> bool:
    """Say whether the life cycle of a record has ended (it may be reopened)."""
    return record.status is not None and record.status.state in TERMINAL[record.kind]
