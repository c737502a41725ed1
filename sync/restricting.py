"""Restriction: somebody asked that nobody uses what is held about them, until it is lifted.

A record names the requests for which it is restricted. What belongs to it is restricted with
it, also what comes later; it is hidden from phones, and edits of it wait for a person.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sync.erasing import ERASED_TEXT, keeps
from sync.fields import Text
from sync.kinds import KINDS
from sync.outcome import Code, Outcome
from sync.record import Record
from sync.sheet import Deed, Sheet, Verdict
from sync.state import is_erased, restricted_for

REQUESTS_MAX: Final = 10


def written_for(requests: Iterable[str]) -> str | None:
    """Return requests as a record names them, None for none."""
    return " ".join(sorted(requests)) or None


def restrict_with_all_below(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """Restrict a record, and all that belongs to it, for a request."""
    requests = restricted_for(record)
    if deed.mutation.args["request"] in requests:
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    if len(requests) == REQUESTS_MAX:
        return Verdict(outcome=Outcome.RECORDED, code=Code.WRONG_STATE, rev=record.rev)
    return _with_all_below(sheet, record, deed, restricted=True)


def lift_with_all_below(sheet: Sheet, record: Record, deed: Deed) -> Verdict:
    """End the restriction for a request; what another request restricts stays so."""
    if deed.mutation.args["request"] not in restricted_for(record):
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    return _with_all_below(sheet, record, deed, restricted=False)


def _with_all_below(sheet: Sheet, record: Record, deed: Deed, *, restricted: bool) -> Verdict:
    request = deed.mutation.args["request"]
    ids = [record.id]
    for record_id in ids:
        each = sheet.get(record_id)
        if each is None or is_erased(each) or "restricted" not in KINDS[each.kind].fields:
            continue
        before = frozenset(restricted_for(each))
        after = before | {request} if restricted else before - {request}
        if after != before and len(after) <= REQUESTS_MAX:
            sheet.revise(each, deed, values={"restricted": written_for(after)})
        ids += sheet.family.below(record_id)
    return Verdict(outcome=Outcome.APPLIED, rev=record.rev + 1)


def hidden_state(record: Record, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table may show of a restricted record: the ids it names, and bare facts."""
    kind = KINDS[record.kind]
    kept = {name: each for name, each in state.items() if _stays(record.kind, name)}
    blank = {
        name: ERASED_TEXT
        for name, each in kind.fields.items()
        if each.required and isinstance(each.type, Text)
    }
    return blank | kept


def _stays(kind: str, name: str) -> bool:
    return name in KINDS[kind].fields and keeps(KINDS[kind], name)
