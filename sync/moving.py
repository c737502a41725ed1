"""A household moves to another dwelling, a resident to another household.

The office says so. It is an act and no edit, so that it has a reason, and so that what belongs
to the one that moves goes with it. What it left is kept with the act: from that the history of
a dwelling is read.
"""

from typing import Any

from sync.alias import survivor_of
from sync.claims import keep_act
from sync.facts import grid_in
from sync.lifecycle import MOVED_BY
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.sheet import Deed, Sheet, Verdict, met_nobody
from sync.state import is_archived, is_erased, live_value

_GONE = "moved_out"


def move_home(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """Let a record live elsewhere, with all that belongs to it.

    A home that was merged is the one that stands for it. Who had moved out is active again.
    """
    args, field = deed.mutation.args, MOVED_BY[record.kind]
    named = sheet.get(args["to"])
    if named is None:
        return _refused(Outcome.HELD, Code.UNKNOWN_PARENT, record)
    if named.kind != field:
        return _refused(Outcome.INVALID, Code.KIND_MISMATCH, record)
    moved_ms = args.get("moved_ms")
    if moved_ms is not None and moved_ms > deed.at_ms:
        return _refused(Outcome.INVALID, Code.BAD_VALUE, record, field="moved_ms")
    home = survivor_of(sheet, named)
    if is_erased(home):
        return Verdict(outcome=Outcome.RECORDED, code=Code.ERASED, rev=record.rev)
    if is_archived(home) or is_archived(record):
        return Verdict(outcome=Outcome.RECORDED, code=Code.WRONG_STATE, rev=record.rev)
    left = live_value(record, field)
    if left == home.id:
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    after = sheet.revise(record, deed, values=_lives_at(record, home), bucket=home.bucket)
    facts = {"moved_from": left, "moved_ms": deed.at_ms if moved_ms is None else moved_ms}
    keep_act(sheet, after, deed, counted=True, result=args["text"], facts=facts)
    alone = met_nobody(record, deed.mutation.base, deed.author.device)
    return Verdict(outcome=Outcome.APPLIED if alone else Outcome.MERGED, rev=after.rev)


def _refused(outcome: Outcome, code: Code, record: Record, *, field: str = "to") -> Verdict:
    return Verdict(outcome=outcome, code=code, field=field, rev=record.rev)


def _lives_at(record: Record, home: Record) -> dict[str, Any]:
    """What a record says of itself when it lives at a home."""
    values = {MOVED_BY[record.kind]: home.id, "grid": grid_in(home.bucket)}
    if live_value(record, "status") == _GONE:
        values["status"] = "active"
    return values
