"""Decisions: what a console decides about an incident or a task, with what follows from it.

A decision taken in a state that does not allow it is `recorded` with `wrong-state` and changes
nothing. Whatever follows (a task made, confirmed, withdrawn or sent back) happens in the same
plan, by the same author at the same time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sync.claims import keep_act
from sync.facts import grid_in, new_record, user_bucket
from sync.lifecycle import INCIDENT, OPEN_TASK, TASK, acts_of, advance, begin
from sync.mutation import EMPTY
from sync.outcome import Code, Outcome
from sync.record import Record, Status
from sync.sheet import Deed, Sheet, Verdict, is_over, met_nobody
from sync.state import live_value

_TITLE_CHARS_MAX = 200
_ORDER = ("assignee", "instruction", "due_at_ms")
_BEFORE_HANDLED = frozenset({"registered", "dispatched", "in_progress"})
_UNDER_WORK = frozenset({"in_progress", "handled", "checking"})
_WORKED = frozenset({"done", "confirmed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision being taken: about which record in which status, with what arguments."""

    sheet: Sheet
    record: Record
    status: Status
    args: Mapping[str, Any]
    deed: Deed

    def given(self, *names: str) -> dict[str, Any]:
        """Return the arguments of these names that were given."""
        return {name: self.args[name] for name in names if self.args.get(name) is not None}

    def missing(self, *names: str) -> dict[str, Any]:
        """Return the given arguments of these names that the record has no value for yet."""
        given = self.given(*names)
        return {
            name: each for name, each in given.items() if live_value(self.record, name) is None
        }

    def move(self, record: Record, state: str, values: Mapping[str, Any] = EMPTY) -> None:
        """Put a record into a later state of its epoch."""
        status = record.status and advance(record.status, state, self.deed.credit)
        self.sheet.revise(record, self.deed, status=status, values=values)

    def restart(self, record: Record, state: str, values: Mapping[str, Any] = EMPTY) -> None:
        """Open a new epoch of a record."""
        epoch = 1 if record.status is None else record.status.epoch + 1
        since_rev = record.rev + 1
        status = begin(state, self.deed.credit, epoch=epoch, since_rev=since_rev)
        self.sheet.revise(record, self.deed, status=status, values=values)

    def own_work(self, state: str) -> bool:
        """Say whether the decider is the one credited with `state` of the record."""
        credit = self.status.reached.get(state)
        return credit is not None and credit.by == self.deed.author.account

    def task(self) -> Record | None:
        """Return the present task of an incident."""
        return self.sheet.of_kind(live_value(self.record, "task"), TASK)

    def incident(self) -> Record | None:
        """Return the incident of a task."""
        return self.sheet.of_kind(live_value(self.record, "incident"), INCIDENT)


def decide_act(sheet: Sheet, record: Record, status: Status, deed: Deed) -> Verdict:
    """Decide a decision about an incident or a task."""
    mutation = deed.mutation
    name = mutation.act or ""
    code: Code | None = Code.WRONG_STATE
    if status.state in acts_of(record.kind)[name].from_states:
        case = Case(sheet=sheet, record=record, status=status, args=mutation.args, deed=deed)
        code = _DECISIONS[record.kind, name](case)
    if code is not None:
        return Verdict(outcome=Outcome.RECORDED, code=code, rev=record.rev)
    after = sheet.changed.get(record.id)
    if after is None:
        return Verdict(outcome=Outcome.UNCHANGED, rev=record.rev)
    text = mutation.args.get("text")
    if text is not None:
        keep_act(sheet, after, deed, counted=True, result=text)
    alone = met_nobody(record, mutation.base, deed.author.device)
    return Verdict(outcome=Outcome.APPLIED if alone else Outcome.MERGED, rev=after.rev)


def _register(case: Case) -> Code | None:
    case.move(case.record, "registered", case.given("case_no", "due_at_ms"))
    return None


def _reject(case: Case) -> Code | None:
    case.move(case.record, "rejected")
    return None


def _void(case: Case) -> Code | None:
    _end_task(case)
    case.move(case.record, "voided")
    return None


def _close(case: Case) -> Code | None:
    """Close; before the work is claimed done it takes a reason, and nobody skips the check."""
    if case.status.state in _BEFORE_HANDLED and case.args.get("text") is None:
        return Code.WRONG_STATE
    if case.status.state == "handled" and case.own_work("handled"):
        return Code.OWN_WORK
    _end_task(case)
    case.move(case.record, "closed")
    return None


def _end_task(case: Case) -> None:
    task = case.task()
    if task is None:
        return
    if _is_in(task, *OPEN_TASK):
        case.move(task, "withdrawn")
    elif _is_in(task, "done"):
        case.move(task, "confirmed")


