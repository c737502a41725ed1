"""Settle a conflict. The work of one transaction: it raises to roll back."""

from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from server.areas.queries import scope_of
from server.conflicts.queries import (
    ConflictRow,
    conflicts_in,
    dispatcher_row,
    save_note,
    save_owner,
)
from server.conflicts.reading import the_conflict
from server.conflicts.schemas import ConflictBody, FieldValue
from server.consolewrites import Asking, write_draft
from server.fieldrules import FieldRule
from server.problems import (
    InvalidBody,
    NeedsPerson,
    NotFound,
    TransitionRefused,
)
from server.replication.submit import Draft
from sync.fields import is_id
from sync.kinds import KINDS
from sync.outcome import Code


class Take(Enum):
    """Which value of a conflict counts."""

    SHOWN = auto()
    OTHER = auto()
    GIVEN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person makes of a conflict: lets `take` of it count, or another value.

    SHOWN keeps the value that is shown meanwhile, OTHER takes the one beside it.
    """

    take: Take
    value: FieldValue = None
    note: str | None = None

    def of(self, found: ConflictBody) -> FieldValue:
        """The value that counts.

        Raises:
            NeedsPerson: if OTHER names no single value.
        """
        if self.take is Take.SHOWN:
            return found.live
        if self.take is Take.GIVEN:
            return self.value
        others = {each.value for each in found.values if not each.live}
        if len(others) != 1:
            raise NeedsPerson("There are several other values; name one.")
        return others.pop()


def resolve(
    db: Connection, asking: Asking, conflict_id: str, choice: Choice, *, rev: int
) -> ConflictBody:
    """Let a value count in a conflict whose record stands at `rev`.

    Raises:
        NotFound: if it is not in scope.
        InvalidBody: if the field cannot hold `value`.
        TransitionRefused: if it is settled already.
        PreconditionFailed: if the record changed since.
        NeedsPerson: if the other one of more than two values is asked for.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    found = the_conflict(db, scope, conflict_id)
    if found.status != "open":
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    value = choice.of(found)
    reason = _fault(found, value)
    if reason is not None:
        raise InvalidBody.at("/value", reason)
    draft = Draft(
        record=found.record,
        kind=found.kind,
        base=rev,
        act="resolve",
        args={"field": found.field, "value": value},
        if_rev=rev,
        why=choice.note,
    )
    write_draft(db, asking, draft)
    if choice.note is not None:
        save_note(db, conflict_id, choice.note)
    return the_conflict(db, scope, conflict_id)


def _fault(found: ConflictBody, value: FieldValue) -> str | None:
    """Say why a field in conflict cannot hold a value, if it cannot."""
    rule = KINDS[found.kind].fields[found.field]
    if value is None:
        return "cannot be cleared" if rule.required else None
    return FieldRule(found.kind, found.field).fault(value)


def give(db: Connection, asking: Asking, conflict_id: str, named: str | None) -> ConflictBody:
    """Let a dispatcher look after an open conflict, or nobody.

    Raises:
        NotFound: if it is not in scope.
        TransitionRefused: if it is settled already.
        InvalidBody: if nobody of that name is a dispatcher who answers for the area.
    """
    scope = scope_of(db, asking.principal, asking.now_ms)
    rows = conflicts_in(db, scope, equal={"id": conflict_id}, limit=1)
    if not rows:
        raise NotFound
    row = rows[0]
    if row.status != "open":
        raise TransitionRefused(code=Code.WRONG_STATE.value)
    owner = None if named is None else dispatcher_row(db, named, by_id=is_id(named))
    if named is not None and (owner is None or not _answers_for(owner, row.area_no)):
        reason = "must be a dispatcher who answers for the area"
        raise InvalidBody.at("/account", reason)
    save_owner(db, conflict_id, None if owner is None else owner.id)
    return the_conflict(db, scope, conflict_id)


def _answers_for(owner: ConflictRow, area_no: int) -> bool:
    return owner.lo is None or bool(owner.lo <= area_no <= owner.hi)
