"""Claims: what a worker says about a task, kept as a record each, counted when it may count.

A claim is never refused. It is `recorded` without effect when it speaks about an earlier epoch,
comes after the task is over, or comes from somebody to whom the task was never assigned; and it
then still stands beside the task with its author, time, place and evidence.
"""

from sync.facts import bucket_under, new_record, place_values
from sync.ids import derived_id
from sync.kinds import KINDS
from sync.lifecycle import INCIDENT, RANKS, TASK, Claimed, acts_of, claim
from sync.outcome import Code, Outcome
from sync.record import Credit, Record, Status
from sync.sheet import Deed, Sheet, Verdict, ever, is_over, met_nobody
from sync.state import live_value

_CLAIM = KINDS["claim"]
_ON_INCIDENT = {"accepted": "in_progress", "in_progress": "in_progress", "done": "handled"}
_WITH_RESULT = frozenset({"not_executable", "done"})


def claim_task(sheet: Sheet, task: Record, status: Status, deed: Deed) -> Verdict:
    """Decide a claim about a task, with what it does to the incident."""
    mutation = deed.mutation
    state = acts_of(TASK)[mutation.act or ""].claims or ""
    claimed = _judge(task, status, state, deed)
    result = mutation.args.get("result")
    counted = claimed.status is not None
    keep_act(sheet, task, deed, counted=counted, result=result)
    if claimed.beaten is not None:
        _discount(sheet, task, claimed.beaten, deed)
    rev = task.rev
    if claimed.status is not None:
        takes_result = claimed.code is None and state in _WITH_RESULT
        values = {"result": result} if takes_result else {}
        rev = sheet.revise(task, deed, values=values, status=claimed.status).rev
        _move_incident(sheet, task, _ON_INCIDENT.get(state), deed)
    if claimed.code is not None:
        return Verdict(outcome=Outcome.RECORDED, code=claimed.code, rev=rev)
    alone = met_nobody(task, mutation.base, deed.author.device)
    return Verdict(outcome=Outcome.APPLIED if alone else Outcome.MERGED, rev=rev)


def _judge(task: Record, status: Status, state: str, deed: Deed) -> Claimed:
    if not deed.knows(task):
        # How far the work is would be news to a stranger.
        return Claimed(status=None, code=Code.NOT_ASSIGNED)
    if deed.mutation.base < status.since_rev:
        return Claimed(status=None, code=Code.OTHER_EPOCH)
    if is_over(task):
        return Claimed(status=None, code=Code.TERMINAL)
    if not _may_claim(task, deed):
        return Claimed(status=None, code=Code.NOT_ASSIGNED)
    return claim(RANKS[TASK], status, state, deed.credit)


def _may_claim(task: Record, deed: Deed) -> bool:
    """Say whether the author is or was the assignee; anybody of the area if nobody ever was."""
    if deed.granted is not None:
        return deed.granted
    if deed.author.console:
        return True
    cell = task.fields.get("assignee")
    if cell is None:
        return deed.may_write(task.bucket)
    return deed.author.account in ever(cell)


def keep_act(
    sheet: Sheet, parent: Record, deed: Deed, *, counted: bool, result: str | None
) -> None:
    """Keep what was claimed or decided as a record beside `parent`."""
    mutation = deed.mutation
    values = {
        "parent": parent.id,
        "act": mutation.act,
        "by": deed.author.account,
        "at_ms": deed.at_ms,
        "quality": deed.quality.value,
        "result": result,
        "counted": counted,
        **place_values(_CLAIM, deed),
    }
    record_id = sheet.unused_id(deed.author.device, mutation.n, _CLAIM.name)
    bucket = bucket_under(parent, deed)
    sets = {"media": mutation.args.get("media") or ()}
    sheet.create(new_record(deed, _CLAIM.name, record_id, values, bucket=bucket, sets=sets))


def _discount(sheet: Sheet, task: Record, beaten: Credit, deed: Deed) -> None:
    """Stop counting the claim that lost its credit to an earlier one."""
    record = sheet.of_kind(derived_id(beaten.device, beaten.n, _CLAIM.name), _CLAIM.name)
    if record is not None and live_value(record, "parent") == task.id:
        sheet.revise(record, deed, values={"counted": False})


def _move_incident(sheet: Sheet, task: Record, state: str | None, deed: Deed) -> None:
    """Let a counted claim raise the incident whose task this is."""
    incident = sheet.of_kind(live_value(task, "incident"), INCIDENT)
    if state is None or incident is None or incident.status is None:
        return
    led = not is_over(incident) and live_value(incident, "task") == task.id
    moved = claim(RANKS[INCIDENT], incident.status, state, deed.credit)
    if led and moved.status is not None:
        sheet.revise(incident, deed, status=moved.status)