def _is_in(record: Record, *states: str) -> bool:
    return record.status is not None and record.status.state in states


def _reopen(case: Case) -> Code | None:
    case.restart(case.record, "registered", {"task": None})
    return None


def _dispatch(case: Case) -> Code | None:
    """Make the task; an incident that was only reported is registered by the same act."""
    incident, sheet = case.record, case.sheet
    task_id: str = case.args["task"]
    if task_id in sheet:
        return Code.ALREADY_EXISTS
    sheet.create(_new_task(case, task_id))
    status = case.status
    if status.state == "reported":
        status = advance(status, "registered", case.deed.credit)
    sheet.revise(
        incident,
        case.deed,
        status=advance(status, "dispatched", case.deed.credit),
        values={"task": task_id, **case.missing("case_no", "due_at_ms")},
    )
    return None


def _new_task(case: Case, task_id: str) -> Record:
    incident = case.record
    assignee = case.args.get("assignee")
    bucket = incident.bucket
    if grid_in(bucket) is None and assignee is not None:
        bucket = user_bucket(assignee)
    summary = live_value(incident, "summary") or live_value(incident, "class")
    place = {name: live_value(incident, name) for name in ("lon_e7", "lat_e7")}
    values = {
        "incident": incident.id,
        "title": case.args.get("title") or (summary and summary[:_TITLE_CHARS_MAX]),
        **place,
        **case.given(*_ORDER),
    }
    status = begin("assigned", case.deed.credit)
    return new_record(case.deed, TASK, task_id, values, bucket=bucket, status=status)


def _verify(case: Case) -> Code | None:
    if case.own_work("handled"):
        return Code.OWN_WORK
    task = case.task()
    if case.args["result"] == "fail":
        _send_back(case, case.record, rework=1)
        if task is not None:
            case.restart(task, "assigned", {"result": None})
        return None
    if case.status.state != "handled":
        return Code.WRONG_STATE
    if task is not None and _is_in(task, "done"):
        case.move(task, "confirmed")
    case.move(case.record, "checking")
    return None


def _send_back(case: Case, incident: Record, *, rework: int) -> None:
    count = (live_value(incident, "rework") or 0) + rework
    case.restart(incident, "dispatched", {"rework": count} if rework else EMPTY)


def _confirm(case: Case) -> Code | None:
    if case.own_work("done"):
        return Code.OWN_WORK
    incident = _led_incident(case)
    if incident is not None and _is_in(incident, "handled"):
        case.move(incident, "checking")
    case.move(case.record, "confirmed")
    return None


def _led_incident(case: Case) -> Record | None:
    """Return the incident of a task, if this is still its present task."""
    incident = case.incident()
    if incident is None or live_value(incident, "task") != case.record.id:
        return None
    return incident


def _rework(case: Case) -> Code | None:
    """Send a task back to be done (again); counts as rework if it was claimed done."""
    incident = _led_incident(case)
    if incident is None or is_over(incident):
        return Code.WRONG_STATE
    if _is_in(incident, *_UNDER_WORK):
        _send_back(case, incident, rework=int(case.status.state in _WORKED))
    case.restart(case.record, "assigned", {"result": None, **case.given(*_ORDER)})
    return None


def _withdraw(case: Case) -> Code | None:
    incident = _led_incident(case)
    if incident is not None and not is_over(incident):
        case.restart(incident, "registered", {"task": None})
    case.move(case.record, "withdrawn")
    return None


def _assign(case: Case) -> Code | None:
    """Give an open task to somebody; who had it before may still claim what was done."""
    task = case.record
    order = case.given(*_ORDER)
    if all(live_value(task, name) == value for name, value in order.items()):
        return None
    in_grid = grid_in(task.bucket) is not None
    bucket = task.bucket if in_grid else user_bucket(order["assignee"])
    case.sheet.revise(task, case.deed, values=order, bucket=bucket)
    return None


_DECISIONS: Final[Mapping[tuple[str, str], Callable[[Case], Code | None]]] = {
    (INCIDENT, "register"): _register,
    (INCIDENT, "reject"): _reject,
    (INCIDENT, "dispatch"): _dispatch,
    (INCIDENT, "verify"): _verify,
    (INCIDENT, "close"): _close,
    (INCIDENT, "reopen"): _reopen,
    (INCIDENT, "void"): _void,
    (TASK, "confirm"): _confirm,
    (TASK, "rework"): _rework,
    (TASK, "withdraw"): _withdraw,
    (TASK, "assign"): _assign,
}
