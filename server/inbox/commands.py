"""Rule on what waits. The work of one transaction: it raises to roll back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.areas.scope import Scope
from server.consolewrites import Asking
from server.inbox.access import may_read_values
from server.inbox.queries import InboxRow, Wanted, lost_at, selected_rows
from server.inbox.reading import copies_of, the_held, the_row
from server.inbox.schemas import (
    BULK_MAX,
    BulkResult,
    Correction,
    HeldBody,
    Ruled,
    Selection,
)
from server.problems import (
    BodyError,
    Forbidden,
    InvalidBody,
    PreconditionFailed,
    TransitionRefused,
)
from server.replication.settle import parts_of
from server.replication.submit import Console, Draft, submit
from sync.masking import fault_of
from sync.outcome import Code, Outcome
from sync.push import Settled
from sync.release import REFUSE, RELEASE, Ruling, Why, ruling_args

_STILL = frozenset({Outcome.HELD, Outcome.INVALID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a person says about waiting work: the act, why, and what counts instead."""

    act: str
    text: str | None = None
    correction: Correction | None = None

    def draft(self, row: InboxRow, group: str | None = None) -> Draft:
        """The console's mutation that says it about a row; those of a group stand together."""
        ruling = Ruling(
            device=row.device_id,
            n=row.n,
            why=Why.PERSON,
            text=self.text,
            corrected={} if self.correction is None else self.correction.members(),
        )
        return Draft(
            record=row.record_id,
            kind=row.kind,
            base=row.base,
            act=self.act,
            args=ruling_args(ruling),
            group=group,
        )


def rule(
    db: Connection, asking: Asking, key: tuple[str, int], word: Word, *, version: int
) -> tuple[HeldBody, str | None]:
    """Rule on the mutation `key`; returns it, and the code if it still cannot be applied.

    Raises:
        NotFound: if it is not in scope.
        TransitionRefused: if it does not wait any more, or was sent again and taken.
        PreconditionFailed: if it is not at `version`.
        Forbidden: if the caller corrects what they may not read.
        InvalidBody: if the correction does not fit.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    row = the_row(db, scope, *key)
    if row.status != "open":
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    if row.version != version:
        raise PreconditionFailed(current_rev=row.version)
    if word.act == RELEASE and copies_of(db, [row]):
        raise TransitionRefused(code=Code.ALREADY_EXISTS.value)
    if word.correction is not None:
        _check_correction(asking, row, word.correction)
    (settled,) = _submitted(db, asking, [word.draft(row)])
    if settled.code is Code.WRONG_STATE:
        raise TransitionRefused(code=settled.code.value)
    if word.correction is not None and settled.outcome is Outcome.INVALID:
        raise InvalidBody(errors=[_fault_of(settled)])
    stands = settled.outcome in _STILL and settled.code is not None
    code = settled.code.value if stands and settled.code is not None else None
    return the_held(db, scope, asking, key), code


def _submitted(db: Connection, asking: Asking, drafts: Sequence[Draft]) -> list[Settled]:
    console = Console(account=asking.principal.account, role=asking.principal.role.value)
    return submit(db, console, drafts, now_ms=asking.now_ms)


def _check_correction(asking: Asking, row: InboxRow, correction: Correction) -> None:
    if not may_read_values(asking.principal):
        raise Forbidden("Only a dispatcher reads and corrects what work says.")
    sent = json.loads(row.body)
    wrong = {"args"} if sent.get("act") is None else {"set", "add", "remove"}
    wrong |= set() if sent.get("position") else {"datum"}
    misplaced = sorted(wrong & correction.members().keys())
    if misplaced:
        reason = "does not belong to this mutation"
        raise InvalidBody(
            errors=[
                BodyError(pointer=f"/correction/{each}", reason=reason) for each in misplaced
            ]
        )
    masked = _masked_in(row, correction)
    if masked:
        raise InvalidBody(errors=masked)


def _masked_in(row: InboxRow, correction: Correction) -> list[BodyError]:
    """Where a correction gives a value that is masked."""
    said = (correction.set or {}).items()
    faults = {name: fault_of(row.kind, name, value) for name, value in said}
    return [
        BodyError(pointer=f"/correction/set/{name}", reason=fault)
        for name, fault in faults.items()
        if fault is not None
    ]


def _fault_of(settled: Settled) -> BodyError:
    code = "invalid" if settled.code is None else settled.code.value
    return BodyError(pointer="/correction", reason=f"{code}: {settled.field}")


class Rehearsed(Exception):  # noqa: N818 - ends a rehearsal, is not a failure
    """Rolls a dry run back and carries what would have become of it."""

    def __init__(self, result: BulkResult) -> None:
        super().__init__("rehearsed")
        self.result = result


def rule_on_all(db: Connection, asking: Asking, selection: Selection, word: Word) -> BulkResult:
    """Rule on a device's waiting work, in the order of n, at most `BULK_MAX`.

    What was sent again and taken is left alone by a release. Members of a group are released
    together or not at all.

    Raises:
        InvalidBody: if a loss is spoken of that nobody reported.
        Rehearsed: instead of returning, if it is a dry run.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = _selected(db, scope, selection)
    rows = found[:BULK_MAX]
    copies = copies_of(db, rows) if word.act == RELEASE else {}
    fresh = [row for row in rows if row.n not in copies]
    settled: list[Settled] = []
    for part in parts_of(fresh):
        drafts = [word.draft(row, group) for row, group in part]
        settled += _submitted(db, asking, drafts)
    ruled = [_ruled(row, each, word) for row, each in zip(fresh, settled, strict=True)]
    ruled += [_sent_again(row) for row in rows if row.n in copies]
    result = BulkResult(
        dry_run=selection.dry_run,
        items=sorted(ruled, key=lambda each: each.n),
        more=len(found) > BULK_MAX,
    )
    if selection.dry_run:
        raise Rehearsed(result)
    return result


def _selected(db: Connection, scope: Scope, selection: Selection) -> Sequence[InboxRow]:
    from_ms, before_ms = None, selection.before_ms
    if selection.before_loss is not None:
        lost_ms = lost_at(db, selection.device)
        if lost_ms is None:
            reason = "no loss of this device was reported"
            raise InvalidBody.at("/before_loss", reason)
        if selection.before_loss:
            before_ms = lost_ms if before_ms is None else min(before_ms, lost_ms)
        else:
            from_ms = lost_ms
    wanted = Wanted(
        device=selection.device, code=selection.code, from_ms=from_ms, before_ms=before_ms
    )
    return selected_rows(db, scope, wanted, limit=BULK_MAX + 1)


def _ruled(row: InboxRow, settled: Settled, word: Word) -> Ruled:
    code = None if settled.code is None else settled.code.value
    said: dict[str, Any] = {"n": row.n, "record": row.record_id, "code": code}
    if word.act == REFUSE and settled.code is None:
        return Ruled(status="refused", became=None, **said)
    if settled.outcome in _STILL:
        return Ruled(status="open", became=None, **said)
    if settled.code is Code.WRONG_STATE:
        return Ruled(status="decided", became=None, **said)
    return Ruled(status="released", became=settled.outcome.value, **said)


def _sent_again(row: InboxRow) -> Ruled:
    code = Code.ALREADY_EXISTS.value
    return Ruled(n=row.n, record=row.record_id, status="open", became=None, code=code)
