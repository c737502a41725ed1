"""The life cycles of tasks and incidents: states with ranks, acts, and who is credited.

A *claim* says that something happened in the field; it can only raise the rank inside an epoch.
A *decision* is a console's; it names the states it may be taken from and may open a new epoch.
The state of an epoch is the highest one reached, and the credit for each state goes to the
earliest `(at_ms, device, n)`, so the order in which claims arrive does not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sync.fields import Choice, FieldType, Media, Ref, Text
from sync.kinds import KINDS, SET_ELEMENTS_MAX, TIME_MS, Kind
from sync.mutation import EMPTY
from sync.outcome import Code
from sync.record import Credit, Status

INCIDENT = "incident"
TASK = "task"
RESOLVE = "resolve"
ARCHIVE = "archive"
RESTORE = "restore"
ERASE = "erase"
RESTRICT = "restrict"
LIFT = "lift"
MERGE = "merge_into"
MOVE = "move"
MOVED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {"household": "dwelling", "resident": "household"}
)
"""The kinds that move to another home, and the field that names it."""
REASONS = ("person_asked", "no_longer_needed", "entered_wrongly", "law")
"""Why something is erased: words of a list, so that the reason itself names nobody."""

RANKS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        TASK: MappingProxyType(
            {
                "assigned": 10,
                "accepted": 20,
                "in_progress": 30,
                "not_executable": 45,
                "done": 50,
                "confirmed": 60,
                "withdrawn": 70,
            }
        ),
        INCIDENT: MappingProxyType(
            {
                "reported": 10,
                "registered": 20,
                "dispatched": 30,
                "in_progress": 40,
                "handled": 50,
                "checking": 60,
                "closed": 70,
                "rejected": 90,
                "voided": 92,
                "merged": 94,
            }
        ),
    }
)
TERMINAL: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        TASK: frozenset({"confirmed", "withdrawn"}),
        INCIDENT: frozenset({"closed", "rejected", "voided", "merged"}),
    }
)
OPEN_TASK: Final = frozenset({"assigned", "accepted", "in_progress", "not_executable"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of at most `SET_ELEMENTS_MAX` values of one type."""

    type: FieldType

    def fault(self, value: Any) -> str | None:
        """Return why `value` may not be stored, or None."""
        if not isinstance(value, (list, tuple)):
            return "must be a list"
        if len(value) > SET_ELEMENTS_MAX:
            return f"must have at most {SET_ELEMENTS_MAX} members"
        return next(filter(None, map(self.type.fault, value)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Any value; another rule checks it."""

    def fault(self, _value: Any) -> str | None:
        """Return None."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of a life cycle.

    A claim raises the status to `claims` and may come from a phone; a decision has None there
    and names the states it may be taken `from_states`. `required` are the arguments that must
    be given, those in `nullable` as None if need be; a `text` argument of a decision is kept as
    a record beside it.
    """

    args: Mapping[str, FieldType]
    required: frozenset[str] = frozenset()
    nullable: frozenset[str] = frozenset()
    claims: str | None = None
    from_states: frozenset[str] = frozenset()


_LONG = Text(2_000)
_USER = Ref("user")
_TEXT: Mapping[str, FieldType] = {"text": _LONG}
_EVIDENCE: Mapping[str, FieldType] = {"result": _LONG, "media": Listed(Media())}
_ORDER: Mapping[str, FieldType] = {
    "assignee": _USER,
    "instruction": _LONG,
    "due_at_ms": TIME_MS,
}
_RESOLVE = Act(
    args={"field": Text(40), "value": Anything()},
    required=frozenset({"field", "value"}),
    nullable=frozenset({"value"}),
)


def _decision(
    *from_states: str, args: Mapping[str, FieldType], required: tuple[str, ...] = ()
) -> Act:
    return Act(args=args, required=frozenset(required), from_states=frozenset(from_states))


_TASK_ACTS: Mapping[str, Act] = {
    "accept": Act(args=_EVIDENCE, claims="accepted"),
    "start": Act(args=_EVIDENCE, claims="in_progress"),
    "finish": Act(args=_EVIDENCE, claims="done"),
    "not_executable": Act(args=_EVIDENCE, claims="not_executable"),
    "confirm": _decision("done", args=_TEXT),
    "rework": _decision("not_executable", "done", "confirmed", args={**_TEXT, **_ORDER}),
    "withdraw": _decision(*OPEN_TASK, args=_TEXT),
    "assign": _decision(
        "assigned",
        "accepted",
        "in_progress",
        args={**_TEXT, **_ORDER},
        required=("assignee",),
    ),
}
_REGISTRATION: Mapping[str, FieldType] = {"case_no": Text(40), "due_at_ms": TIME_MS}
_INCIDENT_ACTS: Mapping[str, Act] = {
    "register": _decision("reported", args={**_TEXT, **_REGISTRATION}),
    "reject": _decision("reported", args=_TEXT),
    "dispatch": _decision(
        "reported",
        "registered",
        args={
            **_TEXT,
            **_REGISTRATION,
            **_ORDER,
            "task": Ref(TASK),
            "title": Text(200),
        },
        required=("task",),
    ),
    "verify": _decision(
        "handled",
        "checking",
        args={**_TEXT, "result": Choice(("pass", "fail"))},
        required=("result",),
    ),
    "close": _decision(
        "registered", "dispatched", "in_progress", "handled", "checking", args=_TEXT
    ),
    "reopen": _decision("closed", "rejected", "voided", args=_TEXT),
    "void": _decision(
        "reported",
        "registered",
        "dispatched",
        "in_progress",
        "handled",
        "checking",
        args=_TEXT,
    ),
}
_SHELVING = Act(args=_TEXT, required=frozenset({"text"}))
_ERASING = Act(
    args={"reason": Choice(REASONS), "grid": Ref("grid")}, required=frozenset({"reason"})
)
_RESTRICTING = Act(args={"request": Ref("request")}, required=frozenset({"request"}))
_MERGING = Act(args={"into": Ref("record"), **_TEXT}, required=frozenset({"into", "text"}))
_MOVING = Act(
    args={"to": Ref("record"), "moved_ms": TIME_MS, **_TEXT},
    required=frozenset({"to", "text"}),
)
_OF_MOVED: Mapping[str, Act] = {MOVE: _MOVING}
_OF_MERGED: Mapping[str, Act] = {MERGE: _MERGING}
_OF_ERASED: Mapping[str, Act] = {ERASE: _ERASING}
_OF_RESTRICTED: Mapping[str, Act] = {RESTRICT: _RESTRICTING, LIFT: _RESTRICTING}
_OF_ALL: Mapping[str, Act] = {RESOLVE: _RESOLVE}
_OF_ARCHIVED: Mapping[str, Act] = {ARCHIVE: _SHELVING, RESTORE: _SHELVING}


def _is_restricted_by_act(kind: Kind) -> bool:
    """Say whether people ask for it of a kind of record; facts follow those."""
    return "restricted" in kind.fields and not kind.create_only


_LIFE: Mapping[str, Mapping[str, Act]] = {TASK: _TASK_ACTS, INCIDENT: _INCIDENT_ACTS}
_ACTS: Mapping[str, Mapping[str, Act]] = {
    kind.name: {
        **_LIFE.get(kind.name, EMPTY),
        **_OF_ALL,
        **(_OF_ARCHIVED if "archived" in kind.fields else EMPTY),
        **(_OF_MERGED if "merged_into" in kind.fields else EMPTY),
        **(_OF_MOVED if kind.name in MOVED_BY else EMPTY),
        **(_OF_ERASED if "erased" in kind.fields else EMPTY),
        **(_OF_RESTRICTED if _is_restricted_by_act(kind) else EMPTY),
    }
    for kind in KINDS.values()
}


def acts_of(kind: str) -> Mapping[str, Act]:
    """Return the acts that records of a kind know, by name."""
    return _ACTS.get(kind, _OF_ALL)


def _order(credit: Credit) -> tuple[int, str, int]:
    return credit.at_ms, credit.device, credit.n


def credit_of(status: Status) -> Credit:
    """Return who is credited with the present state."""
    return Credit(
        at_ms=status.at_ms,
        by=status.by,
        device=status.device,
        n=status.n,
        quality=status.quality,
    )


def status_with(
    state: str, credit: Credit, *, epoch: int, since_rev: int, reached: Mapping[str, Credit]
) -> Status:
    """Return a status whose present state is credited to `credit`, kept in `reached` too."""
    return Status(
        epoch=epoch,
        state=state,
        since_rev=since_rev,
        at_ms=credit.at_ms,
        by=credit.by,
        device=credit.device,
        n=credit.n,
        quality=credit.quality,
        reached={**reached, state: credit},
    )


def begin(state: str, credit: Credit, *, since_rev: int = 1, epoch: int = 1) -> Status:
    """Return the first status of an epoch that opens at revision `since_rev`."""
    return status_with(state, credit, epoch=epoch, since_rev=since_rev, reached=EMPTY)


def advance(status: Status, state: str, credit: Credit) -> Status:
    """Return the status after a decision that stays in the epoch."""
    return status_with(
        state, credit, epoch=status.epoch, since_rev=status.since_rev, reached=status.reached
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim did to a status.

    `status` is the new one, None if nothing changed. `code` says why the state did not change,
    None if it did or its credit moved. `beaten` lost the credit to this claim.
    """

    status: Status | None
    code: Code | None
    beaten: Credit | None = None


def claim(ranks: Mapping[str, int], status: Status, state: str, credit: Credit) -> Claimed:
    """Return what a claim of `state` does to a status that is not terminal."""
    holder = credit_of(status)
    present = ranks[state] >= ranks[status.state]
    earlier = holder if state == status.state else status.reached.get(state)
    if earlier is not None and _order(earlier) <= _order(credit):
        late = Code.ALREADY_CLAIMED if state == status.state else Code.LATER_STATE
        return Claimed(status=None, code=late)
    if present:
        return Claimed(status=advance(status, state, credit), code=None, beaten=earlier)
    reached = {**status.reached, state: credit}
    return Claimed(
        status=status_with(
            status.state,
            holder,
            epoch=status.epoch,
            since_rev=status.since_rev,
            reached=reached,
        ),
        code=Code.LATER_STATE,
        beaten=earlier,
    )
