"""Write checked rows through the one write path, a hundred in a transaction.

Each row names its record by an id that follows from its code and the fields it wants. Only
fields that differ from what is stored become a mutation, so importing the same file again
writes nothing and an import never touches a field that the file does not mention.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection

from server.clock import now_ms
from server.db.store import Store
from server.imports import queries
from server.imports.areas import AreasRefusedError, AreaWanted, place_areas
from server.imports.report import Code, ImportReport, RowFault
from server.replication.submit import BATCH_MUTATIONS_MAX, Console, Draft, submit
from sync.outcome import Outcome

Progress = Callable[[int, int], None]

_DONE = frozenset({Outcome.APPLIED, Outcome.MERGED, Outcome.UNCHANGED, Outcome.CONFLICT})


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to import: for whom, whether to write, whom to tell, and inside which area numbers.

    `span` is the interval of area numbers the author may write in; None is everywhere.
    `at_once` rows of a table share a transaction: many are cheaper, few let others in between.
    """

    console: Console
    dry_run: bool = False
    progress: Progress = silent
    span: tuple[int, int] | None = None
    at_once: int = BATCH_MUTATIONS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One checked row: the record it is about and what the record must say.

    `area` is the leaf of the area tree that comes with a grid.
    """

    row: int
    record: str
    kind: str
    set: Mapping[str, Any]
    add: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    area: AreaWanted | None = None


@dataclass(slots=True)
class _Counts:
    created: int = 0
    changed: int = 0
    unchanged: int = 0

    def tell(self, report: ImportReport) -> None:
        report.created += self.created
        report.changed += self.changed
        report.unchanged += self.unchanged


class _ChunkRefusedError(Exception):
    """A mutation was refused, so the transaction of its chunk must roll back."""

    def __init__(self, faults: Sequence[RowFault]) -> None:
        super().__init__("refused")
        self.faults = faults


def _draft(wanted: Wanted, rev: int, state: Mapping[str, Any]) -> Draft | None:
    """Return the mutation that makes a record say what is wanted, None if it does already."""
    differing = {k: v for k, v in wanted.set.items() if state.get(k) != v}
    missing = {
        name: tuple(each for each in elements if each not in state.get(name, ()))
        for name, elements in wanted.add.items()
    }
    adding = {name: elements for name, elements in missing.items() if elements}
    if rev and not differing and not adding:
        return None
    return Draft(record=wanted.record, kind=wanted.kind, base=rev, set=differing, add=adding)


def _compared(
    db: Connection, chunk: Sequence[Wanted]
) -> tuple[_Counts, list[tuple[Wanted, Draft]]]:
    """Count what a chunk would do and return the mutations it needs."""
    states = queries.states_of(db, [each.record for each in chunk])
    counts = _Counts()
    drafts: list[tuple[Wanted, Draft]] = []
    for each in chunk:
        rev, state = states.get(each.record, (0, {}))
        draft = _draft(each, rev, state)
        if draft is None:
            counts.unchanged += 1
            continue
        drafts.append((each, draft))
        counts.changed += bool(rev)
        counts.created += not rev
    return counts, drafts


def _compare_chunk(db: Connection, chunk: Sequence[Wanted]) -> _Counts:
    return _compared(db, chunk)[0]


def _write_chunk(db: Connection, chunk: Sequence[Wanted], *, console: Console) -> _Counts:
    place_areas(db, [each.area for each in chunk if each.area is not None], dry_run=False)
    counts, drafts = _compared(db, chunk)
    drafted = [draft for _, draft in drafts]
    settled = submit(db, console, drafted, now_ms=now_ms(), at_once=max(len(drafted), 1))
    faults = [
        RowFault(
            row=wanted.row,
            column=answer.field or "",
            reason=str(answer.code or answer.outcome),
            code=Code.RULES,
        )
        for (wanted, _), answer in zip(drafts, settled, strict=True)
        if answer.outcome not in _DONE
    ]
    if faults:
        raise _ChunkRefusedError(faults)
    return counts


async def write_all(
    store: Store, wanted: Sequence[Wanted], options: Options, report: ImportReport
) -> None:
    """Write (or in a dry run compare) the rows in order and count into `report`.

    Stops at the first chunk with a refused row: that one is rolled back, earlier ones stay.
    """
    for start in range(0, len(wanted), BATCH_MUTATIONS_MAX):
        chunk = wanted[start : start + BATCH_MUTATIONS_MAX]
        try:
            if options.dry_run:
                counts = await store.read(partial(_compare_chunk, chunk=chunk))
            else:
                work = partial(_write_chunk, chunk=chunk, console=options.console)
                counts = await store.write(work)
        except _ChunkRefusedError as refusal:
            for fault in refusal.faults:
                report.add(fault)
            return
        except AreasRefusedError as refusal:
            for row, column, reason in refusal.refused:
                report.refuse(row, column, reason)
            return
        counts.tell(report)
        options.progress(start + len(chunk), len(wanted))


async def write_good(
    store: Store, wanted: Sequence[Wanted], options: Options, report: ImportReport
) -> None:
    """Write (or in a dry run compare) rows in one transaction, without those that are refused.

    A row that the rules refuse rolls the transaction back; it is reported, and the others are
    written again without it.
    """
    left = list(wanted)
    while left:
        try:
            if options.dry_run:
                counts = await store.read(partial(_compare_good, chunk=left, options=options))
            else:
                counts = await store.write(partial(_write_good, chunk=left, options=options))
        except _ChunkRefusedError as refusal:
            for fault in refusal.faults:
                report.add(fault)
            refused = {each.row for each in refusal.faults}
            left = [each for each in left if each.row not in refused]
            continue
        counts.tell(report)
        return


def _compare_good(db: Connection, chunk: Sequence[Wanted], options: Options) -> _Counts:
    _check_standing(db, chunk, options)
    return _compared(db, chunk)[0]


def _write_good(db: Connection, chunk: Sequence[Wanted], options: Options) -> _Counts:
    _check_standing(db, chunk, options)
    return _write_chunk(db, chunk, console=options.console)


def _check_standing(db: Connection, chunk: Sequence[Wanted], options: Options) -> None:
    """Refuse rows about records that live outside of the author's area or were merged away."""
    standing = queries.standing_of(db, [each.record for each in chunk])
    faults = []
    for each in chunk:
        number, is_merged = standing.get(each.record, (None, False))
        if number is not None and options.span is not None and not _in(number, options.span):
            reason = "is known in another area than yours"
            faults.append(RowFault(row=each.row, column="", reason=reason, code=Code.OUTSIDE))
        elif is_merged:
            reason = "was merged into another record"
            faults.append(
                RowFault(row=each.row, column="", reason=reason, code=Code.MERGED_RECORD)
            )
    if faults:
        raise _ChunkRefusedError(faults)


def _in(number: int, span: tuple[int, int]) -> bool:
    return span[0] <= number <= span[1]
